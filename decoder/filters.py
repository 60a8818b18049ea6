"""What a reader wants to see of the events. A filter hides; it never changes what is decoded or counted.

Boots and notes always pass. What cannot be judged passes too: a record of an unknown time, or of an unknown
level (its ELF is missing). Foreign bytes are of no CPU: any filter but one by time hides them.
"""
from __future__ import annotations

import argparse
import math
import re
from fnmatch import fnmatchcase
from typing import Iterable, Optional

from .events import CONTEXTS, LEVELS, Boot, Event, Foreign, Note, Record

CONTEXT_NAMES = {"normal": 0, "nmi": 1, "mce": 2, "panic": 3}


class Filter:
    """`hidden` counts the records that it did not let pass."""

    def __init__(self, cpus: Optional[set[int]] = None, contexts: Optional[set[int]] = None,
                 level: Optional[int] = None, file: str = "", function: str = "",
                 since: Optional[float] = None, until: Optional[float] = None) -> None:
        self.hidden = 0
        self._cpus = cpus
        self._contexts = contexts
        self._level = level
        self._file = file
        self._function = function
        self._since = since
        self._until = until
        self._now: Optional[float] = None       # of the latest event that has a time
        self._place = bool(file or function)
        self._by_lane = cpus is not None or contexts is not None or level is not None or self._place

    @property
    def active(self) -> bool:
        return self._by_lane or self._since is not None or self._until is not None

    def __call__(self, events: Iterable[Event]) -> list[Event]:
        return [event for event in events if self._passes(event)]

    def _passes(self, event: Event) -> bool:
        if isinstance(event, (Boot, Note)):
            if isinstance(event, Boot):
                self._now = None
            return True
        if event.seconds is not None:
            self._now = event.seconds
        if isinstance(event, Foreign):
            return not self._by_lane and self._timely(self._now)
        passes = self._timely(event.seconds) and self._of_lane(event)
        if isinstance(event, Record):
            passes = passes and self._of_site(event)
            self.hidden += not passes
        return passes

    def _timely(self, seconds: Optional[float]) -> bool:
        if seconds is None:
            return True
        if self._since is not None and seconds < self._since:
            return False
        return self._until is None or seconds <= self._until

    def _of_lane(self, event: Event) -> bool:
        return ((self._cpus is None or event.lane in self._cpus)
                and (self._contexts is None or event.context in self._contexts))

    def _of_site(self, event: Record) -> bool:
        known = bool(event.file) or not event.id
        if self._level is not None and known and event.level > self._level:
            return False
        return not self._place or (_fits(event.file, self._file) and _fits(event.function, self._function))


def _fits(name: str, pattern: str) -> bool:
    """A path fits by its end, too: quiesce.c is core/quiesce.c."""
    return not pattern or bool(name) and (fnmatchcase(name, pattern) or fnmatchcase(name, "*/" + pattern))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("filters", "all of them must fit; what they hide is counted at the end")
    group.add_argument("--cpu", type=cpu_list, metavar="LIST", help="CPUs, as in 0,2-3")
    group.add_argument("--context", type=context_list, metavar="LIST",
                       help=f"of {', '.join(CONTEXT_NAMES)}, as in nmi,panic")
    group.add_argument("--level", type=level, metavar="LEVEL",
                       help=f"and worse, of {', '.join(LEVELS)}")
    group.add_argument("--file", default="", metavar="PATTERN",
                       help="of the call site, as in quiesce.c or 'tv/*'")
    group.add_argument("--function", default="", metavar="PATTERN", help="of the call site, as in 'scode_*'")
    group.add_argument("--since", type=seconds, metavar="SECONDS", help="as the lines show them")
    group.add_argument("--until", type=seconds, metavar="SECONDS")


def of(options: argparse.Namespace) -> Filter:
    """The filter that add_arguments()'s options ask for."""
    return Filter(options.cpu, options.context, options.level, options.file, options.function,
                  options.since, options.until)


def cpu_list(text: str) -> set[int]:
    out: set[int] = set()
    for part in text.split(","):
        found = re.fullmatch(r"(\d{1,3})(?:-(\d{1,3}))?", part.strip())
        if not found:
            raise argparse.ArgumentTypeError(f"{text!r}: give CPUs as in 0,2-3")
        first, last = int(found[1]), int(found[2] or found[1])
        if last < first:
            raise argparse.ArgumentTypeError(f"{text!r}: {last} is below {first}")
        out |= set(range(first, last + 1))
    return out


def context_list(text: str) -> set[int]:
    names = text.lower().split(",")
    if not all(name in CONTEXT_NAMES for name in names):
        raise argparse.ArgumentTypeError(f"{text!r}: give some of {', '.join(CONTEXT_NAMES)}")
    return {CONTEXT_NAMES[name] for name in names}


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if math.isnan(value):       # nothing is before it or behind it: it would hide all or nothing
        raise argparse.ArgumentTypeError(f"{text!r}: give seconds, as in 3.5")
    return value


def level(text: str) -> int:
    """A level's name, or the letter that lines show."""
    for number, name in enumerate(LEVELS):
        if text.lower() in (name, name[0]):
            return number
    raise argparse.ArgumentTypeError(f"{text!r}: give one of {', '.join(LEVELS)}")


assert len(CONTEXT_NAMES) == len(CONTEXTS)
