"""Sorts a capture of Braid's own log. Its records are exact: a format is an id, a frame has a CRC, a loss is
counted. So the signature is the sorted set over the CPUs of how each one's trace ends: context, call site,
format, the words among its arguments (a phase, a function), and whether a frame was left open.
"""
from __future__ import annotations

import re
from collections import deque
from typing import Iterable, Sequence

from ..elf import Finder
from ..events import CONTEXTS, Boot, Cut, Event, Note, Record
from ..stream import Decoder
from .capture import HANG, LIKELY, PANIC, PASS, RESET, SURE, Capture, damaged
from .text import normal

PANIC_CONTEXT = CONTEXTS.index("panic")
OVER = re.compile(r"\bpower(s|ed)?[ -]?off\b|\bshut(s|ting)?[ -]?down\b", re.IGNORECASE)
CHUNK = 1 << 20
RECENT = 64             # the last records, in which a CPU may say whom it waits for
OVER_WITHIN = 4         # the last records among which the end is announced
WAITS = re.compile(r"\bwaiting\b.*\bfor cpu", re.IGNORECASE)
LOST = 50               # of so many frames one may be lost


def sort_braid(capture: Capture, data: bytes, finder: Finder) -> None:
    """Fills in the capture."""
    decoder = Decoder(finder)
    boots = Boots()
    for at in range(0, len(data), CHUNK):
        boots.take(decoder.feed(data[at:at + CHUNK]))
    boots.take(decoder.finish())
    total = decoder.stats.total()
    capture.size = total.lines
    if not data:
        damaged(capture, "empty", SURE)
        return
    if not total.frames or not boots.lines:
        damaged(capture, "a banner, and no record behind it" if boots.count else "no valid frame", SURE)
        return
    lost = total.frames_lost + total.damaged
    if boots.over:
        capture.outcome, capture.sureness = RESET, SURE
        capture.why.append("another boot follows")
    elif boots.panics:
        capture.outcome, capture.sureness = PANIC, SURE
    elif lost * LOST > total.frames:
        damaged(capture, f"{lost} frames lost or damaged, {total.frames} valid", SURE)
        return
    elif boots.said_over():
        capture.outcome, capture.sureness = PASS, SURE
        capture.why.append("its last records say that the guest ended")
    else:
        _hang(capture, boots)
    capture.signature = boots.signature()
    if boots.ids:
        capture.signature += f" (ids of {boots.build or 'a build that it does not name'})"
        capture.why.append("without its ELF the formats are ids, good for this build only")
    if lost:
        capture.less_sure(f"{lost} frames are lost or damaged")


def _hang(capture: Capture, boots: Boots) -> None:
    capture.outcome, capture.sureness = HANG, LIKELY
    waits = next((one.message for one in reversed(boots.recent) if WAITS.search(one.message)), "")
    if waits:
        capture.words, capture.sureness = waits, SURE
        capture.why.append("it says whom it waits for")
    elif boots.open:
        capture.why.append("a frame was left open")
        capture.silent = True
    else:
        capture.silent = True


class Boots:
    """The ends of each CPU's trace, up to the second boot in the capture."""

    def __init__(self) -> None:
        self.count = 0
        self.over = False                       # a boot followed the records
        self.lines: dict[int, str] = {}         # CPU -> its last record
        self.panics: dict[int, str] = {}        # CPU -> its first record in the panic context
        self.open: set[int] = set()             # CPUs with a frame left open
        self.recent: deque[Record] = deque(maxlen=RECENT)
        self.ids = False                        # formats are ids: the ELF is missing
        self.build = ""                         # then, the build

    def take(self, events: Iterable[Event]) -> None:
        for event in events:
            if isinstance(event, Boot):
                self.count += 1
                self.over = self.over or bool(self.lines)
            elif self.over:
                return
            elif isinstance(event, Record):
                self._record(event)
            elif isinstance(event, Cut):
                self.open.add(event.lane)
            elif isinstance(event, Note) and "was made by" in event.text:
                self.build = "build " + event.text.partition("was made by ")[2].split(":")[0]

    def _record(self, record: Record) -> None:
        line = ending(record)
        self.lines[record.lane] = line
        self.ids = self.ids or bool(record.id and not record.file)
        if record.context == PANIC_CONTEXT:
            self.panics.setdefault(record.lane, line)
        self.recent.append(record)

    def said_over(self) -> bool:
        return any(OVER.search(one.message) for one in list(self.recent)[-OVER_WITHIN:])

    def signature(self) -> str:
        """A CPU that panicked is known by what it said first, any other by what it said last."""
        ends = {**self.lines, **self.panics}
        return " | ".join(sorted({line + (" [open frame]" if lane in self.open else "")
                                  for lane, line in ends.items()}))


def ending(record: Record) -> str:
    """What a record says, without what changes from run to run."""
    context = f"{CONTEXTS[record.context]} " if record.context else ""
    if not record.file:
        what = re.sub(r"^(#\d+).*", r"\1", record.message) if record.id else normal(record.message)
        return context + what
    words = _words(record.args)
    said = f" [{', '.join(words)}]" if words else ""
    return f"{context}{record.file.rpartition('/')[2]}:{record.function}: {record.format}{said}"


def _words(args: Sequence[object]) -> list[str]:
    return [normal(arg.decode("ascii", "replace"))[:40] for arg in args if isinstance(arg, bytes)]
