"""Rings out of dumps: what is whole is shown, what is not is said and counted, nothing raises."""
from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path
from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder import Record
from decoder.postmortem import main
from decoder.postmortem.area import Area, find
from decoder.postmortem.boots import History, history
from decoder.postmortem.memory import Dump

from . import rings
from .encode import BUILD
from .rings import AT, Boot
from .test_elf import elf, make_elf                                                 # noqa: F401

Key = tuple[int, int, int]      # CPU, context, number
CLOSE = "decoder: "


class Bytes:
    """Memory in a string."""

    def __init__(self, data: bytes, base: int = 0) -> None:
        self.data = data
        self.base = base

    def read(self, address: int, size: int) -> bytes:
        at = address - self.base
        return self.data[at:at + size] if at >= 0 else b""

    def find(self, magic: bytes, align: int) -> list[int]:
        return [at for at in range(0, len(self.data), align) if self.data.startswith(magic, at)]


def two_boots() -> list[Boot]:
    """The boot before with rings that went round, the latest with few records; all texts unique."""
    old, new = Boot(7), Boot(8)
    tsc = 1_000_000
    for boot, count in ((old, 30), (new, 5)):
        for n in range(count):
            for cpu in range(3):
                tsc += 1000
                context = 1 if n % 5 == 4 else 0
                text = b"\3" + f"boot {boot.epoch} cpu {cpu} line {n}".encode()
                boot.ring(cpu, context).write(tsc, text, wire=n % 3 != 0)
    return [old, new]


def memory(boots: Optional[list[Boot]] = None) -> bytearray:
    return rings.area(boots or two_boots(), 1)


def whole(data: bytes) -> dict[tuple[int, Key], tuple[object, ...]]:
    """All records that are shown as whole, by bank and place."""
    area = find(Bytes(data))
    return records_of(data, area) if area is not None else {}


def records_of(data: bytes, area: Area) -> dict[tuple[int, Key], tuple[object, ...]]:
    out: dict[tuple[int, Key], tuple[object, ...]] = {}
    for bank in area.boots:
        for event in history(Bytes(data), area, bank).events:
            if isinstance(event, Record) and not event.cut:
                key = (area.banks.index(bank), (event.lane, event.context, event.seq))
                out[key] = (event.ticks, event.id, event.level, event.message)
    return out


def read_all(data: bytes) -> tuple[History, History]:
    area = find(Bytes(data))
    assert area is not None and area.sound
    old, new = [history(Bytes(data), area, bank) for bank in area.boots]
    return old, new


def messages(boot: History) -> list[str]:
    return [event.message for event in boot.events if isinstance(event, Record)]


def test_both_boots_sorted_by_time() -> None:
    old, new = read_all(memory())
    assert (old.bank.epoch, new.bank.epoch) == (7, 8)
    for boot, kept in ((old, 3 * (8 + 4)), (new, 3 * 5)):
        times = [event.seconds for event in boot.events if isinstance(event, Record)]
        assert times == sorted(t for t in times if t is not None) and len(times) == kept == boot.count.records
        assert (boot.count.torn, boot.count.damaged, boot.count.missing) == (0, 0, 0)
    assert messages(new) == [f"boot 8 cpu {cpu} line {n}" for n in range(5) for cpu in range(3)]
    first = next(event for event in new.events if isinstance(event, Record))
    assert (first.lane, first.context, first.seq, first.level, first.seconds) == (0, 0, 1, 2, 0.001091)
    lines = [n for n in range(30) if n % 5 != 4][-8:]           # a ring keeps the newest ones
    assert [m for m in messages(old) if " cpu 1 " in m and int(m.split()[-1]) % 5 != 4] == [
        f"boot 7 cpu 1 line {n}" for n in lines]


def test_a_slot_that_was_being_written_is_shown_as_torn() -> None:
    data = memory()
    before = whole(data)
    at = rings.slot_at(0, 2, 0, (24 + 1) % 8)       # the slot of the record after the 24th
    data[at:at + 8] = bytes(8)
    data[at + 24:at + 30] = b"\3half "
    old, _ = read_all(data)
    torn = [event for event in old.events if isinstance(event, Record) and event.cut]
    assert len(torn) == old.count.torn == 1 and old.count.records == 35 and old.count.damaged == 0
    assert (torn[0].lane, torn[0].context, torn[0].seq, torn[0].seconds) == (2, 0, 25, None)
    assert torn[0].message.startswith("#0 03 68 61 6c 66") and "of two records" in torn[0].cut
    assert whole(data) == {key: v for key, v in before.items() if key != (0, (2, 0, 17))}


def test_the_first_record_may_be_torn_too() -> None:
    boots = [Boot(1), Boot(2)]
    data = memory(boots)
    at = rings.slot_at(1, 0, 3, 1)
    data[at + 24:at + 27] = b"\0hi"
    old, new = read_all(data)
    assert (new.count.torn, new.count.records, new.count.damaged) == (1, 0, 0)
    assert (old.count.torn, old.count.records, old.count.damaged) == (0, 0, 0)
    far = rings.slot_at(1, 0, 0, 5)                 # not the next slot: nobody was writing there
    data[far + 24] = 1
    assert read_all(data)[1].count.damaged == 1


def test_half_overwritten_rings() -> None:
    """Junk over a part of the old bank, from within a slot to within another."""
    before = whole(memory())
    for seed in range(20):
        chance = random.Random(seed)
        data = memory()
        bank = range(rings.slot_at(0, 0, 0, 0), rings.slot_at(1, 0, 0, 0))
        start, end = sorted(chance.choice(bank) for _ in "ab")
        data[start:end] = chance.randbytes(end - start)
        after = whole(data)
        edges = {start // 128, end // 128}          # a slot that is half junk may keep its head: see README
        touched = range(start // 128, (end + 127) // 128)
        for (which, (cpu, context, number)), value in after.items():
            slot = rings.slot_at(which, cpu, context, number % rings.SLOTS[context]) // 128
            assert slot not in touched or slot in edges
            assert value == before[which, (cpu, context, number)] or slot in edges
        assert {k for k in before if k[0] == 1} <= after.keys()
        old, _ = read_all(data)
        assert old.count.records + old.count.damaged + old.count.torn >= 36


@given(st.data())
def test_one_wrong_byte(data: st.DataObject) -> None:
    """It never raises, moves no record, and changes none but that in its own slot, for which a neighbour may
    be doubted, too; a wrong number or serial is always noticed.
    """
    image = memory()
    before = whole(image)
    low, high = (0, 144) if data.draw(st.booleans()) else (rings.PAGE, len(image))
    at = data.draw(st.integers(low, high - 1))
    image[at] ^= data.draw(st.integers(1, 255))
    area = find(Bytes(image))
    if at < rings.PAGE:
        assert area is None or not area.sound
        assert area is None or set(records_of(image, area).items()) <= set(before.items())
        return
    after = whole(image)
    index, byte = divmod(at - rings.PAGE, rings.SLOT)
    changed = [key for key in before.keys() | after.keys() if before.get(key) != after.get(key)]
    for bank, (cpu, context, number) in changed:
        key = (bank, (cpu, context, number))
        hit = rings.slot_at(bank, cpu, context, number % rings.SLOTS[context]) == index * 128 + rings.PAGE
        assert key in before and (key not in after or hit and not (byte < 8 or 16 <= byte < 20))
    assert len(changed) <= 2


@given(st.binary(max_size=600), st.integers(0, 2**32))
def test_anything_behind_a_sound_header(junk: bytes, seed: int) -> None:
    data = memory()
    data[rings.PAGE:] = random.Random(seed).randbytes(len(data) - rings.PAGE)
    data[rings.PAGE:rings.PAGE + len(junk)] = junk
    old, new = read_all(data[:rings.PAGE + random.Random(seed).randrange(len(data))])
    assert old.count.records + new.count.records < 8


def test_a_damaged_header_serves_if_its_geometry_agrees() -> None:
    data = memory()
    data[48] ^= 1                                   # the TSC's rate
    area = find(Bytes(data))
    assert area is not None and not area.sound and len(whole(data)) == 51
    data[12] ^= 1                                   # max_cpus
    assert find(Bytes(data)) is None


def test_the_header_is_found_at_any_page_and_a_sound_one_first() -> None:
    decoy = memory()
    decoy[48] ^= 1
    image = bytes(decoy).ljust(5 * 4096, b"\0") + bytes(memory())
    area = find(Bytes(image.ljust(1 << 16, b"\0")))
    assert area is not None and area.sound and area.address == 5 * 4096
    assert len(whole(image)) == 51


# Dumps and the command line

def write(path: Path, data: bytes, at: int = AT) -> Path:
    with path.open("wb") as stream:
        stream.seek(at)
        stream.write(data)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    return status, out, err


def test_raw_images_and_cores_say_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytes(memory())
    raw = write(tmp_path / "vm.ram", data)
    part = write(tmp_path / "part.ram", data, 0)
    core = write(tmp_path / "vm.core", rings.core([(0, b"low"), (AT, data), (1 << 32, b"high")]), 0)
    status, out, err = run(capsys, raw)
    assert status == 0 and "-- boot: epoch 7 (the boot before), 3 CPUs" in out and BUILD.hex() in out
    assert err.endswith("rings at 0x8000000: epoch 7: 36 records; epoch 8: 15 records\n")
    assert out.count("cpu1 ") == 17 and out.index("boot 7 cpu 0") < out.index("boot 8 cpu 0")
    assert run(capsys, part, "--base", hex(AT))[1] == out
    assert run(capsys, core)[:2] == (0, out)
    assert run(capsys, "--split", tmp_path / "traces", core)[0] == 0
    assert (tmp_path / "traces" / "cpu2.txt").read_text().count(" cpu 2 ") == 17


def test_a_core_cut_short_shows_what_it_holds(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    core = rings.core([(AT, bytes(memory()))])
    cut = write(tmp_path / "cut.core", core[:-rings.SLOT * 20], 0)
    status, out, err = run(capsys, cut)
    assert status == 0 and "ELF core, cut short" in err and "20 slots not in the dump" in err
    assert "cpu2 normal: 8 slots (0 to 7) not in the dump" in out


@pytest.mark.parametrize("content, why", [
    (b"", "is empty"),
    (b"x" * 10000, "no rings in this raw image (0x0 to 0x2710)"),
    (rings.core([(0, b"x" * 10000)]), "no rings in this ELF core (0x0 to 0x2710)"),
    (rings.core([]), "holds no memory"),
    (b"KDUMP   " + bytes(99), "kdump-compressed"),
    (b"\x1f\x8b" + bytes(99), "gzip"),
    (rings.core([])[:16] + b"\2" + rings.core([])[17:], "is an ELF program"),
])
def test_what_is_no_dump_gets_one_line(content: bytes, why: str, tmp_path: Path,
                                       capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, write(tmp_path / "dump", content, 0))
    assert status == 2 and out == "" and err.startswith(CLOSE) and err.count("\n") == 1 and why in err


def test_no_such_dump(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(capsys, tmp_path / "absent")
    assert status == 2 and "No such file" in err and err.count("\n") == 1


def test_a_base_that_is_no_address(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("abc", "-1"):
        with pytest.raises(SystemExit):
            main([str(tmp_path), f"--base={text}"])
        assert f"'{text}': give an address" in capsys.readouterr().err


def with_sites(build: bytes, other: bytes) -> bytes:
    old, new = Boot(3, build=other), Boot(4, build=build)
    for boot in (old, new):
        boot.ring(0).write(5_000_000 * boot.epoch, b"\5\6pal", ident=1, level=1)
        boot.ring(0).write(5_000_001 * boot.epoch, b"", ident=2, level=4, wire=False)
    return bytes(rings.area([new, old], 0))


def test_elfs_are_matched_by_build_id(elf: Path, tmp_path: Path,                     # noqa: F811
                                      capsys: pytest.CaptureFixture[str]) -> None:
    later = make_elf(tmp_path / "later.elf", b"\xee" * 20)
    dump = write(tmp_path / "vm.ram", with_sites(BUILD, b"\xee" * 20))
    status, out, _ = run(capsys, "--elf", later, "--elf", elf, dump)
    assert status == 0 and out.count("scode_register: zeroing section -3 of pal") == 2 and "#" not in out
    assert out.index("epoch 3 (the boot before)") < out.index("epoch 4 (this boot)")
    status, out, _ = run(capsys, "--elf", elf, dump)
    assert status == 0 and out.count("zeroing section -3 of pal") == 1 and "#1 05 06 70 61 6c" in out
    assert "braid.elf has build-id" in out


def test_an_elf_of_neither_build_is_refused_by_name(tmp_path: Path,
                                                    capsys: pytest.CaptureFixture[str]) -> None:
    wrong = make_elf(tmp_path / "wrong.elf", b"\xaa" * 20)
    dump = write(tmp_path / "vm.ram", with_sites(BUILD, BUILD))
    status, out, err = run(capsys, "--elf", wrong, dump)
    assert (status, out) == (2, "") and "wrong.elf has build-id aaaa" in err and BUILD.hex() in err


def test_large_dumps_cost_no_memory(tmp_path: Path) -> None:
    dump = write(tmp_path / "vm.ram", bytes(memory()), (3 << 28) + 4096)
    command = [sys.executable, "-m", "decoder", "postmortem", str(dump)]
    script = "import resource, subprocess, sys; " \
             "ended = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL); " \
             "print(ended.returncode, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    ended = subprocess.run([sys.executable, "-c", script, *command], capture_output=True, text=True,
                           check=True, cwd=Path(__file__).resolve().parents[2])
    status, kib = map(int, ended.stdout.split())
    assert status == 0 and kib < 200 << 10, ended.stderr


def test_dump_reads_across_pieces(tmp_path: Path) -> None:
    dump = Dump(str(write(tmp_path / "c", rings.core([(100, b"abc"), (103, b"def"), (200, b"x")]), 0)))
    assert dump.read(101, 10) == b"bcdef" and dump.read(50, 4) == b"" and dump.read(200, 9) == b"x"


def test_a_record_that_disagrees_with_its_neighbours_is_shown_as_damaged() -> None:
    data = memory()
    at = rings.slot_at(1, 1, 0, 2)
    data[at + 15] = 1                               # a TSC of years
    _, new = read_all(data)
    odd = [event for event in new.events if isinstance(event, Record) and event.cut]
    assert [(e.lane, e.seq, e.uncertain) for e in odd] == [(1, 2, True)] and new.count.damaged == 1
    assert "damaged" in odd[0].cut and odd[0].message == "boot 8 cpu 1 line 1"
    assert new.count.records == 14
