"""The command `trace`: Chrome's JSON trace, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

A process for each boot, a track for each CPU and context, and one for its PAL calls, which begin within one
exit and end within another; records, losses and damage are instants, what lasts is a slice, a quiesce has
arrows (spans.py). Written as it comes, in constant memory.
"""
from __future__ import annotations

import json
from typing import Any, Iterable, Optional, Sequence, TextIO

from . import export
from .events import CONTEXTS, LEVELS, Boot, Cut, Damage, Dropped, Event, Foreign, Loss, Record
from .output import as_json
from .render import foreign_line, line_of
from .spans import Found, Span, Spans

ABOUT = """Writes a Chrome JSON trace, which ui.perfetto.dev and chrome://tracing open: a track for each CPU
and context."""
FOREIGN = 0     # track
NAMES = ("", *CONTEXTS[1:], "PAL calls")    # of a CPU's tracks
PALS = len(CONTEXTS)
SHORT = 1.0     # microseconds: of the slices that an arrow joins


def main(arguments: Optional[Sequence[str]] = None) -> int:
    return export.main("trace", ABOUT, TraceOutput, arguments)      # type: ignore[arg-type]


class TraceOutput:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._boot = 0
        self._tracks: set[tuple[int, int]] = set()
        self._now: dict[int, float] = {}        # latest time of a track, for what has none
        self._spans = Spans()
        self._arrows = 0
        self._stream.write('{"displayTimeUnit": "ns", "traceEvents": [\n')
        self._emit({"ph": "M", "pid": 0, "name": "process_name", "args": {"name": "before the first boot"}})

    def write(self, events: Iterable[Event]) -> None:
        for event in events:
            for found in self._spans.take(event):
                self._draw(found)
            if isinstance(event, Boot):
                self._boot += 1
                self._now = {}
                name = f"boot {self._boot}: {event.fields.get('build', '')[:16]}"
                self._emit({"ph": "M", "name": "process_name", "args": {"name": name}})
            elif isinstance(event, (Record, Loss, Dropped, Damage, Cut, Foreign)):
                self._instant(event)

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        for found in self._spans.finish():
            self._draw(found)
        self._stream.write('{"ph": "M", "pid": 0, "name": "end", "args": {}}\n]}\n')

    def _instant(self, event: Event) -> None:
        track = self._track(event.lane, event.context)
        args = {key: value for key, value in as_json(event).items() if value not in (None, "", "normal")}
        if isinstance(event, Record):
            name, category = event.message or " ", LEVELS[event.level]
        elif isinstance(event, Foreign):
            name, category = foreign_line(event) or " ", "foreign"
        else:
            line = line_of(event) or ""
            name, category = line[line.index("--") + 3:], type(event).__name__.lower()
        self._emit({"ph": "i", "s": "t", "tid": track, "ts": self._time(track, event.seconds), "name": name,
                    "cat": category, "args": args})

    def _draw(self, found: Found) -> None:
        if isinstance(found, Span):
            track = self._track(found.lane, PALS if found.name.startswith("PAL ") else found.context)
            self._emit({"ph": "X", "tid": track, "ts": _micro(found.begin), "cat": "span", "name": found.name,
                        "dur": round((found.end - found.begin) * 1e6, 3), "args": {"open": found.open}})
            return
        self._arrows += 1
        at = min(found.at, found.to_at)     # clocks that differ: an arrow back in time is not drawn
        ends = ((found.lane, found.context, at), (found.to_lane, found.to_context, found.to_at))
        for phase, (lane, context, at) in zip("sf", ends):
            place = {"tid": self._track(lane, context), "ts": _micro(at), "name": found.name, "cat": "arrow"}
            self._emit({"ph": "X", "dur": SHORT, **place})      # an arrow joins slices
            self._emit({"ph": phase, "id": self._arrows, "bp": "e", **place})

    def _time(self, track: int, seconds: Optional[float]) -> float:
        if seconds is None:
            return self._now.get(track, 0.0)
        self._now[track] = self._now[FOREIGN] = _micro(seconds)
        return self._now[track]

    def _track(self, lane: int, context: int) -> int:
        """Its number; names it when it is new."""
        number = FOREIGN if lane < 0 else lane * (PALS + 1) + context + 1
        if (self._boot, number) not in self._tracks:
            self._tracks.add((self._boot, number))
            name = "foreign" if lane < 0 else f"cpu{lane} {NAMES[context]}".rstrip()
            self._emit({"ph": "M", "tid": number, "name": "thread_name", "args": {"name": name}})
            self._emit({"ph": "M", "tid": number, "name": "thread_sort_index",
                        "args": {"sort_index": number}})
        return number

    def _emit(self, item: dict[str, Any]) -> None:
        self._stream.write(json.dumps({"pid": self._boot, **item}) + ",\n")


def _micro(seconds: float) -> float:
    return round(seconds * 1e6, 3)
