"""The nibble code: a character 16x + y of CPU z is two bytes, 16z + x and 16z + y. Four CPUs, 64 symbols.

A byte says whose it is, but not whether it is a first or a second half, so a lost byte shifts all that
follows on its CPU. The decoder finds back by what text cannot be: a half that begins no character of text is
dropped, and the next one taken for a first. What is shown between the loss and there may be wrong, hence
`slips`, which marks the line.
"""
from __future__ import annotations

CPUS = 4
_HIGH = frozenset((0, 2, 3, 4, 5, 6, 7))
_CHARACTERS = frozenset([9, 10, 13, 27, *range(32, 127)])


def encode(text: bytes, cpu: int) -> bytes:
    """The bytes that CPU `cpu` (0..3) sends for `text`."""
    return bytes(cpu << 4 | half for byte in text for half in (byte >> 4, byte & 15))


class Nibble:
    """Takes bytes off the wire, gives (cpu, character). `slips[cpu]` counts halves that were dropped."""

    def __init__(self) -> None:
        self._first: list[int] = [-1] * CPUS
        self.slips = [0] * CPUS
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
                self.slips[cpu] += 1        # what was taken for a first half is none
            if half in _HIGH:
                self._first[cpu] = half
            else:
                self._first[cpu] = -1
                self.slips[cpu] += 1
        return out


def plausible(data: bytes) -> bool:
    """Is this nibble code? Nearly all symbols are below 64, and nearly all pairs are text."""
    if len(data) < 16 or sum(byte >= 64 for byte in data) * 100 > len(data):
        return False
    code = Nibble()
    characters = code.feed(data)
    return len(characters) * 2 > 0.9 * len(data)
