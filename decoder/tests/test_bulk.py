"""The quick path shows what the careful path shows, on clean and on damaged streams, and leaves the same
state behind.
"""
from __future__ import annotations

import io
import random
from typing import Optional

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoder import Block, Damage, Decoder, Dropped, Event, Foreign, Loss, Sync, line_of
from decoder.formats import Site
from decoder.output import TextOutput
from decoder.records import varint
from decoder.symbols import unpack as unpack_one
from decoder.vector import Unclean, check_crcs, every_varint, unpack, varints

from . import encode
from .machine import Machine
from .stream import AnyBuild, Stream
from .test_faults import spoil

TYPES = {"d": 1, "u": 2, "ld": 3, "lx": 4, "p": 5, "s": 6, "c": 7}
FORMATS = ["plain", "%d of %u", "%ld %lx", "%p and %s", "%c|%5d|%-8s|", "%#lx %08lx %%", "%pS", "%s%s%s",
           "%u %d %u %d %u %d %u %d %u %d", "%hhu %hd", "odd \x01 text %d", "%*d", "trailing %d\n", "Δ%u"]
KINDS = ["", "12", "34", "56", "716", "44", "5", "666", "2121212121", "21", "1", "11", "1", "2"]
SITES = [Site(format, "f.c", "" if i == 3 else f"fun%{i}", i, i % 5, bytes(map(int, kinds)))
         for i, (format, kinds) in enumerate(zip(FORMATS, KINDS))]
SITES.append(Site("types do not fit %s %d", "f.c", "g", 1, 2, bytes([1, 6])))
SITES.append(Site("too few %d %d", "f.c", "g", 1, 2, bytes([1])))
SITES.append(Site("too many", "f.c", "g", 1, 2, bytes([1, 6])))


def lookup(ident: int) -> Optional[Site]:
    """Each third id has no site, as with an ELF that lacks it."""
    number = ident // 3 * 2 + ident % 3
    return SITES[number] if ident % 3 < 2 and number < len(SITES) else None


def read(wire: bytes, blocks: bool, size: int) -> tuple[Decoder, list[Event], str]:
    reader = Decoder(AnyBuild(lookup), blocks)
    events: list[Event] = []
    stream = io.StringIO()
    output = TextOutput(stream, None)
    for i in range(0, len(wire), size):
        new = reader.feed(wire[i:i + size])
        output.write(new)
        events += new
    events += reader.finish()
    output.write(reader.finish())
    return reader, events, stream.getvalue()


def compare(wire: bytes, size: int) -> list[Event]:
    """Each lane's lines, the foreign bytes, statistics and state; returns the quick path's events."""
    careful, slow, _ = read(wire, False, size)
    quick, fast, _ = read(wire, True, size)
    lines: list[list[str]] = [[], []]
    for out, events in zip(lines, (slow, fast)):
        for event in events:
            if isinstance(event, Block):
                out += event.text.split("\n")[:-1]
            elif not isinstance(event, (Foreign, Sync)):
                out.append(line_of(event) or "")
    for lane in range(32):
        mine = [[line for line in one if f" cpu{lane:<2} " in line] for one in lines]
        assert mine[0] == mine[1]
    assert sorted(lines[0]) == sorted(lines[1])
    foreign = [b"".join(e.data for e in events if isinstance(e, Foreign)) for events in (slow, fast)]
    assert sorted(foreign[0]) == sorted(foreign[1])
    assert careful.stats == quick.stats
    return fast


@pytest.mark.parametrize("t, batches", [(0, True), (1, False), (2, False), (2, True), (3, True), (5, False)])
def test_clean_streams(t: int, batches: bool) -> None:
    wire = encode.banner(t, 1 << t) + Stream(t, lookup, t, batches).wire(4000)
    _, _, slow = read(wire, False, 1 << 20)
    reader, events, fast = read(wire, True, 1 << 20)
    assert fast == slow, "to the byte, and in the same order"
    blocks = [event for event in events if isinstance(event, Block)]
    assert sum(block.count for block in blocks) > 0.4 * reader.stats.lines
    assert reader.stats.lines == 4000 or batches
    compare(wire[:60_000], 30_000)


@pytest.mark.parametrize("t, rate", [(0, 0.00003), (2, 0.00003), (2, 0.001), (4, 0.0003)])
def test_damaged_streams(t: int, rate: float) -> None:
    stream = Stream(t, lookup, t, True)
    head = encode.banner(t, 1 << t) + stream.wire(200)
    body, faults = spoil(stream.wire(2000), random.Random(t), rate)
    events = compare(head + body + stream.wire(3000), 1 << 20)
    assert faults and ([event for event in events if isinstance(event, Block)] or rate > 0.0001)


@settings(max_examples=20)
@given(st.integers(0, 5), st.integers(0, 99), st.integers(9_000, 40_000), st.booleans())
def test_any_stream_in_any_pieces(t: int, seed: int, size: int, damaged: bool) -> None:
    """Nested contexts, machine checks, panics, a second boot."""
    machine = Machine(t, seed)
    wire = b"GRUB loading.\r\n" + encode.banner(t, 1 << t)
    wire += machine.run(max(1, 640 >> t))
    if damaged:
        wire = spoil(wire, random.Random(seed), 0.0005)[0]
    compare(wire + b"SeaBIOS\r\n" + encode.banner(t, 1 << t, epoch=2) + Machine(t, seed).run(4), size)


@pytest.fixture(scope="module")
def frames() -> list[bytes]:
    """Of one CPU, long enough for the quick path; each is a record, some with a SYNC before it."""
    stream = Stream(0, lookup, 4)
    return [encode.banner(0, 1)] + [stream.wire(1, nmis=0.0) for _ in range(4500)]


@pytest.mark.parametrize("lost", [1, 2, 16, 32])
def test_lost_frames_are_left_to_the_careful_path(frames: list[bytes], lost: int) -> None:
    """16 or 32 are seen by a SYNC's counters alone."""
    events = compare(b"".join(frames[:4000] + frames[4000 + lost:]), 1 << 20)
    assert sum(e.count for e in events if isinstance(e, Loss)) >= lost


def test_dropped_records_and_repeated_frames_are_left_to_the_careful_path(frames: list[bytes]) -> None:
    compare(b"".join(frames[:4000] + frames[3999:]), 1 << 20)
    stream = Stream(0, lookup, 5)
    wire = encode.banner(0, 1) + stream.wire(4000)
    stream.cpus[0].dropped[1] = 3
    events = compare(wire + stream.wire(1000), 1 << 20)
    assert [e.count for e in events if isinstance(e, Dropped)] == [3]


@pytest.mark.parametrize("bit", range(6))
def test_a_wrong_bit_never_passes(frames: list[bytes], bit: int) -> None:
    """It leaves the frames' order as it was: only the CRC, or the padding, can tell."""
    wire = bytearray(b"".join(frames))
    place = next(i for i in range(len(wire) - 9_000 - 100 * bit, len(wire))
                 if max(wire[i], wire[i] ^ 1 << bit) < 0xFC and max(wire[i - 1:i + 2]) < 0xFC)
    wire[place] ^= 1 << bit
    events = compare(bytes(wire), 1 << 20)
    assert [e for e in events if isinstance(e, Damage)]


@given(st.integers(3, 8), st.lists(st.binary(min_size=3, max_size=160), min_size=1, max_size=30), st.data())
def test_many_frames_unpack_as_each_does(p: int, frames: list[bytes], data: st.DataObject) -> None:
    packed = [encode.symbols(frame, p) for frame in frames]
    if data.draw(st.booleans()):
        packed[-1][-1] = data.draw(st.integers(0, (1 << p) - 3))
    end = [(1 << p) - 2]
    symbols = np.array([s for one in packed for s in one + end], dtype=np.uint8)
    expected = [unpack_one(bytes(one), p) for one in packed]
    counts = np.array([len(one) + 1 for one in packed])
    if None in expected:
        with pytest.raises(Unclean):
            unpack(symbols, counts, p)
        return
    out, begin, size = unpack(symbols, counts, p)
    assert [out[i:i + n].tobytes() for i, n in zip(begin, size)] == expected


@given(st.lists(st.tuples(st.integers(0, 31), st.binary(min_size=1, max_size=158)), min_size=1, max_size=20),
       st.integers(0, 1 << 20))
def test_crcs(frames: list[tuple[int, bytes]], at: int) -> None:
    whole = [data + encode.crc(bytes([lane]) + data).to_bytes(2, "big") for lane, data in frames]
    data = np.frombuffer(b"".join(whole) + bytes(16), dtype=np.uint8).copy()
    size = np.array([len(one) for one in whole])
    begin, lanes = np.cumsum(size) - size, np.array([lane for lane, _ in frames])
    check_crcs(data, begin, size, lanes)
    data[at % (len(data) - 16)] ^= 1 << at % 8
    with pytest.raises(Unclean):
        check_crcs(data, begin, size, lanes)


@given(st.lists(st.integers(0, (1 << 64) - 1) | st.integers(0, 300), min_size=1, max_size=40))
def test_varints(values: list[int]) -> None:
    parts = [encode.varint(value) for value in values]
    data = np.frombuffer(b"".join(parts) + bytes(16), dtype=np.uint8)
    ends = np.cumsum([len(part) for part in parts])
    out, behind = varints(data, ends - [len(part) for part in parts])
    assert out.tolist() == values and behind.tolist() == ends.tolist()
    every, behind = every_varint(data)
    assert [(every[i], behind[i]) for i in range(len(data) - 16)] == [
        varint(data.tobytes(), i) for i in range(len(data) - 16)]
    endless = np.array([0x80] * 11 + [0] * 16, dtype=np.uint8)
    assert every_varint(endless)[1][:3].tolist() == [len(endless) - 1, len(endless) - 1, 12]
    with pytest.raises(Unclean):
        varints(np.full(32, 0x80, dtype=np.uint8), np.array([0]))
