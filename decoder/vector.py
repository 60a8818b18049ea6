"""The wire's arithmetic for many frames at once, in numpy: symbols -> bytes, CRC, varints. Pure functions;
symbols.py and records.py say the same for one frame.
"""
from __future__ import annotations

from binascii import crc_hqx
from functools import lru_cache
from typing import Any

import numpy as np

from . import wire
from .symbols import bits_of

Array = Any     # np.ndarray; numpy's own annotations say nothing more that helps here
MARGIN = 16     # zero bytes behind the last frame, so that a varint ends


class Unclean(Exception):
    """Something that only the careful path can judge."""


@lru_cache(maxsize=None)
def _symbol_tables(p: int) -> tuple[Array, Array]:
    """For each symbol the number of its data bits, and those bits at the top of 8. START and END: none."""
    texts = bits_of(p) + ("", "")
    sizes = np.array([len(text) for text in texts], dtype=np.uint8)
    return sizes, np.array([int(text.ljust(8, "0"), 2) for text in texts], dtype=np.uint8)


FIRST = np.arange(8) < np.arange(9)[:, None]    # for a size, which of 8 bits are meant


def unpack(symbols: Array, counts: Array, p: int) -> tuple[Array, Array, Array]:
    """The bytes of frames whose symbols, an END behind those of each, stand one after another; `counts` of
    each, with the END. Gives all bytes with MARGIN, where each frame begins, how many bytes it has. Padding
    that is not zero is Unclean.
    """
    sizes, values = _symbol_tables(p)
    size = sizes[symbols]
    ends = np.cumsum(counts)
    total = np.add.reduceat(size, ends - counts, dtype=np.int64)    # bits of each frame
    size[ends - 1] = -total & 7                     # the END fills the last byte, with zeros
    bits = np.unpackbits(values[symbols])[FIRST[size].ravel()]
    room = total + 7 >> 3                           # bytes, with the padding
    last = np.cumsum(room)
    out = np.concatenate((np.packbits(bits), np.zeros(MARGIN, dtype=np.uint8)))
    if (out[(last - 1)[total & 7 != 0]] != 0).any():
        raise Unclean
    return out, last - room, total >> 3


@lru_cache(maxsize=1)
def _crc_table() -> Array:
    """What a byte so far before the end adds to the CRC: at (distance << 8 | byte)."""
    rows = []
    for distance in range(wire.FRAME_MAX):
        tail = bytes(distance)
        rows += [crc_hqx(bytes((byte,)) + tail, 0) for byte in range(256)]
    return np.array(rows, dtype=np.uint16)


@lru_cache(maxsize=None)
def _crc_goal(lane: int) -> Array:
    """By a frame's length: what its bytes, CRC included, must add up to."""
    start = crc_hqx(bytes((lane,)), wire.CRC_INIT)
    residue = crc_hqx(wire.CRC_FINAL.to_bytes(2, "big"), 0)
    return np.array([crc_hqx(bytes(n), start) ^ residue for n in range(wire.FRAME_MAX + 1)], dtype=np.uint16)


def check_crcs(data: Array, begin: Array, size: Array, lanes: Array) -> None:
    """Unclean if a frame's CRC does not fit. Lengths must be 3 to FRAME_MAX."""
    room = np.diff(begin, append=len(data) - MARGIN)
    distance = np.repeat(begin + size - 1, room) - np.arange(len(data) - MARGIN)
    distance[distance < 0] = 0                      # padding, which is zero and adds nothing
    sums = np.bitwise_xor.reduceat(_crc_table()[distance << 8 | data[:-MARGIN]], begin)
    goals = np.array([_crc_goal(lane) for lane in range(int(lanes.max()) + 1)])
    if (sums != goals[lanes, size]).any():
        raise Unclean


def varints(data: Array, at: Array) -> tuple[Array, Array]:
    """Values (u64) of the varints at these places, and the places behind them. Unclean for one that does not
    end; the caller checks that the places behind are still in the frame.
    """
    byte = data[at]
    value = (byte & 127).astype(np.uint64)
    behind = at + 1
    more = np.flatnonzero(byte > 127)
    shift = 7
    while len(more):
        if shift >= 70:
            raise Unclean
        byte = data[behind[more]]
        value[more] |= (byte & 127).astype(np.uint64) << np.uint64(shift)
        behind[more] += 1
        more = more[byte > 127]
        shift += 7
    return value, behind


def every_varint(data: Array) -> tuple[Array, Array]:
    """varints() for each place at once: quicker where most are asked for, in many small portions. One that
    does not end leads behind all frames.
    """
    places = np.arange(len(data))
    last = np.where(data < 128, places, len(data) - 1)      # the byte that ends it
    last = np.minimum.accumulate(last[::-1])[::-1]
    value = (data & 127).astype(np.uint64)
    more = np.flatnonzero(data > 127)
    size = last[more] - more + 1
    for length in range(2, 11):
        mine = more[size == length]
        value[mine] |= value[mine + 1] << np.uint64(7)
    last[more[size > 10]] = len(data) - 2
    return value, last + 1
