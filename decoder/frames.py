"""Pieces of a lane -> frames: header, body, CRC (log/FORMAT.md, "Frames"). Pure functions."""
from __future__ import annotations

from typing import NamedTuple, Union

from . import wire
from .symbols import crc16, unpack, unpack_partial

HEADER = 1
CRC = 2


class Frame(NamedTuple):
    lane: int
    context: int
    kind: int
    seq: int            # low 4 bits
    body: bytes


def check(lane: int, symbols: bytes, p: int) -> Union[Frame, str]:
    """The frame that these symbols are, or why they are none."""
    data = unpack(symbols, p)
    if data is None:
        return "padding is not zero"
    if len(data) < HEADER + CRC:
        return "too short"
    if len(data) > wire.FRAME_MAX:
        return "too long"
    if crc16(lane, data[:-2]) != data[-2] << 8 | data[-1]:
        return "CRC does not fit"
    return _split(lane, data[0], data[1:-2])


def peek(lane: int, symbols: bytes, p: int) -> tuple[Union[Frame, None], bool]:
    """What an unfinished frame holds so far, unchecked, and whether it lacked nothing but its END: then
    its CRC is right and is left out.
    """
    data = unpack_partial(symbols, p)
    if not data:
        return None, False
    if len(data) >= HEADER + CRC and crc16(lane, data[:-2]) == data[-2] << 8 | data[-1]:
        return _split(lane, data[0], data[1:-2]), True
    return _split(lane, data[0], data[1:]), False


def _split(lane: int, header: int, body: bytes) -> Frame:
    return Frame(lane, header >> 6, header >> 4 & 3, header & 15, body)
