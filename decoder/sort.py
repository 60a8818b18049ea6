"""Events by time, between a decoder and an output: a wire that sends a backlog late tells them out of order.

A window of events is held, and the oldest of them goes on when another comes, so memory is constant. What
has no time of its own (foreign bytes, notes, the record of a cut frame, whose time no CRC has checked) stays
behind the event that it followed. A boot's times begin anew: nothing passes it.
"""
from __future__ import annotations

from heapq import heappop, heappush
from typing import Iterable

from .app import Output
from .events import Boot, Event, Note, Record

WINDOW = 1 << 16
BEFORE = -1         # ticks of what comes before any time is known


class SortedOutput:
    def __init__(self, output: Output, window: int = WINDOW) -> None:
        self.late = 0           # records of this boot that the window could not put in their place
        self._output = output
        self._window = window
        self._held: list[tuple[int, int, Event]] = []       # a heap; the number keeps equals in their order
        self._number = 0
        self._ticks = BEFORE    # of the event before
        self._shown = BEFORE    # the latest that went on

    def write(self, events: Iterable[Event]) -> None:
        out: list[Event] = []
        for event in events:
            if isinstance(event, Boot):
                out += self._rest()
                out.append(event)
                continue
            if event.ticks is not None and not (isinstance(event, Record) and event.cut):
                self._ticks = event.ticks
                self.late += isinstance(event, Record) and event.ticks < self._shown
            self._number += 1
            heappush(self._held, (self._ticks, self._number, event))
            if len(self._held) > self._window:
                out.append(self._oldest())
        self._output.write(out)

    def flush(self) -> None:
        self._output.flush()

    def close(self) -> None:
        self._output.write(self._rest())
        self._output.close()

    def _oldest(self) -> Event:
        ticks, _, event = heappop(self._held)
        self._shown = max(self._shown, ticks)
        return event

    def _rest(self) -> list[Event]:
        """The boot is over."""
        out = [self._oldest() for _ in range(len(self._held))]
        if self.late:
            out.append(Note(text=f"{self.late} records came more than {self._window} events late: they stand "
                                 "where they came, not at their time"))
        self.late = 0
        self._ticks = self._shown = BEFORE
        return out
