"""Symbols of p bits <-> bytes, and the CRC (log/FORMAT.md, "Tagged bytes" and "Frames"). Pure functions."""
from __future__ import annotations

from binascii import crc_hqx
from functools import lru_cache
from typing import Optional

from . import wire


@lru_cache(maxsize=None)
def bits_of(p: int) -> tuple[str, ...]:
    """For each symbol that data can produce, the data bits that it stands for: p of them, or p - 1 after a
    stuffed 0.
    """
    ones = (1 << (p - 2)) - 1
    table = []
    for symbol in range((1 << p) - 2):
        text = format(symbol, f"0{p}b")
        table.append(text[: p - 2] + text[-1] if symbol >> 2 == ones else text)
    return tuple(table)


def unpack(symbols: bytes, p: int) -> Optional[bytes]:
    """The bytes of a frame, or None if its padding is not zero. START and END must not be among the
    symbols.
    """
    table = bits_of(p)
    bits = "".join([table[s] for s in symbols])
    spare = len(bits) & 7
    if not bits:
        return b""
    value = int(bits, 2)
    if value & ((1 << spare) - 1):
        return None
    return (value >> spare).to_bytes(len(bits) >> 3, "big")


def unpack_partial(symbols: bytes, p: int) -> bytes:
    """The whole bytes that have come so far, of a frame that is not finished."""
    table = bits_of(p)
    bits = "".join([table[s] for s in symbols])
    spare = len(bits) & 7
    return (int(bits, 2) >> spare).to_bytes(len(bits) >> 3, "big") if bits else b""


def context_of(symbol: int, p: int) -> int:
    """The context that a frame's first symbol names."""
    return int(bits_of(p)[symbol][:2], 2)


def crc16(lane: int, data: bytes) -> int:
    """CRC-16/GENIBUS over the lane and a frame's header and body."""
    return crc_hqx(data, crc_hqx(bytes((lane,)), wire.CRC_INIT)) ^ wire.CRC_FINAL
