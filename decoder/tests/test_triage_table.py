"""The table of triage, its command line, archives, the codes, and Braid's own captures."""
from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.codes import nibble, triple
from decoder.commands import main
from decoder.elf import Finder
from decoder.events import Record
from decoder.triage.capture import DAMAGED, HANG, PANIC, PASS, RESET, SURE, UNSURE, Capture
from decoder.triage.cli import sort
from decoder.triage.inputs import Inputs
from decoder.triage.sort_braid import ending
from decoder.triage.table import rows_of, wilson

from . import encode, older
from .encode import Cpu
from .older import Older


def one_of(path: Path) -> Capture:
    captures, _ = sort(Inputs([str(path)]), Finder([]))
    assert len(captures) == 1
    return captures[0]


@pytest.mark.parametrize("count, of, low, high", [
    (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (5, 10, 0.237, 0.763), (1, 100, 0.0018, 0.0545), (0, 0, 0, 1)])
def test_wilson(count: int, of: int, low: float, high: float) -> None:
    assert wilson(count, of) == pytest.approx((low, high), abs=6e-4)


def test_rows(tmp_path: Path) -> None:
    for number, end in enumerate([older.RUN] * 2 + [older.FAULT_CODE] * 3 + [older.PASS] * 2):
        (tmp_path / f"{number}").write_bytes(Older(number).capture(end, 9 - number))
        os.utime(tmp_path / f"{number}", (1000 - number, 1000 - number))
    captures, _ = sort(Inputs([str(tmp_path)]), Finder([]))
    rows = rows_of(captures)
    assert [(row.outcome, row.count, row.of) for row in rows] == [(PASS, 2, 7), (HANG, 2, 7), (PANIC, 3, 7)]
    assert [row.shortest[-1] for row in rows] == ["6", "1", "4"]
    assert [(row.first[-1], row.when) for row in rows] == [("6", 994), ("1", 999), ("4", 996)]


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit status, --save, --previous: new, gone, more."""
    old, new = tmp_path / "old", tmp_path / "new"
    table = str(tmp_path / "table.json")
    for folder, ends in ((old, [older.PASS] * 20 + [older.RUN]),
                         (new, [older.PASS] * 3 + [older.FAULT_CODE] * 2 + [older.RUN] * 15)):
        folder.mkdir()
        for number, end in enumerate(ends):
            (folder / str(number)).write_bytes(Older(number).capture(end, 3))
    assert main(["triage", str(old), "--save", table]) == 0
    assert main(["triage", str(old), "--previous", table]) == 0
    assert "same, was 1/21" in capsys.readouterr().out
    assert main(["triage", str(new), "--previous", table]) == 1
    told = capsys.readouterr()
    assert "NEW" in told.out and "more, was 1/21" in told.out and "less, was 20/21" in told.out
    assert "new: panic, appmain.c:tv_app_handleintercept_hwpgtblviolation: FATAL ERROR" in told.err
    assert main(["triage", str(new), "--save", table, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(Path(table).read_text())
    assert main(["triage", str(old), "--previous", table]) == 0
    assert "gone: panic" in capsys.readouterr().err


def test_bad_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line each, no traceback, and what can be sorted is."""
    assert main(["triage", str(tmp_path / "none")]) == 2
    assert "none: No such file" in capsys.readouterr().err
    assert main(["triage", str(tmp_path)]) == 2
    assert "no capture to sort" in capsys.readouterr().err
    good = tmp_path / "good"
    good.write_bytes(Older(1).capture(older.FAULT_CODE, 3))
    assert main(["triage", str(tmp_path / "none"), str(good)]) == 0
    assert main(["triage", str(good), "--previous", str(good)]) == 2
    assert "not a table that --save wrote" in capsys.readouterr().err
    (tmp_path / "other.json").write_text('{"format": 1, "rows": [{"a": 1}]}')
    assert main(["triage", str(good), "--previous", str(tmp_path / "other.json")]) == 2
    assert main(["triage", str(good), "--save", str(tmp_path / "no" / "where")]) == 2


ROW = '{"outcome": "hang", "signature": %s, "count": 1, "of": 1, "when": %s}'


@pytest.mark.parametrize("content, why", [
    ("[" * 100_000, "not a table that --save wrote"),
    ('{"format": 1, "rows": [%s]}' % (ROW % ("[]", "0")), "another version"),
    ('{"format": 1, "rows": [%s]}' % (ROW % ('"x"', "NaN")), "another version"),
], ids=["nested", "a list for a text", "no time"])
def test_odd_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, why: str) -> None:
    good, table = tmp_path / "good", tmp_path / "odd.json"
    good.write_bytes(Older(1).capture(older.PASS, 3))
    table.write_text(content)
    assert main(["triage", str(good), "--previous", str(table)]) == 2
    err = capsys.readouterr().err
    assert why in err and err.count("\n") == 1


def test_odd_times(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Before 1970, and one that no calendar has."""
    capture, table = tmp_path / "old", str(tmp_path / "table.json")
    capture.write_bytes(Older(1).capture(older.FAULT_CODE, 3))
    os.utime(capture, (-86400, -86400))
    assert main(["triage", str(capture), "--save", table]) == 0
    assert "1969-12-31" in capsys.readouterr().out
    assert main(["triage", str(capture), "--previous", table]) == 0
    far = tmp_path / "far.tar"
    with tarfile.open(far, "w", format=tarfile.PAX_FORMAT) as archive:
        info = tarfile.TarInfo("run")
        info.size, info.mtime = capture.stat().st_size, 10**20
        archive.addfile(info, io.BytesIO(capture.read_bytes()))
    assert main(["triage", str(far)]) == 0
    assert "run" in capsys.readouterr().out


def test_what_is_no_file_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(Older(1).capture(older.PASS, 3))
    os.mkfifo(tmp_path / "pipe")
    inputs = Inputs([str(tmp_path)])
    script = "import sys; from decoder.commands import main; sys.exit(main(['triage', sys.argv[1]]))"
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], timeout=30, capture_output=True,
                          cwd=Path(__file__).resolve().parents[2])
    assert done.returncode == 0 and b"pipe: not a file" in done.stderr
    assert [one.name for one in sort(inputs, Finder([]))[0]] == ["good"]


def test_archive(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Captures in an archive are found, a README beside them is not sorted, a broken archive gives what it
    still holds.
    """
    path = tmp_path / "night.tar.xz"
    with tarfile.open(path, "w:xz") as archive:
        for number in range(9):
            data = Older(number).capture(older.RUN if number < 3 else older.PASS, 20)
            info = tarfile.TarInfo(f"night/run{number}")
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, text in (("night/README.md", b"TV[0]:a.c:f:1: none"), ("night/notes", b"so it was\n")):
            info = tarfile.TarInfo(name)
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text))
    captures, skipped = sort(Inputs([str(path)]), Finder([]))
    assert Counter(one.outcome for one in captures) == {HANG: 3, PASS: 6} and skipped == ["notes"]
    plain = tmp_path / "cut.tar"
    with tarfile.open(path) as archive, tarfile.open(plain, "w") as other:
        for member in archive.getmembers():
            other.addfile(member, archive.extractfile(member))
    plain.write_bytes(plain.read_bytes()[:150_000])
    inputs = Inputs([str(plain)])
    captures, _ = sort(inputs, Finder([]))
    assert 0 < len(captures) < 9 and "broken behind" in inputs.problems[0]


@pytest.mark.parametrize("code", ["nibble", "base64"])
def test_codes(tmp_path: Path, code: str) -> None:
    """A behaviour is the same in each code; a capture with many bytes lost is damaged."""
    encoder = {"nibble": nibble.encode, "base64": triple.encode}[code]
    data = Older(1).capture(older.FAULT_CODE, 6).split(b"\n", 3)[3]
    coded = b"".join(encoder(line, at % 4) for at, line in enumerate(data.splitlines(keepends=True)))
    (tmp_path / "plain").write_bytes(data)
    (tmp_path / "coded").write_bytes(coded)
    (tmp_path / "lossy").write_bytes(bytes(byte for at, byte in enumerate(coded) if at % 23))
    one, other, lossy = (one_of(tmp_path / name) for name in ("plain", "coded", "lossy"))
    assert (one.outcome, one.signature, one.variant) == (other.outcome, other.signature, other.variant)
    assert other.outcome == PANIC and lossy.outcome == DAMAGED


def wire(*ends: tuple[int, int, str], cut: int = 0, boots: int = 1) -> bytes:
    """A boot of two CPUs that say a few things, then these: (cpu, context, text); the last byte may go."""
    out = b""
    for epoch in range(1, boots + 1):
        out += encode.banner(1, 2, epoch)
        cpus = [Cpu(1, lane, epoch) for lane in range(2)]
        now = 1_000_000
        said = [(at % 2, 0, f"round {at} at 0x{at * 77:x}") for at in range(20)] + list(ends)
        for lane, context, text in said:
            now += 5
            out += b"".join(cpus[lane].records(context, now, [encode.text(now, 2, text)]))
    return out[:len(out) - cut]


def braid(tmp_path: Path, data: bytes) -> Capture:
    (tmp_path / "x").write_bytes(data)
    return one_of(tmp_path / "x")


def test_braid(tmp_path: Path) -> None:
    hang = braid(tmp_path, wire((0, 0, "entering 5"), (1, 1, "NMI 0x77 taken")))
    assert (hang.outcome, hang.sureness) == (HANG, UNSURE)
    assert hang.signature == "NMI NMI N taken | entering N"
    again = braid(tmp_path, wire((1, 1, "NMI 0x1 taken"), (0, 0, "entering 99")))
    assert again.signature == hang.signature
    cut = braid(tmp_path, wire((1, 1, "NMI 0x77 taken"), (0, 0, "entering 5"), cut=1))
    assert cut.outcome == HANG and "[open frame]" in cut.signature
    waits = braid(tmp_path, wire((0, 0, "quiesce 7: waiting 200 ms for cpu1, took the NMI but did not park")))
    assert (waits.outcome, waits.sureness) == (HANG, SURE)
    over = braid(tmp_path, wire((0, 0, "guest powers off: 12 exits")))
    assert over.outcome == PASS
    reset = braid(tmp_path, wire((0, 0, "entering 5"), boots=2))
    assert (reset.outcome, reset.sureness) == (RESET, SURE) and "entering N" in reset.signature


def test_braid_panic(tmp_path: Path) -> None:
    """The first thing that a CPU said in its panic names it, whatever it said after."""
    panic = [(0, 3, "page fault (vector 14)"), (1, 3, "stopped for the panic of cpu0"), (0, 3, "at last")]
    one = braid(tmp_path, wire(*panic))
    assert (one.outcome, one.sureness) == (PANIC, SURE)
    assert one.signature == "panic page fault (vector N) | panic stopped for the panic of cpuN"


def test_braid_words() -> None:
    """Formats are exact; of the arguments, words count and numbers do not."""
    record = Record(2, 3, id=7, level=0, file="core/panic.c", function="join", format="stopped: phase %s, %u",
                    args=(b"park", 17))
    assert ending(record) == "panic panic.c:join: stopped: phase %s, %u [park]"


def test_braid_damaged(tmp_path: Path) -> None:
    data = wire(*[(0, 0, "entering")] * 40)
    lossy = bytes(byte for at, byte in enumerate(data) if at < 200 or at % 40)
    assert braid(tmp_path, lossy).outcome == DAMAGED
    assert braid(tmp_path, encode.banner(1, 2)).outcome == DAMAGED


@given(data=st.binary(max_size=600), kind=st.sampled_from([b"", b"pass\n7\n", b"CPU(0x00): up\n",
                                                          encode.banner(2, 4)]))
def test_never_raises(data: bytes, kind: bytes) -> None:
    """Any bytes are sorted."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        path.write_bytes(kind + data)
        assert one_of(path).signature
