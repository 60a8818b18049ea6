"""Events -> lines of text, for people.

      1.234567 cpu2       I scode_register: zeroing section 3

Time in seconds since the first SYNC (`~` before it: uncertain, `?`: not known), CPU, context unless it is
the normal one, level, function, message. What is not a record stands behind `--`. Pure functions, but for
the Painter, which knows the terminal's colours.
"""
from __future__ import annotations

from typing import Callable, Iterable, Iterator, Optional

from rich.color import ColorSystem
from rich.style import Style

from .events import CONTEXTS, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Note, Record, Sync
from .formats import escape

LETTERS = "EWIDT"
MARKS = ("", "NMI", "#MC", "PANIC")
NO_TIME = " " * 13


def line_of(event: Event) -> Optional[str]:
    """The event as one line without a line feed; None for those that are of no interest to a reader
    (Sync).
    """
    show = _SHOW.get(type(event))
    return show(event) if show is not None else None


def time_of(event: Event) -> str:
    """13 characters."""
    if event.seconds is None:
        return "            ?"
    if event.uncertain:
        return f"~{event.seconds:.6f}".rjust(13)
    return f"{event.seconds:13.6f}"


def _record(event: Record) -> str:
    place = event.function + ": " if event.function else ""
    mark = MARKS[event.context] if event.context else ""
    tail = f" <cut: {event.cut}>" if event.cut else ""
    cpu = event.lane if event.lane >= 0 else "?"    # foreign captures have lines that name no CPU
    return f"{time_of(event)} cpu{cpu:<2} {mark:5} {LETTERS[event.level]} {place}{event.message}{tail}"


def _aside(event: Event, text: str) -> str:
    return f"{time_of(event)} cpu{event.lane:<2} {'':5} -- cpu{event.lane} {CONTEXTS[event.context]}: {text}"


def _loss(event: Loss) -> str:
    if event.count < 0:
        return _aside(event, f"{_count(-event.count, 'frame')} fewer lost than was shown before")
    modulo = "" if event.exact else " (modulo 16)"
    span = f"{event.first} to {event.last}" if event.count > 1 else str(event.first)
    return _aside(event, f"{_count(event.count, 'frame')} lost, sequence {span}{modulo}")


def _dropped(event: Dropped) -> str:
    return _aside(event, f"{_count(event.count, 'record')} left in the ring only: the wire was full")


def _damage(event: Damage) -> str:
    return _aside(event, f"damaged frame of {_count(event.size, 'byte')} ({event.why})")


def _cut(event: Cut) -> str:
    return _aside(event, f"cut frame of {_count(event.size, 'byte')} ({event.why})")


def _foreign(event: Foreign) -> str:
    text = foreign_line(event)
    if not event.is_text:
        text = f"{_count(len(event.data), 'byte')} of no valid frame: {event.data[:16].hex(' ')}"
        text += " ..." if len(event.data) > 16 else ""
    return f"{NO_TIME} foreign | {text}"


def _boot(event: Boot) -> str:
    return f"{NO_TIME} -- boot: {escape(event.text)}"


def _note(event: Note) -> str:
    return f"{NO_TIME} -- {escape(event.text)}"


def collapse(events: Iterable[Event]) -> Iterator[Event]:
    """Foreign bytes that are no text and follow one another become one event: a reader wants to know how
    many they are.
    """
    junk: list[Foreign] = []
    for event in events:
        is_junk = isinstance(event, Foreign) and not event.is_text
        if junk and not is_junk:
            yield Foreign(data=b"".join([one.data for one in junk]), at=junk[0].at)
            junk = []
        if isinstance(event, Foreign) and is_junk:
            junk.append(event)
        else:
            yield event
    if junk:
        yield Foreign(data=b"".join([one.data for one in junk]), at=junk[0].at)


def foreign_line(event: Foreign) -> str:
    """All of a foreign line, for the foreign trace: nothing in it moves the cursor. Bytes beyond ASCII as
    \\xNN.
    """
    return escape(event.data.decode("ascii", "backslashreplace").rstrip("\r\n"))


def _count(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


_SHOW: dict[type, Callable[..., str]] = {
    Record: _record,
    Loss: _loss,
    Dropped: _dropped,
    Damage: _damage,
    Cut: _cut,
    Foreign: _foreign,
    Boot: _boot,
    Note: _note,
}
assert Sync not in _SHOW    # counters are for the ledger, not for readers

CPU_COLOURS = "green cyan yellow magenta bright_blue bright_green bright_cyan bright_magenta".split()


class Painter:
    """Gives lines the colours of a terminal: one for each CPU, red for errors and losses, dim for foreign
    text.
    """

    def __init__(self) -> None:
        self._cpus = [Style.parse(colour) for colour in CPU_COLOURS]
        self._bad = Style.parse("bold red")
        self._warn = Style.parse("bold")
        self._dim = Style.parse("dim")
        self._note = Style.parse("bold white")

    def paint(self, event: Event, line: str) -> str:
        return self._style(event).render(line, color_system=ColorSystem.STANDARD)

    def _style(self, event: Event) -> Style:
        if isinstance(event, Record):
            style = self._cpus[event.lane % len(self._cpus)]
            if event.level == 0 or event.cut:
                return self._bad
            if event.level == 1:
                return style + self._warn
            return style + self._dim if event.level > 2 else style
        if isinstance(event, (Loss, Dropped, Damage, Cut)):
            return self._bad
        return self._dim if isinstance(event, Foreign) else self._note
