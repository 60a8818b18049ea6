"""Boots, foreign text, captures that begin or end anywhere."""
from __future__ import annotations

import random
from typing import Optional, Type, TypeVar

import pytest

from decoder import Boot, Cut, Damage, Decoder, Dropped, Event, Foreign, Loss, Note, Record, line_of
from decoder.detect import detect
from decoder.elf import Finder
from decoder.render import collapse
from decoder.report import closing

from . import encode
from .encode import Cpu
from .machine import Machine

E = TypeVar("E", bound=Event)


def read(wire: bytes, size: int = 97, reader: Optional[Decoder] = None) -> list[Event]:
    reader = reader or Decoder(Finder([], patterns=()))
    events: list[Event] = []
    for i in range(0, len(wire), size):
        events += reader.feed(wire[i:i + size])
    return events + reader.finish()


def only(kind: Type[E], events: list[Event]) -> list[E]:
    return [e for e in events if isinstance(e, kind)]


def line(cpu: Cpu, time: int, message: str, context: int = 0) -> bytes:
    return b"".join(cpu.records(context, time, [encode.text(time, 2, message)]))


def test_firmware_before_the_banner_is_foreign_and_comes_at_once() -> None:
    reader = Decoder(Finder([], patterns=()))
    events = reader.feed(b"SeaBIOS (version 1.16)?\r\nBooting > from")
    assert [e.data for e in only(Foreign, events)] == [b"SeaBIOS (version 1.16)?\r\n"]
    events = reader.feed(b" disk\x1b[2J" + encode.banner(2, 4))
    assert [e.data for e in only(Foreign, events)] == [b"Booting > from disk\x1b[2J"]
    assert only(Boot, events)[0].fields["cpus"] == "4"
    assert reader.stats.foreign_bytes == 48


def test_a_silent_line_holds_nothing_back() -> None:
    reader = Decoder(Finder([], patterns=()))
    assert not reader.feed(b"\x1b[1;1H\xe2\x94\x8c menu")
    assert [e.data for e in only(Foreign, reader.idle())] == [b"\x1b[1;1H\xe2\x94\x8c menu"]
    events = reader.feed(encode.banner(2, 4) + line(Cpu(2, 0), 1000, "up") + b"SeaBIOS? 1.16") + reader.idle()
    assert [r.message for r in only(Record, events)] == ["up"]
    assert b"".join(e.data for e in only(Foreign, events)).startswith(b"SeaBIOS")


def test_a_reset_shows_cut_frames_and_firmware_in_order() -> None:
    first, hung = Cpu(2, 0), Cpu(2, 1)
    wire = encode.banner(2, 4) + line(first, 1000, "first boot") + line(hung, 1001, "one")
    wire += line(hung, 1002, "hangs here")[:-9]
    firmware = b"SeaBIOS? yes > no 0123\r\nGRUB?? loading.\r\n"
    wire += firmware + encode.banner(2, 4, epoch=2) + line(Cpu(2, 0, epoch=2), 50, "second boot")
    events = read(wire)
    assert [r.message for r in only(Record, events) if not r.cut] == ["first boot", "one", "second boot"]
    assert len(only(Boot, events)) == 2 and not only(Loss, events)
    assert [r.message for r in only(Record, events) if r.cut][0].startswith("hangs")
    foreign = b"".join(e.data for e in only(Foreign, events))
    missing = bytes(b for b in firmware if b not in foreign)
    assert not [b for b in missing if b >> 6 == 0 and b not in b"?"], "of the hung CPU's lane at most"


@pytest.mark.parametrize("t", range(6))
@pytest.mark.parametrize("skip", [0, 1, 7, 300])
def test_joined_half_way(t: int, skip: int) -> None:
    machine = Machine(t, seed=t)
    wire = (machine.run(96 >> t) + machine.syncs())[skip:]
    found = detect(wire)
    assert found is not None and found.t == t
    reader = Decoder(Finder([], patterns=()))
    events = read(wire, reader=reader)
    texts = [r.message for r in only(Record, events) if not r.cut]
    assert len(texts) > 0.8 * len(machine.sent.texts)
    assert set(texts) <= set(machine.sent.texts)
    assert reader.stats.boots == 0 and "t=" in only(Note, events)[0].text


def test_without_a_sync_the_tag_width_is_found_and_times_are_not() -> None:
    cpu = Cpu(2, 3)
    line(cpu, 1000, "not seen")
    wire = b"".join(line(cpu, 1000 + i, f"message {i}") for i in range(20))
    events = read(wire)
    assert [r.message for r in only(Record, events)] == [f"message {i}" for i in range(20)]
    assert all(r.lane == 3 and r.seconds is None for r in only(Record, events))


def test_noise_is_no_stream() -> None:
    noise = random.Random(1).randbytes(300_000)
    reader = Decoder(Finder([], patterns=()))
    events = read(noise, size=4096, reader=reader)
    assert reader.stats.frames == 0
    foreign = only(Foreign, events)
    assert b"".join(e.data for e in foreign) == noise
    assert len(list(collapse(foreign))) < len(foreign) / 5
    assert [line_of(e) for e in collapse(foreign[:1])] == [line_of(foreign[0])]


def test_cut_frame_shows_what_came() -> None:
    cpu = Cpu(0, 0)
    whole = encode.banner(0, 1) + line(cpu, 1000, "fine")
    tail = line(cpu, 1001, "the last words of a CPU")
    for size in range(1, len(tail)):
        events = read(whole + tail[:size])
        assert len(only(Cut, events)) == 1
        last = [r for r in only(Record, events) if r.cut]
        assert len(last) == (size >= 4)     # START, header, id, time: then the text begins
        if last:
            assert tail[5:].startswith(last[0].message.rstrip("\\").split("\\")[0].encode())
    assert "END is missing" in last[0].cut
    assert not only(Cut, read(whole + tail))


def test_losses_stand_where_they_happened() -> None:
    cpu = Cpu(2, 2)
    wire = encode.banner(2, 4) + line(cpu, 1000, "a")
    line(cpu, 1001, "lost")
    line(cpu, 1002, "lost too")
    wire += line(cpu, 1003, "b") + cpu.sync(0, 1010) + line(cpu, 1011, "c")
    cpu.dropped[1] = 7
    wire += cpu.sync(0, 1012)
    lines = [line_of(e) or "" for e in read(wire)]
    assert [text[26:] for text in lines if "cpu" in text and "boot" not in text] == [
        "I a", "-- cpu2 normal: 2 frames lost, sequence 2 to 3", "I b", "I c",
        "-- cpu2 NMI: 7 records left in the ring only: the wire was full"]
    record = next(r for r in read(wire) if isinstance(r, Record) and r.message == "b")
    assert record.uncertain and record.seq == 4


def test_sixteen_lost_frames_are_found_by_the_sync() -> None:
    cpu = Cpu(2, 0)
    wire = encode.banner(2, 4) + line(cpu, 1000, "a")
    for i in range(16):
        line(cpu, 1001 + i, "lost")
    wire += line(cpu, 1030, "b")
    assert not only(Loss, read(wire))
    losses = only(Loss, read(wire + cpu.sync(0, 1031)))
    assert [loss.count for loss in losses] == [16]


def test_a_restart_without_banner_is_noticed_by_its_epoch() -> None:
    wire = encode.banner(1, 2) + line(Cpu(1, 0), 5000, "a") + line(Cpu(1, 0, epoch=2), 10, "b")
    events = read(wire)
    assert not only(Loss, events)
    assert ["epoch 2 after 1" in boot.text for boot in only(Boot, events)] == [False, True]


def test_a_damaged_epoch_in_the_banner_is_no_restart() -> None:
    """Frames were lost before the SYNC that says so: the accounts from the banner on are kept."""
    first, second = Cpu(1, 0), Cpu(1, 1)
    line(second, 4000, "lost, with the SYNC before it")
    wire = encode.banner(1, 2, epoch=3) + line(second, 4500, "early") + line(first, 5000, "a")
    wire += line(first, 5001, "b") + second.sync(0, 5002, identity=True)
    events = read(wire + line(Cpu(1, 0, epoch=2), 10, "again"))
    assert "SYNC says epoch 1, not 3: the banner was damaged" in [note.text for note in only(Note, events)]
    assert ["epoch 2 after 1" in boot.text for boot in only(Boot, events)] == [False, True]
    assert sum(loss.count for loss in only(Loss, events)) == 2
    assert [r.message for r in only(Record, events)] == ["early", "a", "b", "again"]


def test_damaged_banner_still_resets_and_is_found_by_trying() -> None:
    machine = Machine(2, 5)
    wire = encode.banner(2, 4).replace(b" t=2", b" t\x7f2") + machine.run(20)
    events = read(wire)
    assert len(only(Boot, events)) == 1
    assert {r.message for r in only(Record, events)} == set(machine.sent.texts)


def test_another_format_is_refused_by_name() -> None:
    events = read(encode.banner(2, 4).replace(b"#BRAID 2", b"#BRAID 9") + Machine(2, 5).run(3))
    assert not only(Record, events) and "format 9" in only(Note, events)[0].text


def test_damage_is_counted_and_its_bytes_are_foreign() -> None:
    cpu = Cpu(2, 1)
    bad = bytearray(line(cpu, 1000, "x"))
    second = bad.index(0x7F, 1)     # the record's START, behind the SYNC
    bad[second + 4] ^= 1
    reader = Decoder(Finder([], patterns=()))
    events = read(encode.banner(2, 4) + bytes(bad), reader=reader)
    assert [d.why for d in only(Damage, events)] == ["CRC does not fit"]
    assert b"".join(e.data for e in only(Foreign, events)) == bytes(bad[second:])
    assert not only(Dropped, events) and reader.stats.foreign_bytes == len(bad) - second


def test_a_stream_of_which_nothing_can_be_read_is_not_clean() -> None:
    """Without a START or END that arrived, no frame is lost and none is damaged: the bytes must tell."""
    reader = Decoder(Finder([], patterns=()))
    starved = bytes(byte for byte in line(Cpu(2, 2), 1000, "nobody will read this") if byte & 63 < 32)
    read(b"SeaBIOS\r\n" + encode.banner(2, 4) + starved * 9, reader=reader)
    assert reader.stats.frames == reader.stats.frames_lost == reader.stats.total().damaged == 0
    assert len(starved) < reader.stats.stray_bytes <= reader.stats.foreign_bytes
    assert f"({reader.stats.stray_bytes} no text)" in closing(reader.stats)


@pytest.mark.parametrize("noise, named", [(0, True), (0, False), (70_000, True)])
def test_what_is_found_half_way_does_not_hang_on_the_pieces(noise: int, named: bool) -> None:
    """So long that some of it is let go before a SYNC names the build, or before the stream begins."""
    cpus = [Cpu(2, lane, named=True) for lane in range(4)]
    wire = b"GRUB loading?\r\n\r\n" + random.Random(1).randbytes(noise)
    for i in range(700):
        wire += b"".join(line(cpu, 1_000_000 + i * 50, f"message {i} of CPU {cpu.lane}") for cpu in cpus)
    if named:
        wire += b"".join(cpu.sync(0, 1_100_000, identity=True) for cpu in cpus)
    readers = [Decoder(Finder([], patterns=())) for _ in range(4)]
    results = [[e for e in read(wire, size, reader) if not isinstance(e, Foreign)]
               for size, reader in zip((33, 4099, 1 << 16, 1 << 20), readers)]
    assert len(only(Record, results[0])) > 2000
    assert all(sorted(map(repr, one)) == sorted(map(repr, results[0])) for one in results)
    assert all(reader.stats == readers[0].stats for reader in readers)
