"""The vectors of the format (log/vectors.json), which C is tested against as well."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from decoder import banner, records, wire
from decoder.frames import Frame, check
from decoder.lanes import CUT, STRAY, WHOLE, Lanes
from decoder.symbols import crc16
from decoder.times import ContextClock

PATH = Path(__file__).resolve().parents[2] / "log" / "vectors.json"
TYPES = {"s32": 1, "u32": 2, "s64": 3, "u64": 4, "pointer": 5, "string": 6, "char": 7}


@pytest.fixture(scope="module")
def vectors() -> Any:
    if not PATH.exists():
        pytest.skip("log/vectors.json is not there")
    return json.loads(PATH.read_text())


def value_of(argument: dict[str, Any]) -> records.Arg:
    value = argument["value"]
    if argument["type"] == "string":
        text, truncated = value
        return str(text).encode() + (b"..." if truncated else b"")
    return ord(value) if argument["type"] == "char" else int(value)


def test_crc(vectors: Any) -> None:
    assert wire.CRC_CHECK == 0xD64E
    for vector in vectors["crc"]:
        data = bytes.fromhex(vector["data"])
        if data:
            assert crc16(data[0], data[1:]) == vector["crc"]


def test_records(vectors: Any) -> None:
    for vector in vectors["bodies"]["records"]:
        raw = records.record(bytes.fromhex(vector["record"]))
        types = bytes(TYPES[a["type"]] for a in vector["arguments"])
        args, wrong = records.arguments(raw.payload, types)
        bits = 7 * vector["time_size"]
        low = vector["time"] & (1 << bits) - 1
        assert (raw.id, raw.time, raw.bits, wrong) == (vector["id"], low, bits, "")
        assert args == [value_of(a) for a in vector["arguments"]]


def test_text_and_batch(vectors: Any) -> None:
    vector = vectors["bodies"]["text"]
    raw = records.record(bytes.fromhex(vector["record"]))
    assert raw == (0, vector["time"], 7, bytes([vector["level"]]) + vector["text"].encode())
    vector = vectors["bodies"]["batch"]
    clock = ContextClock()
    clock.sync(vector["before"])
    got = list(records.batch(bytes.fromhex(vector["body"])))
    assert len(got) == len(vector["records"])
    for raw, member in zip(got, vector["records"]):
        assert (raw.id, raw.payload.hex()) == (member["id"], member["payload"])
        clock.latest = clock.whole(raw.time, raw.bits, None)
        assert clock.latest == member["time"]


def test_syncs(vectors: Any) -> None:
    for vector in vectors["bodies"]["syncs"]:
        sync = records.sync(bytes.fromhex(vector["body"]))
        assert sync.time == vector["time"]
        assert sync.counters == {int(c): tuple(pair) for c, pair in vector["counters"].items()}
        who = vector["identity"]
        assert (sync.identity is None) == (who is None)
        if sync.identity is not None:
            one = sync.identity
            assert (one.version, one.t, one.cpus, one.shift) == (2, who["t"], who["cpus"], who["shift"])
            assert (one.apic_id, one.khz, one.epoch) == (who["apic_id"], who["tsc_khz"], who["epoch"])
            assert one.build.hex() == who["build_id"]


def frame_of(fields: dict[str, Any]) -> Frame:
    body = bytes.fromhex(fields["body"])
    return Frame(fields["lane"], fields["context"], fields["kind"], fields["seq"], body)


def test_frames(vectors: Any) -> None:
    for vector in vectors["frames"]:
        lanes = Lanes(8 - vector["p"])
        pieces = list(lanes.feed(bytes.fromhex(vector["wire"]), 0))
        assert [piece.how for piece in pieces] == [WHOLE]
        assert pieces[0].context == vector["context"]
        assert check(pieces[0].lane, pieces[0].symbols, lanes.p) == frame_of(vector)


def test_streams(vectors: Any) -> None:
    for vector in vectors["streams"]:
        lanes = Lanes(vector["t"])
        pieces = list(lanes.feed(bytes.fromhex(vector["wire"]), 0)) + list(lanes.finish())
        frames = [check(p.lane, p.symbols, lanes.p) for p in pieces if p.how == WHOLE]
        accepted = [f for f in frames if isinstance(f, Frame)]
        assert accepted == [frame_of(f) for f in vector["frames"]], vector["name"]
        stray = sum(len(p.symbols) for p in pieces if p.how == STRAY)
        bad = sum(isinstance(f, str) for f in frames) + sum(p.how not in (WHOLE, STRAY) for p in pieces)
        assert (bad, stray) == (vector["lost"], vector["stray"]), vector["name"]
        if vector["name"].startswith("cut at the end"):
            assert [p.context for p in pieces if p.how == CUT] == [0, 1]


def test_banner(vectors: Any) -> None:
    vector = vectors["banner"]
    text = vector["text"].encode()
    assert text.startswith(banner.PREAMBLE)
    rest = text[len(banner.PREAMBLE):]
    assert banner.line_end(rest) == len(rest)
    parsed = banner.parse(rest)
    assert (parsed.version, parsed.t, parsed.shift) == (2, vector["t"], vector["shift"])
    assert (parsed.khz, parsed.epoch) == (vector["tsc_khz"], vector["epoch"])
    assert parsed.build.hex() == vector["build_id"]
    assert parsed.fields["mode"] == vector["mode"]
