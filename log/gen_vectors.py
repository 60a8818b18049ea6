"""Makes log/vectors.json: what FORMAT.md means, in examples.

A second implementation of the format, from FORMAT.md alone, written for plainness (strings of '0' and '1').
It shares nothing with log/*.c nor with decoder/, which are both tested against its output.

Usage: gen_vectors.py > log/vectors.json
"""

import json
import sys
from typing import Any

RECORD, BATCH, SYNC = 0, 1, 2
NORMAL, NMI, MCE, PANIC = 0, 1, 2, 3
U32, U64 = (1 << 32) - 1, (1 << 64) - 1


def crc16(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        for bit in range(7, -1, -1):
            feedback = (value >> 15) ^ (byte >> bit & 1)
            value = (value << 1 & 0xFFFF) ^ (0x1021 if feedback else 0)
    return value ^ 0xFFFF


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out += bytes([value & 0x7F | 0x80])
        value >>= 7
    return out + bytes([value])


def zigzag(value: int) -> bytes:
    return varint(2 * value if value >= 0 else -2 * value - 1)


def symbols(data: bytes, p: int) -> list[int]:
    bits = "".join(f"{byte:08b}" for byte in data)
    out = []
    while bits:
        if bits.startswith("1" * (p - 2)):
            symbol, bits = bits[: p - 2] + "0" + bits[p - 2 : p - 1], bits[p - 1 :]
        else:
            symbol, bits = bits[:p], bits[p:]
        out.append(int(symbol.ljust(p, "0"), 2))
    return out


class Frame:
    """A frame, and its bytes on the wire of a machine with p bits a symbol."""

    def __init__(self, lane: int, context: int, kind: int, seq: int, body: bytes) -> None:
        self.lane, self.context, self.kind, self.seq, self.body = lane, context, kind, seq, body

    def fields(self) -> dict[str, Any]:
        head = {"lane": self.lane, "context": self.context, "kind": self.kind, "seq": self.seq}
        return {**head, "body": self.body.hex()}

    def wire(self, p: int) -> bytes:
        data = bytes([self.context << 6 | self.kind << 4 | self.seq]) + self.body
        data += crc16(bytes([self.lane]) + data).to_bytes(2, "big")
        start, end, tag = (1 << p) - 1, (1 << p) - 2, self.lane << p & 0xFF
        return bytes(tag | symbol for symbol in [start, *symbols(data, p), end])


def argument(type_: str, value: Any) -> bytes:
    if type_ in ("s32", "s64"):
        return zigzag(int(value))
    if type_ == "string":
        data, truncated = str(value[0]).encode(), int(value[1])
        return varint(len(data) << 1 | truncated) + data
    if type_ == "char":
        return varint(ord(value))
    return varint(int(value))


def truncated(time: int, size: int) -> bytes:
    """The low 7 * size bits."""
    groups = [time >> 7 * i & 0x7F for i in range(size)]
    return bytes(group | 0x80 for group in groups[:-1]) + bytes(groups[-1:])


def payload(*arguments: tuple[str, Any]) -> bytes:
    return b"".join(argument(t, v) for t, v in arguments)


def text(level: int, words: str) -> bytes:
    return bytes([level]) + words.encode()


def record(id_: int, time: bytes, arguments: bytes) -> bytes:
    return varint(id_) + time + arguments


def in_batch(id_: int, delta: int, time: bytes, arguments: bytes) -> bytes:
    """`delta` 0 to 30 is there instead of a time."""
    size = len(arguments)
    return (varint(id_) + bytes([min(size, 7) * 32 + delta]) + (varint(size - 7) if size >= 7 else b"")
            + (time if delta == 31 else b"") + arguments)


def sync(time: int, counters: dict[int, tuple[int, int]], identity: dict[str, Any] | None) -> bytes:
    flags = (1 if identity else 0) | sum(0x10 << c for c in counters)
    out = bytes([flags]) + varint(time)
    for _, (frames, dropped) in sorted(counters.items()):
        out += varint(frames) + varint(dropped)
    if identity:
        out += bytes([2, identity["t"], identity["cpus"], identity["shift"]])
        out += varint(identity["apic_id"]) + varint(identity["tsc_khz"])
        out += identity["epoch"].to_bytes(4, "little") + bytes.fromhex(identity["build_id"])
    return out


BUILD_ID = "0123456789abcdef0011223344556677889900aa"
IDENTITY: dict[str, Any] = {"t": 2, "cpus": 4, "shift": 14, "apic_id": 6, "tsc_khz": 2445000, "epoch": 3}
IDENTITY["build_id"] = BUILD_ID[:16]
SYNCS: list[tuple[int, dict[int, tuple[int, int]], dict[str, Any] | None]] = [
    (5, {}, None),
    (1 << 33, {NORMAL: (70000, 3), NMI: (2, 0)}, None),
    (300000, {NORMAL: (1, 0)}, IDENTITY),
    (300001, {PANIC: (1, 200)}, {**IDENTITY, "t": 5, "cpus": 32, "apic_id": 0x123456}),
]
ARGUMENTS: list[list[tuple[str, Any]]] = [
    [],
    [("s32", 0), ("s32", -1), ("s32", 1), ("s32", 63), ("s32", 64), ("s32", -64), ("s32", -65)],
    [("s32", 2147483647), ("s32", -2147483648)],
    [("u32", 0), ("u32", 127), ("u32", 128), ("u32", U32)],
    [("s64", (1 << 63) - 1), ("s64", -(1 << 63)), ("u64", U64)],
    [("pointer", 0), ("pointer", 0xFFFF800000001000)],
    [("string", ("", 0)), ("string", ("pal_demo", 0)), ("string", ("cut he", 1))],
    [("char", "A"), ("u32", 7)],
    [("u64", U64)] * 10,
]


def body_vectors() -> dict[str, Any]:
    records = []
    for i, arguments in enumerate(ARGUMENTS):
        id_, time, size = 1 + 125 * i, 0x123450 + i, 1 + i % 4
        values = [{"type": t, "value": v} for t, v in arguments]
        encoded = record(id_, truncated(time, size), payload(*arguments)).hex()
        head = {"id": id_, "time": time, "time_size": size}
        records.append({**head, "arguments": values, "record": encoded})
    syncs: list[dict[str, Any]] = []
    for time, counters, identity in SYNCS:
        counts = {str(c): list(pair) for c, pair in counters.items()}
        body = sync(time, counters, identity).hex()
        syncs.append({"time": time, "counters": counts, "identity": identity, "body": body})
    free = record(0, truncated(77, 1), text(1, "free text")).hex()
    words = {"time": 77, "level": 1, "text": "free text", "record": free}
    five = [(1, 1000, 31, 2, b""), (300, 1127, 31, 1, payload(("s32", -5)))]
    five += [(0, 1255, 31, 2, text(0, "at the end"))]
    five += [(4095, 1255, 0, 0, payload(("u32", U32), ("char", "c")))]
    five += [(7, 1285, 30, 0, payload(("u64", U64)))]
    body = b"".join(in_batch(id_, delta, truncated(time, size), arguments)
                    for id_, time, delta, size, arguments in five)
    members = [{"id": id_, "time": time, "payload": arguments.hex()} for id_, time, _, _, arguments in five]
    together = {"before": 800, "records": members, "body": body.hex()}
    return {"records": records, "text": words, "batch": together, "syncs": syncs}


def frame_vectors() -> list[dict[str, Any]]:
    bodies = [b"", b"\xff" * 12, b"\x00" * 5, bytes(range(0, 256, 3)), b"\xfe\xfd\xfb\xf7\xef\xdf\xbf\x7f"]
    bodies += [b"\xff" * 157, record(9, truncated(1000, 2), payload(("s32", -2), ("u32", 600)))]
    bodies.append(record(0, truncated(3, 1), text(0, "panic")))
    out = []
    for p in range(3, 9):
        lanes = 1 << (8 - p)
        for i, body in enumerate(bodies):
            lane = lanes - 1 if i % 2 else i % lanes
            frame = Frame(lane, i % 4, i % 3, i * 5 % 16, body)
            out.append({"p": p, **frame.fields(), "wire": frame.wire(p).hex()})
    return out


def stream_vectors() -> list[dict[str, Any]]:
    """Whole streams.

    `frames` are accepted, in this order; `lost` counts those abandoned, left open or with a wrong CRC;
    `stray` counts the bytes that came while no frame was open on their lane.
    """
    p = 6
    a = Frame(1, NORMAL, RECORD, 0, record(4, truncated(100, 1), payload(("u32", 5))))
    b = Frame(2, NORMAL, RECORD, 7, record(5, truncated(101, 1), b""))
    n = Frame(1, NMI, RECORD, 3, record(6, truncated(102, 2), b""))
    m = Frame(1, MCE, RECORD, 0, record(0, truncated(103, 1), text(0, "mce")))
    a2 = Frame(1, NORMAL, RECORD, 1, record(7, truncated(104, 1), payload(("string", ("next", 0)))))
    wa, wb, wn, wm, wa2 = (f.wire(p) for f in (a, b, n, m, a2))
    woven = bytes(x for pair in zip(wa, wb) for x in pair) + wa[len(wb) :] + wb[len(wa) :]
    garbled = wa[:4] + bytes([wa[4] ^ 2]) + wa[5:]
    assert garbled[4] & 63 < 62 and wa[4] & 63 < 62, "garbling made a START or an END"
    cases: list[tuple[str, bytes, list[Frame], int, int]] = [
        ("two lanes woven byte by byte", woven, sorted([a, b], key=lambda f: len(f.wire(p))), 0, 0),
        ("an NMI inside a frame", wa[:5] + wn + wa[5:], [n, a], 0, 0),
        ("an NMI right behind START, before the header", wa[:1] + wn + wa[1:], [n, a], 0, 0),
        ("a machine check in an NMI in a frame", wa[:6] + wn[:3] + wm + wn[3:] + wa[6:], [m, n, a], 0, 0),
        ("an NMI just before END", wa[:-1] + wn + wa[-1:], [n, a], 0, 0),
        ("a lost END: the next START abandons", wa[:-1] + wa2, [a2], 1, 0),
        ("the NMI's END is lost: the next abandons it", wa[:5] + wn[:-1] + wn + wa[5:], [n, a], 1, 0),
        ("a garbled byte", garbled + wa2, [a2], 1, 0),
        ("joined in the middle", wa[4:] + wa2, [a2], 0, len(wa) - 4),
        ("cut at the end, inside an NMI", wa2 + wa[:5] + wn[:4], [a2], 2, 0),
    ]
    out = []
    for name, wire, frames, lost, stray in cases:
        case: dict[str, Any] = {"name": name, "t": 2, "wire": wire.hex()}
        case["frames"] = [f.fields() for f in frames]
        out.append({**case, "lost": lost, "stray": stray})
    return out


def main() -> None:
    banner = f"\r\n\r\n#BRAID 2 t=2 cpus=4 build={BUILD_ID} khz=2445000 shift=14"
    banner += " uart=16550A fifo=16 mode=sync epoch=3 previous=2 previous_records=1"
    banner += f" previous_build={BUILD_ID}\r\n"
    checks = [b"123456789", b"", b"\x00", b"\xff\xff", bytes(range(160))]
    vectors: dict[str, Any] = {
        "crc": [{"data": data.hex(), "crc": crc16(data)} for data in checks],
        "bodies": body_vectors(),
        "frames": frame_vectors(),
        "streams": stream_vectors(),
        "banner": {**IDENTITY, "build_id": BUILD_ID, "mode": "sync", "text": banner},
    }
    if vectors["crc"][0]["crc"] != 0xD64E:
        sys.exit("gen_vectors: CRC-16/GENIBUS of 123456789 is 0xD64E, this is not")
    json.dump(vectors, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
