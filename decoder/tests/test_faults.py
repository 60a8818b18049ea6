"""Never lies: whatever a line does to the bytes, no record is shown that was not sent, none on another
CPU, and losses are exact.
"""
from __future__ import annotations

import random
from collections import Counter
from typing import Union

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from decoder import Decoder, Event, Loss, Record, session
from decoder.elf import Finder
from decoder.frames import Frame, check

from . import encode
from .machine import Machine


def decoder() -> Decoder:
    return Decoder(Finder([], patterns=()))


@given(st.integers(0, 5), st.integers(0, 2**32))
def test_clean_streams_are_read_whole(t: int, seed: int) -> None:
    machine = Machine(t, seed)
    reader = decoder()
    events = reader.feed(encode.banner(t, 1 << t))
    events += reader.feed(machine.run(max(1, 40 >> t)))
    events += reader.feed(machine.syncs()) + reader.finish()
    texts = {e.message: (e.lane, e.context) for e in events if isinstance(e, Record)}
    assert texts == machine.sent.texts
    total = reader.stats.total()
    assert (total.frames_lost, total.damaged, total.cut, total.repeated) == (0, 0, 0, 0)
    assert reader.stats.foreign_bytes == 0
    assert total.lines == len(machine.sent.texts)
    assert total.wire_bytes == len(machine.sent.wire)


def spoil(wire: bytes, chance: random.Random, rate: float) -> tuple[bytes, int]:
    """Deletes, garbles and doubles bytes; returns how many faults it made."""
    out = bytearray()
    faults = 0
    for byte in wire:
        if chance.random() >= rate:
            out.append(byte)
            continue
        faults += 1
        kind = chance.randrange(4)
        if kind == 1:
            out.append(byte ^ 1 << chance.randrange(8))
        elif kind == 2:
            out += bytes([byte, byte])
        elif kind == 3:
            out += bytes([byte, chance.randrange(256)])
    return bytes(out), faults


@pytest.mark.parametrize("t", range(6))
def test_faults_lose_little_and_forge_nothing(t: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """About 300 faults for each t. What is told as lost is what the writer of each context began and what did
    not come.
    """
    came: Counter[tuple[int, int]] = Counter()

    def counting(lane: int, symbols: bytes, p: int) -> Union[Frame, str]:
        frame = check(lane, symbols, p)
        if isinstance(frame, Frame):
            came[frame.lane, frame.context] += 1
        return frame

    monkeypatch.setattr(session, "check", counting)
    faults = lost = 0
    for seed in range(6):
        machine = Machine(t, seed)
        machine.run(1)                  # each lane's first SYNC comes through
        head = machine.sent.wire
        body, new = spoil(machine.run(640 >> t), random.Random(seed), 0.002)
        faults += new
        tail = machine.syncs()
        reader = decoder()
        events = []
        wire = encode.banner(t, 1 << t) + head + body + tail
        wire += b"".join(cpu.sync(0, machine.now) for cpu in machine.cpus)
        for i in range(0, len(wire), 1000):
            events += reader.feed(wire[i:i + 1000])
        events += reader.finish()
        for event in events:
            if isinstance(event, Record) and not event.cut:
                assert machine.sent.texts.get(event.message) == (event.lane, event.context)
        assert reader.stats.total().repeated == 0
        for cpu in machine.cpus:        # a whole SYNC ends each lane, so all of its counts are exact
            losses = [e for e in events if isinstance(e, Loss) and e.lane == cpu.lane]
            told = [sum(e.count for e in losses if e.context == c) for c in range(4)]
            assert told == reader.stats.lane(cpu.lane).lost
            assert told == [begun - came[cpu.lane, c] for c, begun in enumerate(cpu.frames)]
        came.clear()
        lost += reader.stats.frames_lost
    assert faults > 100
    assert lost <= 1.15 * faults, f"{lost} frames lost in {faults} faults"


@settings(max_examples=200)
@given(st.integers(0, 5), st.integers(0, 50), st.floats(0, 0.999), st.integers(0, 3), st.integers(0, 255))
def test_a_fault_loses_no_more_than_was_open(t: int, seed: int, place: float, kind: int, other: int) -> None:
    """On the lanes that the byte was of and is of now: frames open there before and after it."""
    machine = Machine(t, seed)
    machine.run(1)
    head = encode.banner(t, 1 << t) + machine.sent.wire
    body = machine.run(max(2, 64 >> t))
    at = int(place * len(body))
    faulty = {0: b"", 1: bytes([other]), 2: body[at:at + 1] * 2, 3: bytes([body[at], other])}[kind]
    reader, open_frames = decoder(), []
    reader.feed(head)
    for part in (body[:at], body[at:at + 1]):
        reader.feed(part)
        assert reader._session is not None
        open_frames.append([len(stack) for stack in reader._session.lanes.open])
    touched = {byte >> 8 - t for byte in (body[at], *faulty)}
    most = sum(max(counts[lane] for counts in open_frames) for lane in touched)
    tail = machine.syncs() + b"".join(cpu.sync(0, machine.now) for cpu in machine.cpus)
    reader = decoder()
    reader.feed(head + body[:at] + faulty + body[at + 1:] + tail)
    reader.finish()
    assert reader.stats.frames_lost <= most


@given(st.integers(0, 5), st.binary(max_size=3000), st.booleans())
def test_never_raises(t: int, data: bytes, with_banner: bool) -> None:
    reader = decoder()
    reader.feed(encode.banner(t, 1 << t) if with_banner else b"")
    for i in range(0, len(data), 700):
        reader.feed(data[i:i + 700])
    reader.idle()
    reader.finish()
    assert reader.stats.bytes == len(data) + (len(encode.banner(t, 1 << t)) if with_banner else 0)


FRAMES = st.tuples(*[st.integers(0, top) for top in (31, 3, 3, 15)], st.binary(max_size=60))


@given(st.integers(0, 5), st.lists(FRAMES, max_size=20))
def test_never_raises_on_any_body(t: int, frames: list[tuple[int, int, int, int, bytes]]) -> None:
    reader = decoder()
    reader.feed(encode.banner(t, 1 << t))
    for lane, context, kind, seq, body in frames:
        reader.feed(encode.frame(t, lane % (1 << t), context, kind, seq, body))
    reader.finish()
    total = reader.stats.total()
    assert total.frames + total.repeated == len(frames)


@settings(max_examples=50)
@given(st.integers(0, 5), st.integers(0, 99), st.lists(st.integers(1, 200), min_size=3, max_size=30))
def test_chunks_do_not_matter(t: int, seed: int, sizes: list[int]) -> None:
    machine = Machine(t, seed)
    wire = b"GRUB loading.\r\n" + encode.banner(t, 1 << t)
    wire += spoil(machine.run(max(1, 16 >> t)), random.Random(seed), 0.01)[0]
    whole, pieces = decoder(), decoder()
    one = whole.feed(wire) + whole.finish()
    many: list[Event] = []
    at = i = 0
    while at < len(wire):
        size = sizes[i % len(sizes)]
        many += pieces.feed(wire[at:at + size])
        at, i = at + size, i + 1
    many += pieces.finish()
    for lane in range(1 << t):      # between lanes, only the order in which frames end is fixed
        assert [e for e in one if e.lane == lane] == [e for e in many if e.lane == lane]
    assert whole.stats == pieces.stats
