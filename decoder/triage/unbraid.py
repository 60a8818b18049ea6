"""A capture in one of the two codes -> the text of all its CPUs, a line at a time. Pure functions."""
from __future__ import annotations

from typing import NamedTuple, Union

from ..codes import NIBBLE
from ..codes.nibble import SLIP, Nibble
from ..codes.triple import Triple


class Unbraided(NamedTuple):
    text: bytes     # lines in the order in which they ended, then those that did not
    cut: int        # how many did not
    slips: int      # places where bytes are missing, and bytes of no symbol


def unbraid(data: bytes, kind: str) -> Unbraided:
    code: Union[Nibble, Triple] = Nibble() if kind == NIBBLE else Triple()
    held: dict[int, bytearray] = {}
    text = bytearray()
    slips = 0
    for cpu, character in code.feed(data):
        if character == SLIP:
            slips += 1
            continue
        line = held.setdefault(cpu, bytearray())
        line.append(character)
        if character == 10:
            text += line
            line.clear()
    rest = [bytes(line) for _, line in sorted(held.items()) if line.strip()]
    return Unbraided(bytes(text) + b"\n".join(rest), len(rest), slips + code.foreign)
