"""An encoder of the wire, for tests: written from log/FORMAT.md alone, bit by bit, and sharing nothing
with the decoder.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, Optional, Sequence, Union

NORMAL, NMI, MCE, PANIC = range(4)
RECORD, BATCH, SYNC = range(3)
BUILD = bytes(range(0x10, 0x24))
Value = Union[int, str, bytes]


class Made(NamedTuple):
    """A record, before a frame takes it."""

    id: int
    time: int
    payload: bytes


def crc(data: bytes) -> int:
    value = 0xFFFF
    for byte in data:
        value ^= byte << 8
        for _ in range(8):
            value = (value << 1 ^ 0x1021 if value & 0x8000 else value << 1) & 0xFFFF
    return value ^ 0xFFFF


def varint(value: int) -> bytes:
    out = bytearray()
    while True:
        value, low = value >> 7, value & 127
        out.append(low | (128 if value else 0))
        if not value:
            return bytes(out)


def argument(kind: str, value: Value) -> bytes:
    """kind: a letter, s signed, u unsigned or pointer or char, t text, x truncated text."""
    if isinstance(value, (str, bytes)):
        data = value.encode() if isinstance(value, str) else value
        return varint(len(data) << 1 | (kind == "x")) + data
    if kind == "s":
        return varint(value << 1 if value >= 0 else (-value << 1) - 1)
    return varint(value)


def record(ident: int, time: int, *arguments: tuple[str, Value]) -> Made:
    return Made(ident, time, b"".join(argument(kind, value) for kind, value in arguments))


def text(time: int, level: int, message: str) -> Made:
    return Made(0, time, bytes([level]) + message.encode())


def low_bits(time: int, known: int) -> bytes:
    """As many groups of 7 bits as tell `time` from the times behind `known`."""
    size = 1
    while time - known >= 1 << 7 * size:
        size += 1
    groups = [time >> 7 * i & 127 for i in range(size)]
    return bytes(group | 128 for group in groups[:-1]) + bytes(groups[-1:])


def batch(known: int, made: Sequence[Made]) -> bytes:
    out = b""
    for i, one in enumerate(made):
        size, delta = len(one.payload), min(one.time - known, 31) if i else 31
        out += varint(one.id) + bytes([min(size, 7) << 5 | delta]) + (varint(size - 7) if size >= 7 else b"")
        out += (low_bits(one.time, known) if delta == 31 else b"") + one.payload
        known = one.time
    return out


def symbols(data: bytes, p: int) -> list[int]:
    """Bits go into a symbol from its top; behind p - 2 ones a 0 is stuffed."""
    out: list[int] = []
    current: list[int] = []
    bits = [byte >> i & 1 for byte in data for i in range(7, -1, -1)]
    at = 0
    while at < len(bits):
        if len(current) == p - 2 and all(current):
            current.append(0)
        else:
            current.append(bits[at])
            at += 1
        if len(current) == p:
            out.append(int("".join(map(str, current)), 2))
            current = []
    if current:
        out.append(int("".join(map(str, current)).ljust(p, "0"), 2))
    return out


def frame(t: int, lane: int, context: int, kind: int, seq: int, body: bytes) -> bytes:
    p = 8 - t
    data = bytes([context << 6 | kind << 4 | seq & 15]) + body
    data += crc(bytes([lane]) + data).to_bytes(2, "big")
    tag = lane << p & 0xFF
    return bytes([tag | s for s in [(1 << p) - 1] + symbols(data, p) + [(1 << p) - 2]])


def banner(t: int, cpus: int, epoch: int = 1, build: bytes = BUILD) -> bytes:
    fields = f"2 t={t} cpus={cpus} build={build.hex()} khz=2445000 shift=13"
    fields += f" uart=16550A fifo=16 mode=sync epoch={epoch}"
    return f"\r\n\r\n#BRAID {fields}\r\n".encode()


@dataclass
class Cpu:
    """A lane's writer: counts its frames, and sends a SYNC where the format asks for one. `next()` gives
    one frame's bytes.
    """

    t: int
    lane: int
    epoch: int = 1
    frames: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    dropped: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    last: list[Optional[int]] = field(default_factory=lambda: [None] * 4)
    before: list[int] = field(default_factory=lambda: [0, 0, 0, 0])     # the last time in the frame before
    since: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    named: bool = False

    def sync(self, context: int, time: int, identity: bool = False) -> bytes:
        flags = 1 if identity or not self.named else 0
        counters = b""
        for c in range(context, 4):
            if self.frames[c] or self.dropped[c]:
                flags |= 16 << c
                counters += varint(self.frames[c]) + varint(self.dropped[c])
        body = bytes([flags]) + varint(time) + counters
        if flags & 1:
            body += bytes([2, self.t, 1 << self.t, 13]) + varint(self.lane * 2) + varint(2445000)
            body += self.epoch.to_bytes(4, "little") + BUILD[:8]
            self.named = True
        self.since[context] = 0
        return self._frame(context, SYNC, body, time)

    def records(self, context: int, time: int, made: Sequence[Made]) -> list[bytes]:
        """The frames for these records: one RECORD, or a BATCH; a SYNC before it where it is due."""
        out = []
        if self.last[context] is None or self.since[context] >= 255:
            out.append(self.sync(context, made[0].time))
        before = self.before[context]
        if len(made) == 1:
            body = varint(made[0].id) + low_bits(made[0].time, before) + made[0].payload
            out.append(self._frame(context, RECORD, body, time))
        else:
            out.append(self._frame(context, BATCH, batch(before, made), time))
        return out

    def _frame(self, context: int, kind: int, body: bytes, time: int) -> bytes:
        out = frame(self.t, self.lane, context, kind, self.frames[context], body)
        self.frames[context] += 1
        self.since[context] += 1
        self.before[context] = self.last[context] or 0
        self.last[context] = time
        return out
