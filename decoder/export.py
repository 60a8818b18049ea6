"""What the exports share: one capture read to its end, written to a file or to stdout."""
from __future__ import annotations

import argparse
import io
import os
import sys
from typing import Callable, Optional, Sequence

from . import app, filters
from .elf import Finder
from .problem import Problem
from .source import open_source


def _same(one: str, other: str) -> bool:
    return os.path.exists(one) and os.path.exists(other) and os.path.samefile(one, other)


def main(command: str, about: str, make: Callable[[io.TextIOBase], app.Output],
         arguments: Optional[Sequence[str]]) -> int:
    parser = app.parser(command, about)
    parser.add_argument("input", metavar="INPUT", help="capture, or - for stdin")
    parser.add_argument("-o", "--output", metavar="FILE", help="default: stdout")
    app.input_arguments(parser)

    def run(options: argparse.Namespace) -> int:
        finder = Finder(options.elf)
        source = open_source(options.input, options.baud)
        if options.output and _same(options.input, options.output):
            raise Problem(f"{options.output} is the capture itself: give another file to write")
        stream = open(options.output, "w", encoding="utf-8") if options.output else sys.stdout
        export = make(stream)       # type: ignore[arg-type]
        job = app.Job(source.name, False, finder, export, filters.of(options))
        try:
            for chunk in source.chunks():
                job.take(chunk)
        except KeyboardInterrupt:
            pass
        job.take(None)
        stream.flush()
        return app.finish([job], finder)

    return app.guarded(run, parser, arguments)
