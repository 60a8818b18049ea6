"""The nibble code: a character 16x + y of CPU z is two bytes, 16z + x and 16z + y. Four CPUs, 64 symbols.

A byte says whose it is, but not whether it is a first or a second half, so a lost byte shifts all that
follows on its CPU. The decoder finds back by what text cannot be: a half that begins no character of text is
dropped, and the next one taken for a first. Characters between the loss and there may be wrong; SLIP, which
says so, comes at the end of the line at the latest, so within the line that is harmed.
"""
from __future__ import annotations

SLIP = -1       # in the place of a character: bytes of this CPU are missing

CPUS = 4
_HIGH = frozenset((0, 2, 3, 4, 5, 6, 7))
_CHARACTERS = frozenset([9, 10, 13, 27, *range(32, 127)])


def encode(text: bytes, cpu: int) -> bytes:
    """The bytes that CPU `cpu` (0..3) sends for `text`."""
    return bytes(cpu << 4 | half for byte in text for half in (byte >> 4, byte & 15))


class Nibble:
    """Takes bytes off the wire, gives (cpu, character or SLIP)."""

    def __init__(self) -> None:
        self._first: list[int] = [-1] * CPUS
        self.foreign = 0        # bytes beyond the 64 symbols

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        out = []
        for byte in data:
            cpu, half = byte >> 4, byte & 15
            if cpu >= CPUS:
                self.foreign += 1
                continue
            first = self._first[cpu]
            if first >= 0 and first << 4 | half in _CHARACTERS:
                out.append((cpu, first << 4 | half))
                self._first[cpu] = -1
                continue
            if first >= 0:
                out.append((cpu, SLIP))     # what was taken for a first half is none
            if half in _HIGH:
                self._first[cpu] = half
            else:
                self._first[cpu] = -1
                out.append((cpu, SLIP))
        return out


def plausible(data: bytes) -> bool:
    """Is this nibble code? Nearly all symbols are below 64, and nearly all pairs are text."""
    if len(data) < 16 or sum(byte >= 64 for byte in data) * 100 > len(data):
        return False
    code = Nibble()
    characters = sum(character != SLIP for _, character in code.feed(data))
    return characters * 2 > 0.9 * len(data)
