"""The trace in columns: time at the left, then one for each CPU: what ran at once stands side by side.

A message that is wider than its column goes on below; nothing is left out. Where the terminal is too narrow
for all CPUs the merged lines are shown instead, after a note.
"""
from __future__ import annotations

import shutil
from textwrap import wrap
from typing import Iterable, Optional, TextIO

from .events import Boot, Event, Note, Record
from .render import LETTERS, MARKS, Painter, collapse, line_of, time_of

TIME = 14               # columns of the terminal
NARROWEST = 24          # column of a CPU
BAR = "│"


class ColumnsOutput:
    def __init__(self, stream: TextIO, painter: Optional[Painter], width: Optional[int] = None) -> None:
        """`width`: of the terminal; without it, as it is now."""
        self._stream = stream
        self._painter = painter
        self._width = width
        self._cpus = 0
        self._column = 0

    def write(self, events: Iterable[Event]) -> None:
        lines: list[str] = []
        for event in collapse(events):
            if isinstance(event, Boot) and event.fields.get("cpus", "").isdecimal():
                lines += self._layout(min(int(event.fields["cpus"]), 32))
            if event.lane >= self._cpus:
                lines += self._layout(event.lane + 1)
            lines += self._rows(event)
        self._stream.write("".join(line + "\n" for line in lines))

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()

    def _layout(self, cpus: int) -> list[str]:
        self._cpus = cpus
        width = self._width or shutil.get_terminal_size((120, 50)).columns
        self._column = (width - TIME) // cpus - 1 if cpus else 0
        if self._column < NARROWEST:
            need = TIME + cpus * (NARROWEST + 1)
            return [line_of(Note(text=f"{cpus} columns need a terminal of {need}, this one has {width}: "
                                      "merged lines")) or ""]
        names = "".join(BAR + f"cpu{cpu}".ljust(self._column) for cpu in range(cpus))
        return [" " * TIME + names]

    def _rows(self, event: Event) -> list[str]:
        line = line_of(event)
        if line is None:
            return []
        if event.lane < 0 or self._column < NARROWEST:
            return [self._paint(event, line)]
        rows = wrap(_cell(event, line), self._column, subsequent_indent="  ", break_on_hyphens=False) or [""]
        return [self._row(event, text, i == 0) for i, text in enumerate(rows)]

    def _row(self, event: Event, text: str, first: bool) -> str:
        cells = [" " * self._column] * self._cpus
        cells[event.lane] = self._paint(event, text.ljust(self._column))
        return (time_of(event) if first else "").ljust(TIME) + BAR + BAR.join(cells)

    def _paint(self, event: Event, text: str) -> str:
        return self._painter.paint(event, text) if self._painter is not None else text


def _cell(event: Event, line: str) -> str:
    if not isinstance(event, Record):
        return line[line.index("--"):]
    mark = MARKS[event.context] + " " if event.context else ""
    place = event.function + ": " if event.function else ""
    tail = f" <cut: {event.cut}>" if event.cut else ""
    return f"{mark}{LETTERS[event.level]} {place}{event.message}{tail}"
