"""What the exports share: one capture read to its end, written to a file or to stdout."""
from __future__ import annotations

import argparse
import io
import sys
from typing import Callable, Optional, Protocol, Sequence

from . import app, filters
from .elf import Finder
from .events import Event
from .source import open_source


class Export(Protocol):
    def write(self, events: list[Event]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None:
        """Writes what belongs behind the last event."""


def main(command: str, about: str, make: Callable[[io.TextIOBase], Export],
         arguments: Optional[Sequence[str]]) -> int:
    parser = app.parser(command, about)
    parser.add_argument("input", metavar="INPUT", help="capture, or - for stdin")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    app.input_arguments(parser)

    def run(options: argparse.Namespace) -> int:
        finder = Finder(options.elf)
        source = open_source(options.input, options.baud)
        stream = open(options.output, "w", encoding="utf-8") if options.output else sys.stdout
        export = make(stream)       # type: ignore[arg-type]
        job = app.Job(source.name, False, finder, export, filters.of(options))
        try:
            for chunk in source.chunks():
                job.take(chunk)
        except KeyboardInterrupt:
            pass
        job.take(None)
        export.close()
        stream.flush()
        return app.finish([job], finder)

    return app.guarded(run, parser.parse_args(arguments))
