"""The command `follow`: a live port on the terminal, and its raw bytes in a file."""
from __future__ import annotations

import argparse
import signal
import sys
from typing import Optional, Sequence

from . import app, filters
from .columns import ColumnsOutput
from .elf import Finder
from .events import Note
from .live import listen
from .output import TextOutput
from .rawfile import RawWriter
from .render import Painter

ABOUT = """Shows a live log: a serial port, socket://host:port, rfc2217://host:port, - for stdin, or a file
that grows. Comes back when the port does. Ctrl-C ends it."""
EXAMPLES = """\
examples:
  python3 -m decoder follow /dev/ttyUSB0 --raw hang.raw       and keep what came, with the host's times
  python3 -m decoder follow socket://localhost:4555 --columns
  python3 -m decoder follow build/run/com1.raw --level warn
  python3 -m decoder hang.raw                                 what --raw kept, decoded again

A --raw file is never written over. If its disk fills up, that is said, and the log is still shown.
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = app.parser("follow", ABOUT, EXAMPLES)
    parser.add_argument("input", metavar="INPUT")
    parser.add_argument("--raw", metavar="FILE", help="keep the raw bytes, with the host's times")
    app.input_arguments(parser)
    app.colour_arguments(parser)
    return app.guarded(_run, parser, arguments)


def _run(options: argparse.Namespace) -> int:
    finder = Finder(options.elf)
    raw = RawWriter(options.raw) if options.raw else None
    painter = Painter() if app.in_colour(options) else None
    output: app.Output = TextOutput(sys.stdout, painter)
    if options.columns:
        output = ColumnsOutput(sys.stdout, painter)
    job = app.Job(options.input, True, finder, output, filters.of(options))
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for item in listen(options.input, options.baud):
            if isinstance(item, str):
                job.take(b"")
                job.show([Note(text=item)])
                output.flush()      # nothing else may come for hours
                continue
            if raw is not None and item:
                raw.write(item)
                problem = raw.problem()
                if problem:
                    job.show([Note(text=problem)])
                    app.say(problem)
            job.take(item)
            if finder.refused:
                break
    except KeyboardInterrupt:
        pass
    finally:
        last = raw.close() if raw is not None else ""
    job.take(None)
    if last:
        app.say(last)
    return app.finish([job], finder)
