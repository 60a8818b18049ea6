"""The three-symbol code: a character is three symbols of 6 bits, sent as characters of base64. Four CPUs.

All that is known of it is that: three 6-bit symbols a character, each with its CPU. No capture of it was
published, so this is our reading, the one in which a lost symbol costs one character only:

    symbol = cpu:2 | first:1 | data:3       A-Z a-z 0-9 + /, in this order, for 0..63

A character's bits, after a leading 0, fill the data of its symbols, most significant first; `first` marks
the first of the three. Anything else on the wire (line ends, foreign text) belongs to nobody.
"""
from __future__ import annotations

from .nibble import SLIP

CPUS = 4
ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUE = {byte: value for value, byte in enumerate(ALPHABET)}


def encode(text: bytes, cpu: int) -> bytes:
    """The bytes that CPU `cpu` (0..3) sends for `text`."""
    out = bytearray()
    for byte in text:
        for first, shift in ((8, 6), (0, 3), (0, 0)):
            out.append(ALPHABET[cpu << 4 | first | byte >> shift & 7])
    return bytes(out)


class Triple:
    """Takes bytes off the wire, gives (cpu, character or SLIP)."""

    def __init__(self) -> None:
        self._held: list[list[int]] = [[] for _ in range(CPUS)]
        self.foreign = 0

    def feed(self, data: bytes) -> list[tuple[int, int]]:
        out = []
        for byte in data:
            value = _VALUE.get(byte)
            if value is None:
                self.foreign += byte not in b"\r\n"
                continue
            cpu = value >> 4
            held = self._held[cpu]
            if value & 8:
                if held:
                    out.append((cpu, SLIP))
                held.clear()
            elif not held:
                out.append((cpu, SLIP))
                continue
            held.append(value & 7)
            if len(held) == 3:
                whole = held[0] << 6 | held[1] << 3 | held[2]
                held.clear()
                out.append((cpu, whole if whole < 256 else SLIP))
        return out


def plausible(data: bytes) -> bool:
    """Is this the three-symbol code? Nearly all is base64, and nearly all of it makes characters."""
    data = data.translate(None, b"\r\n")
    if len(data) < 24 or len(data.translate(None, ALPHABET)) * 100 > len(data):
        return False
    characters = sum(character != SLIP for _, character in Triple().feed(data))
    return characters * 3 > 0.9 * len(data)
