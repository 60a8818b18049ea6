"""Bodies of frames -> records and SYNCs (log/FORMAT.md, "Bodies"). Pure functions; ValueError says that a
body is not what it claims to be.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, NamedTuple, Optional, Union

from . import wire

Arg = Union[int, bytes]

SIGNED = (wire.TYPE_S32, wire.TYPE_S64)


class Raw(NamedTuple):
    """A record before its format is known."""

    id: int
    time: int           # low bits ...
    bits: int           # ... so many; 0: units since the record before
    payload: bytes      # the arguments, or for id 0 the level and the text


@dataclass(slots=True)
class Identity:
    version: int
    t: int
    cpus: int
    shift: int
    apic_id: int
    khz: int
    epoch: int
    build: bytes        # first 8 bytes of the build-id


@dataclass(slots=True)
class SyncBody:
    time: int                               # in units, not truncated
    counters: dict[int, tuple[int, int]]    # context -> (frames begun, records dropped)
    identity: Optional[Identity]


def varint(data: bytes, at: int) -> tuple[int, int]:
    """LEB128 of at most 64 bits: (value, position behind it)."""
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value & 0xFFFF_FFFF_FFFF_FFFF, at
        shift += 7
    raise ValueError("a varint does not end")


def record(data: bytes) -> Raw:
    ident, start = varint(data, 0)
    time, at = varint(data, start)
    return Raw(ident, time, 7 * (at - start), data[at:])


def batch(body: bytes, partial: bool = False) -> Iterator[Raw]:
    """The records of a BATCH, one after another; where one is not whole ValueError, or if `partial` what
    there is of its arguments.
    """
    at = 0
    while at < len(body):
        ident, at = varint(body, at)
        if at == len(body):
            raise ValueError("a record without its size")
        size, time = divmod(body[at], 1 << wire.BATCH_TIME_BITS)
        bits, at = 0, at + 1
        if size == wire.BATCH_SIZE:
            size, at = varint(body, at)
            size += wire.BATCH_SIZE
        if time == wire.BATCH_TIME:
            time, end = varint(body, at)
            bits, at = 7 * (end - at), end
        end = at + size
        if end > len(body) and not partial:
            raise ValueError("a batch that ends within a record")
        yield Raw(ident, time, bits, body[at:end])
        at = end


def arguments(payload: bytes, types: bytes) -> tuple[list[Arg], str]:
    """The arguments by their types, as many as there are, and what is wrong with the rest (empty if nothing
    is).

    Signed ones are negative where they are; a string is its bytes, with "..." behind it if the writer
    truncated it.
    """
    args: list[Arg] = []
    at = 0
    try:
        for kind in types:
            value, at = varint(payload, at)
            if kind in SIGNED:
                args.append(value >> 1 ^ -(value & 1))
            elif kind == wire.TYPE_STRING:
                size = value >> 1
                text = payload[at:at + size]
                at += size
                if at > len(payload):
                    args.append(text)
                    return args, "a string does not end"
                args.append(text + b"..." if value & 1 else text)
            else:
                args.append(value)
    except ValueError:
        return args, f"{len(args)} of {len(types)} arguments"
    return args, "" if at == len(payload) else f"{len(payload) - at} bytes too many"


def sync(body: bytes) -> SyncBody:
    if not body:
        raise ValueError("an empty SYNC")
    flags = body[0]
    time, at = varint(body, 1)
    counters = {}
    for context in range(4):
        if flags & wire.SYNC_COUNTERS << context:
            frames, at = varint(body, at)
            dropped, at = varint(body, at)
            counters[context] = (frames, dropped)
    return SyncBody(time, counters, _identity(body, at) if flags & wire.SYNC_IDENTITY else None)


def _identity(body: bytes, at: int) -> Identity:
    if at + 4 > len(body):
        raise ValueError("an identity that is not whole")
    version, t, cpus, shift = body[at:at + 4]
    apic_id, at = varint(body, at + 4)
    khz, at = varint(body, at)
    build = at + 4
    if build + wire.BUILD_ID_SIZE > len(body):
        raise ValueError("an identity that is not whole")
    epoch = int.from_bytes(body[at:build], "little")
    return Identity(version, t, cpus, shift, apic_id, khz, epoch, body[build:build + wire.BUILD_ID_SIZE])
