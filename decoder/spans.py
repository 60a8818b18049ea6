"""What lasts, and what points from one CPU to another, found in the records by their formats:

    a PAL's call      "PAL %u called" to "PAL %u returned", "PAL %u ends" or "PAL %u killed"
    an exit           "exit: %s, code 0x%lx" to "exit ends" on the same CPU, both at trace level
    a quiesce         "quiesce %lu begins" to "quiesce %lu ends"; on others "quiesce %lu: parked", an arrow
    a quiesce waits   "quiesce %lu: waiting %lu ms for cpu%u": an arrow to that CPU

A backlog is sent late, so one CPU's records of a quiesce may come before another's: a round is told when
ROUNDS newer ones are known. No I/O; the exports draw it. Where a format has changed nothing is found, and the
records still stand there.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterator, NamedTuple, Optional, Union

from .events import Boot, Event, Record
from .formats import plain

MAX_OPEN = 1000     # more at once are nonsense, and must not cost memory
ROUNDS = 64
_EXIT = re.compile(r"exit(?:: %s| (ends)$)")
_PAL = re.compile(r"PAL %l?[ud]:? (called|returned|ends|killed)\b")
_QUIESCE = re.compile(r"quiesce %l?[ud]:? (begins|parked|waiting|ends)\b")


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


class Point(NamedTuple):
    """Where something was said."""
    at: float
    lane: int
    context: int


@dataclass
class Round:
    """A quiesce, as far as it is known."""
    begin: Optional[Point] = None
    end: Optional[float] = None
    parked: list[Point] = field(default_factory=list)


class Spans:
    """Takes the events of a capture in their order."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, int], tuple[Point, str]] = {}   # what, its number -> its begin and name
        self._rounds: dict[int, Round] = {}
        self._last = 0.0

    def take(self, event: Event) -> Iterator[Found]:
        if isinstance(event, Boot):
            yield from self.finish()
            self._last = 0.0
        if event.seconds is not None:
            self._last = max(self._last, event.seconds)
        if not isinstance(event, Record) or event.seconds is None or event.cut:
            return
        here = Point(event.seconds, event.lane, event.context)
        first = event.args[0] if event.args else 0
        if words := _EXIT.match(event.format):
            name = plain(first) if isinstance(first, bytes) else "?"
            yield from self._step("exit", event.lane, here, f"exit {name}", words[1] is None)
        elif isinstance(first, int) and (words := _PAL.match(event.format)):
            yield from self._step("PAL", first, here, f"PAL {first}", words[1] == "called")
        elif isinstance(first, int) and (words := _QUIESCE.match(event.format)):
            yield from self._quiesce(first, here, words[1], event)

    def finish(self) -> Iterator[Found]:
        """The capture, or a boot, is over."""
        for begin, name in self._open.values():
            yield _span(begin, self._last, name, True)
        for number, one in self._rounds.items():
            yield from self._round(number, one)
        self._open.clear()
        self._rounds.clear()

    def _step(self, what: str, number: int, here: Point, name: str, begins: bool) -> Iterator[Found]:
        if (what, number) in self._open:
            begin, old = self._open.pop((what, number))
            yield _span(begin, here.at, old, begins)
        if begins:
            self._open[what, number] = here, name
            if len(self._open) > MAX_OPEN:
                yield from self.finish()

    def _quiesce(self, number: int, here: Point, word: str, event: Record) -> Iterator[Found]:
        if word == "waiting":
            target = event.args[2] if len(event.args) > 2 else None
            if isinstance(target, int) and 0 <= target < 32:
                yield Arrow(f"quiesce {number} waits", *here, here.at, target, 0)
            return
        one = self._rounds.setdefault(number, Round())
        if word == "begins":
            one.begin = here
        elif word == "ends":
            one.end = here.at
        elif len(one.parked) < MAX_OPEN:
            one.parked.append(here)
        if len(self._rounds) > ROUNDS:
            oldest = next(iter(self._rounds))
            yield from self._round(oldest, self._rounds.pop(oldest))

    def _round(self, number: int, one: Round) -> Iterator[Found]:
        end = self._last if one.end is None else one.end
        if one.begin is not None:
            yield _span(one.begin, end, f"quiesce {number}", one.end is None)
        for parked in one.parked:
            yield _span(parked, end, f"quiesce {number} parked", one.end is None)
            if one.begin is not None:
                yield Arrow(f"quiesce {number}", *one.begin, *parked)


def _span(begin: Point, end: float, name: str, is_open: bool) -> Span:
    return Span(begin.lane, begin.context, begin.at, max(end, begin.at), name, is_open)
