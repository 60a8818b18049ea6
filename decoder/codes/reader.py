"""Foreign captures -> events, with the interface of stream.Decoder: feed(), idle(), finish(), stats.

A line is a Record of the CPU that it names (of the code's CPU, if there is a code); a line that names neither
CPU nor call site is Foreign. There are no times. Constant memory, no exception, whatever the bytes are.
"""
from __future__ import annotations

from typing import Optional, Union

from ..events import Event, Foreign, Note, Record
from ..formats import escape
from ..stats import Stats
from . import NIBBLE, TEXT, TRIPLE, is_log, plain, recognise
from .nibble import SLIP, Nibble
from .triple import Triple

_SYMBOLS = {TEXT: 1, NIBBLE: 2, TRIPLE: 3}      # bytes on the wire for a character
MAX_LINE = 4096     # a line that does not end by then is shown as it is


def reader_for(first: bytes) -> Optional["Reader"]:
    """A Reader, if the first bytes of a capture say that it is foreign; None if it is Braid's, or unknown."""
    kind = recognise(first)
    if kind in (NIBBLE, TRIPLE) or (kind == TEXT and is_log(first)):
        return Reader(kind)
    return None


class Reader:
    """`kind`: NIBBLE, TRIPLE or TEXT."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.stats = Stats()
        self._code: Union[Nibble, Triple, None] = None
        if kind in (NIBBLE, TRIPLE):
            self._code = Nibble() if kind == NIBBLE else Triple()
        self._open: dict[int, bytearray] = {}       # CPU (-1: plain text) -> its unfinished line
        self._harmed: set[int] = set()              # CPUs whose open line lacks bytes
        self._began = False

    def feed(self, data: bytes) -> list[Event]:
        out: list[Event] = []
        if data and not self._began:
            self._began = True
            out.append(Note(text=f"not Braid's: {self.kind}, read as such; it has no times and no CRC"))
        self.stats.bytes += len(data)
        if self._code is None:
            self._open.setdefault(-1, bytearray()).extend(data)
            return out + self._lines(-1)
        for cpu, character in self._code.feed(data):
            if character == SLIP:
                self._harmed.add(cpu)
                continue
            held = self._open.setdefault(cpu, bytearray())
            held.append(character)
            if character == 10 or len(held) >= MAX_LINE:
                out += self._lines(cpu)
        self.stats.foreign_bytes = self._code.foreign
        return out

    def idle(self) -> list[Event]:
        return []

    def finish(self) -> list[Event]:
        """The capture is over: lines that did not end are cut."""
        out: list[Event] = []
        for cpu, held in sorted(self._open.items()):
            out += self._line(cpu, bytes(held), "the capture ends here") if held else []
        self._open.clear()
        self._began = False
        return out

    def _lines(self, cpu: int) -> list[Event]:
        *whole, rest = bytes(self._open[cpu]).split(b"\n")
        while len(rest) >= MAX_LINE:
            whole.append(rest[:MAX_LINE])
            rest = rest[MAX_LINE:]
        self._open[cpu] = bytearray(rest)
        return [event for line in whole for event in self._line(cpu, line, "")]

    def _line(self, cpu: int, data: bytes, cut: str) -> list[Event]:
        if cpu in self._harmed:
            self._harmed.remove(cpu)
            cut = cut or "bytes are missing, so characters may be wrong"
        text = data.decode("latin-1").rstrip("\r")
        parts = plain.pieces(text)
        out: list[Event] = []
        for part in parts:
            parsed = plain.parse(part)
            lane = cpu if cpu >= 0 else parsed.cpu
            if lane < 0 and not parsed.file:
                if part.strip():
                    self.stats.foreign_bytes += len(part) + 1
                    out.append(Foreign(data=part.encode("latin-1") + b"\n", at=self.stats.bytes))
                continue
            stats = self.stats.lane(lane)
            stats.lines += 1
            stats.text_bytes += len(parsed.message) + 1
            stats.wire_bytes += (len(part) + 1) * _SYMBOLS[self.kind]
            why = cut if part is parts[-1] else "another line broke in"
            out.append(Record(lane, level=parsed.level, file=parsed.file, function=parsed.function,
                              line=parsed.line, message=escape(parsed.message), cut=why))
        return out
