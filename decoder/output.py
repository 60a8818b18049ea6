"""Where events go: lines on a stream, JSON lines, or a file for each CPU. The decoder's output I/O; errors
are OSError.
"""
from __future__ import annotations

import json
import os
import re
from dataclasses import fields
from typing import Any, Iterable, Optional, TextIO

from .events import CONTEXTS, LEVELS, Block, Boot, Dropped, Event, Foreign, Loss, Note, Record
from .formats import plain
from .render import Painter, collapse, foreign_line, line_of, time_of


class TextOutput:
    """Merged, in the order of the wire. `prefix` names the input, where there are several."""

    def __init__(self, stream: TextIO, painter: Optional[Painter], prefix: str = "") -> None:
        self._stream = stream
        self._painter = painter
        self._prefix = prefix

    def write(self, events: Iterable[Event]) -> None:
        lines = []
        for event in collapse(events):
            if isinstance(event, Block):
                lines.append(event.text)
                continue
            line = line_of(event)
            if line is not None:
                if self._painter is not None:
                    line = self._painter.paint(event, line)
                lines.append(f"{self._prefix}{line}\n")
        self._stream.write("".join(lines))

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


class JsonOutput:
    """An object a line: "type" and the event's own fields."""

    def __init__(self, stream: TextIO, source: str = "") -> None:
        self._stream = stream
        self._source = source

    def write(self, events: Iterable[Event]) -> None:
        for event in events:
            value = as_json(event)
            if self._source:
                value["source"] = self._source
            self._stream.write(json.dumps(value) + "\n")

    def flush(self) -> None:
        self._stream.flush()

    def close(self) -> None:
        self._stream.flush()


SPLIT = re.compile(r"cpu\d+\.txt|foreign\.txt|console\.txt")
CONSOLE = "console: "       # so begin the records of core/guest/console.c: lines of the guest's own


def split_files(directory: str) -> list[str]:
    """Files in it that have the name of one that SplitOutput writes."""
    names = os.listdir(directory) if os.path.isdir(directory) else []
    return [os.path.join(directory, name) for name in names if SPLIT.fullmatch(name)]


class SplitOutput:
    """DIR/cpu0.txt and so on, DIR/foreign.txt, and DIR/console.txt if the guest's console is part of the log.
    What concerns the whole machine stands in each.
    """

    def __init__(self, directory: str) -> None:
        """Removes those of an earlier capture: nobody is to take them for this one's."""
        self.directory = directory
        self._files: dict[str, TextIO] = {}
        self._common: list[str] = []        # boot and notes since then, for files that come later
        os.makedirs(directory, exist_ok=True)
        for path in split_files(directory):
            os.remove(path)

    def write(self, events: Iterable[Event]) -> None:
        for event in events:
            line = foreign_line(event) if isinstance(event, Foreign) else line_of(event)
            if line is None:
                continue
            if isinstance(event, (Boot, Note)):
                self._common = [line] if isinstance(event, Boot) else self._common + [line]
                for stream in self._files.values():
                    stream.write(line + "\n")
            else:
                name = f"cpu{event.lane}.txt" if event.lane >= 0 else "foreign.txt"
                self._file(name).write(line + "\n")
                self._console(event, line)

    def flush(self) -> None:
        for stream in self._files.values():
            stream.flush()

    def close(self) -> None:
        for stream in self._files.values():
            stream.close()

    def _console(self, event: Event, line: str) -> None:
        """A line of the guest's as it wrote it. A loss may have been one."""
        if isinstance(event, Record) and _is_console(event):
            tail = f" <cut: {event.cut}>" if event.cut else ""
            text = event.message[len(CONSOLE):]
            self._file("console.txt").write(f"{time_of(event)} cpu{event.lane:<2} {text}{tail}\n")
        elif isinstance(event, (Loss, Dropped)) and event.context == 0 and "console.txt" in self._files:
            self._file("console.txt").write(line + "\n")

    def _file(self, name: str) -> TextIO:
        if name not in self._files:
            path = os.path.join(self.directory, name)
            self._files[name] = open(path, "w", encoding="utf-8", errors="backslashreplace")
            self._files[name].writelines(line + "\n" for line in self._common)
        return self._files[name]


def _is_console(event: Record) -> bool:
    return event.file.endswith("guest/console.c") and event.message.startswith(CONSOLE)


def as_json(event: Event) -> dict[str, Any]:
    """The event as an object of JSON. Bytes become text, with \\xNN for what is not UTF-8; an unknown time
    is null.
    """
    out: dict[str, Any] = {"type": type(event).__name__.lower()}
    for one in fields(event):
        out[one.name] = getattr(event, one.name)
    lane = out.pop("lane")
    out["cpu"] = lane if lane >= 0 else None
    out["context"] = CONTEXTS[event.context] if lane >= 0 else None
    if event.seconds is not None:
        out["seconds"] = round(event.seconds, 9)
    if isinstance(event, Record):
        out["level"] = LEVELS[event.level]
        out["args"] = [plain(a) if isinstance(a, bytes) else a for a in event.args]
    if isinstance(event, Foreign):
        out["data"] = event.data.decode("ascii", "backslashreplace")
    return out
