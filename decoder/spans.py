"""What lasts, and what points from one CPU to another, found in the records by their formats:

    a PAL's call      "PAL %u called" to "PAL %u returned", "PAL %u ends" or "PAL %u killed"
    an exit           "exit: %s, code 0x%lx" to "exit ends" on the same CPU, both at trace level
    a quiesce         "quiesce %lu begins" to "quiesce %lu ends"; on others "quiesce %lu: parked", an arrow
    a quiesce waits   "quiesce %lu: waiting %lu ms for cpu%u": an arrow to that CPU

No I/O; the exports draw it. Where a format has changed nothing is found, and the records still stand there.
"""
from __future__ import annotations

import re
from typing import Iterator, NamedTuple, Union

from .events import Boot, Event, Record
from .formats import plain

MAX_OPEN = 1000     # more at once are nonsense, and must not cost memory
_EXIT = re.compile(r"exit(?:: %s| (ends)$)")
_WORDS = re.compile(r"(PAL|quiesce) %l?[ud]:? (called|returned|ends|killed|begins|parked|waiting)\b")


class Span(NamedTuple):
    lane: int
    context: int
    begin: float
    end: float
    name: str
    open: bool      # its end never came: until the last time that is known


class Arrow(NamedTuple):
    name: str
    at: float
    lane: int
    context: int
    to_at: float
    to_lane: int
    to_context: int


Found = Union[Span, Arrow]


class Spans:
    """Takes the events of a capture in their order."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int, int], Record] = {}     # what, number, lane (-1: any) -> its begin
        self._last = 0.0

    def take(self, event: Event) -> Iterator[Found]:
        if isinstance(event, Boot):
            yield from self.finish()
            self._last = 0.0
        if event.seconds is not None:
            self._last = max(self._last, event.seconds)
        if not isinstance(event, Record) or event.seconds is None or event.cut:
            return
        exit_words = _EXIT.match(event.format)
        if exit_words:
            yield from self._exit(event, exit_words[1] is not None)
        words = _WORDS.match(event.format)
        if words and event.args and isinstance(event.args[0], int):
            yield from self._step(event, words[1], event.args[0], words[2])

    def finish(self) -> Iterator[Span]:
        """The capture, or a boot, is over."""
        for (what, number, lane), begin in self._open.items():
            yield self._span(begin, what, number, lane, self._last, True)
        self._open.clear()

    def _exit(self, event: Record, is_end: bool) -> Iterator[Found]:
        assert event.seconds is not None
        yield from self._close("exit", event.lane, event.seconds, not is_end)
        if not is_end:
            self._open["exit", event.lane, -1] = event

    def _step(self, event: Record, what: str, number: int, word: str) -> Iterator[Found]:
        assert event.seconds is not None
        begin = self._open.get((what, number, -1))
        if word in ("called", "begins"):
            yield from self._close(what, number, event.seconds, True)
            self._open[what, number, -1] = event
            if len(self._open) > MAX_OPEN:
                yield from self.finish()
        elif word == "waiting":
            target = event.args[2] if len(event.args) > 2 else None
            if isinstance(target, int) and 0 <= target < 32:
                yield Arrow(f"quiesce {number} waits", event.seconds, event.lane, event.context,
                            event.seconds, target, 0)
        elif word == "parked":
            self._open[what, number, event.lane] = event
            if begin is not None and begin.seconds is not None:
                yield Arrow(f"quiesce {number}", begin.seconds, begin.lane, begin.context,
                            event.seconds, event.lane, event.context)
        else:
            yield from self._close(what, number, event.seconds, False)

    def _close(self, what: str, number: int, at: float, is_open: bool) -> Iterator[Span]:
        for key in [key for key in self._open if key[:2] == (what, number)]:
            yield self._span(self._open.pop(key), what, number, key[2], at, is_open)

    @staticmethod
    def _span(begin: Record, what: str, number: int, lane: int, end: float, is_open: bool) -> Span:
        assert begin.seconds is not None
        name = f"{what} {number}" + (" parked" if lane >= 0 else "")
        if what == "exit":
            name = f"exit {plain(begin.args[0]) if begin.args and isinstance(begin.args[0], bytes) else '?'}"
        return Span(begin.lane, begin.context, begin.seconds, max(end, begin.seconds), name, is_open)
