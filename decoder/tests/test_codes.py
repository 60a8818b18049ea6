"""The readers of foreign captures: the two codes, and the older system's plain text."""
from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Callable, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.codes import BRAID, NIBBLE, TEXT, TRIPLE, nibble, plain, recognise, triple
from decoder.codes.reader import Reader
from decoder.commands import main
from decoder.events import Event, Foreign, Record

from . import encode, older
from .older import Older

Code = Union[nibble.Nibble, triple.Triple]
CODES: dict[str, tuple[Callable[[bytes, int], bytes], type[Code]]] = {
    NIBBLE: (nibble.encode, nibble.Nibble), TRIPLE: (triple.encode, triple.Triple)}
LINES = [f"cpu {at % 4} says line {at} of many, {at * 7919:#x}" for at in range(400)]


def braided(kind: str, seed: int = 1) -> bytes:
    """LINES, line n by CPU n % 4; the bytes of the four CPUs meet at random."""
    encoder, _ = CODES[kind]
    streams = [b"".join(encoder(line.encode() + b"\n", cpu) for line in LINES[cpu::4]) for cpu in range(4)]
    rng = random.Random(seed)
    out, at = bytearray(), [0] * 4
    while left := [cpu for cpu in range(4) if at[cpu] < len(streams[cpu])]:
        cpu = rng.choice(left)
        run = rng.randrange(1, 9)
        out += streams[cpu][at[cpu]:at[cpu] + run]
        at[cpu] += run
    return bytes(out)


def read(kind: str, data: bytes, size: int = 1000) -> list[Event]:
    reader = Reader(kind)
    out: list[Event] = []
    for at in range(0, len(data), size):
        out += reader.feed(data[at:at + size])
    return out + reader.finish()


@pytest.mark.parametrize("symbols", [(b"A", 1, NIBBLE, b"\x14\x11"), (b"~", 3, NIBBLE, b"\x37\x3e"),
                                     (b"A", 1, TRIPLE, b"ZQR"), (b"\xff", 3, TRIPLE, b"733")])
def test_symbols(symbols: tuple[bytes, int, str, bytes]) -> None:
    """As the descriptions say, by hand: 'A' is 0x41; 001 000 001 behind cpu and first."""
    text, cpu, kind, wire = symbols
    encoder, decoder = CODES[kind]
    assert encoder(text, cpu) == wire
    assert decoder().feed(wire) == [(cpu, text[0])]


@pytest.mark.parametrize("kind", CODES)
def test_unbraids(kind: str) -> None:
    data = braided(kind)
    assert recognise(data) == kind
    for size in (1, 7, 1 << 16):
        records = [one for one in read(kind, data, size) if isinstance(one, Record)]
        assert {cpu: [one.message for one in records if one.lane == cpu] for cpu in range(4)} == {
            cpu: LINES[cpu::4] for cpu in range(4)}
        assert not any(one.cut for one in records)


@pytest.mark.parametrize("kind", CODES)
def test_lost_bytes_are_marked(kind: str) -> None:
    """A lost byte harms lines of its own CPU only; the decoder finds back, and says which lines it harmed.
    """
    data = braided(kind)
    lost = set(range(500, len(data), 2000))
    records = [one for one in read(kind, bytes(byte for at, byte in enumerate(data) if at not in lost))
               if isinstance(one, Record)]
    right = [one for one in records if one.message in LINES]
    assert all(LINES.index(one.message) % 4 == one.lane for one in right)
    assert len(LINES) - 2 * len(lost) <= len(right) < len(LINES)
    assert all(one.cut for one in records if one.message not in LINES)


@pytest.mark.parametrize("kind", [NIBBLE, TRIPLE, TEXT])
@given(data=st.binary(max_size=400))
def test_never_raises(kind: str, data: bytes) -> None:
    recognise(data)
    read(kind, data, 13)


def test_recognises() -> None:
    assert recognise(Older(1).capture(older.PASS, 2)) == TEXT
    assert recognise(b"firmware\n" + encode.banner(1, 2) + bytes(range(256))) == BRAID
    assert recognise(random.Random(1).randbytes(4000)) is None
    assert recognise(b"") is None


@pytest.mark.parametrize("text, cpu", [
    ("CPU(0x03): VMPTRLD success.", 3), ("CPU(02): nested page fault!", 2), ("CPU #1: bsp=0", 1),
    ("AP(0x02): up", 2), ("BSP(0x00): Rallying APs...", 0), ("CPU(0x00, BSP): initializing", 0),
    ("xmhf_runtime_main[03]: starting", 3), ("cpu 2 setting root pm", -1), ("destination CPU #0x01 has", -1),
    ("APs should be awake!", -1)])
def test_cpu_of(text: str, cpu: int) -> None:
    assert plain.cpu_of(text) == cpu


def test_plain_lines() -> None:
    """Call sites, levels, CPUs; a line that another broke into; what names nothing is foreign."""
    data = (b"Sending SIPI...Found in tableTV[3]:scode.c:hpt_npf:1190:   CPU(01): fault\n"
            b"TV[0]:a/b.c:f:7: go\r\n\nbooting\nTV[2]:x.c:g:1: cut he")
    events = [one for one in read(TEXT, data) if isinstance(one, (Record, Foreign))]
    shown = [(one.lane, one.level, one.file, one.function, one.line, one.message, bool(one.cut))
             if isinstance(one, Record) else one.data for one in events]
    assert shown == [
        b"Sending SIPI...Found in table\n", (1, 0, "scode.c", "hpt_npf", 1190, "CPU(01): fault", False),
        (-1, 4, "a/b.c", "f", 7, "go", False), b"booting\n", (-1, 1, "x.c", "g", 1, "cut he", True)]


@pytest.mark.parametrize("kind", CODES)
def test_views(tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str) -> None:
    """The commands of Braid's captures serve foreign ones: merged, split, JSON lines."""
    path = tmp_path / "capture"
    path.write_bytes(braided(kind))
    assert main([str(path)]) == 0
    told = capsys.readouterr()
    assert sorted(line.split(" I ")[1] for line in told.out.splitlines()[1:]) == sorted(LINES)
    assert "400 lines that are not Braid's" in told.err
    assert main(["--json", str(path)]) == 0
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["message"] for one in events if one["type"] == "record" and one["cpu"] == 2] == LINES[2::4]
    assert main(["--split", str(tmp_path / "out"), str(path)]) == 0
    assert len((tmp_path / "out" / "cpu3.txt").read_text().splitlines()) in (100, 101)


def test_view_of_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "capture"
    path.write_bytes(Older(1).capture(older.RUN_ERROR, 2))
    assert main([str(path), "--cpu", "3"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if " -- " not in line]
    assert lines and all(line.split()[1] == "cpu3" for line in lines)
