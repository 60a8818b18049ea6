"""The command `html`: a timeline as one self-contained file: no network, no library, any browser.

Built from timeline.html beside this module, with the capture's data in its place. The data stand in the file
as JSON, a list for each kind of thing, times in microseconds.
"""
from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Iterable, Optional, Sequence, TextIO

from . import export
from .events import CONTEXTS, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Note, Record
from .render import foreign_line, line_of
from .spans import Found, Span, Spans

ABOUT = "Writes a timeline: one HTML file with all the data in it, which any browser opens without a network."
TEMPLATE = Path(__file__).with_name("timeline.html")
PLACE = "/*DATA*/null"
LOST, FOREIGN, BOOT = 5, 6, 7       # kinds behind the levels 0 to 4


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return export.main("html", ABOUT, HtmlOutput, arguments)        # type: ignore[arg-type]


class HtmlOutput:
    """Holds all of it until close()."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tracks: dict[tuple[int, int], int] = {}
        self._events: list[list[Any]] = []      # [time, track, kind, text]
        self._spans: list[list[Any]] = []       # [from, to, track, name]
        self._arrows: list[list[Any]] = []      # [from, track, to, track, name]
        self._finder = Spans()
        self._start = 0.0       # of this boot on the page: boots stand one after another
        self._now = 0.0         # latest time on the page

    def write(self, events: Iterable[Event]) -> None:
        for event in events:
            for found in self._finder.take(event):
                self._draw(found)
            if isinstance(event, Boot):
                self._start = self._now = self._now + (1.0 if self._events else 0.0)
            self._take(event)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        for found in self._finder.finish():
            self._draw(found)
        order = sorted(self._tracks, key=lambda key: (key[0] < 0, key))
        number = {self._tracks[key]: i for i, key in enumerate(order)}
        for row in self._events:
            row[1] = number[row[1]]
        for row in self._spans:
            row[2] = number[row[2]]
        for row in self._arrows:
            row[1], row[3] = number[row[1]], number[row[3]]
        self._events.sort(key=lambda row: float(row[0]))
        data = {"tracks": [_name(*key) for key in order], "events": self._events,
                "spans": self._spans, "arrows": self._arrows}
        text = json.dumps(data, separators=(",", ":")).replace("</", "<\\/").replace("<!--", "<\\u0021--")
        page = TEMPLATE.read_text(encoding="utf-8")
        assert PLACE in page
        self._stream.write(page.replace(PLACE, text))

    def _take(self, event: Event) -> None:
        if isinstance(event, Record):
            tail = f" <cut: {event.cut}>" if event.cut else ""
            place = event.function + ": " if event.function else ""
            self._add(event, event.level, place + event.message + tail)
        elif isinstance(event, (Loss, Dropped, Damage, Cut)):
            line = line_of(event) or ""
            self._add(event, LOST, line[line.index("--") + 3:])
        elif isinstance(event, Foreign):
            self._add(event, FOREIGN, foreign_line(event))
        elif isinstance(event, (Boot, Note)):
            self._add(event, BOOT, event.text)

    def _add(self, event: Event, kind: int, text: str) -> None:
        if event.seconds is not None:
            at = self._start + event.seconds
            self._now = max(self._now, at)
        else:
            at = self._now
        self._events.append([_micro(at), self._track(event.lane, event.context), kind, text])

    def _draw(self, found: Found) -> None:
        track = self._track(found.lane, found.context)
        if isinstance(found, Span):
            name = found.name + (" (open)" if found.open else "")
            ends = [_micro(self._start + at) for at in (found.begin, found.end)]
            self._spans.append([*ends, track, name])
        else:
            self._arrows.append([_micro(self._start + found.at), track, _micro(self._start + found.to_at),
                                 self._track(found.to_lane, found.to_context), found.name])

    def _track(self, lane: int, context: int) -> int:
        return self._tracks.setdefault((lane, context if lane >= 0 else 0), len(self._tracks))


def _name(lane: int, context: int) -> str:
    if lane < 0:
        return "others"
    return f"cpu{lane}" + (f" {CONTEXTS[context]}" if context else "")


def _micro(seconds: float) -> float:
    return round(seconds * 1e6, 1)
