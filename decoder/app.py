"""What the commands share: arguments, one input on its way to one output, and errors as one line."""
from __future__ import annotations

import argparse
import io
import os
import sys
from typing import Callable, Optional, Protocol, Sequence

from . import filters
from .codes.judge import Judge
from .elf import Finder
from .events import Event, Note
from .problem import Problem
from .report import closing
from .stream import Decoder

ME = "decoder"
NOTHING = 2     # exit status: nothing could be read
INTERRUPTED = 130


class Output(Protocol):
    """Where events go."""

    def write(self, events: list[Event]) -> None: ...

    def flush(self) -> None: ...

    def close(self) -> None:
        """Nothing comes any more."""


def say(text: str) -> None:
    if sys.stderr is None:      # it was closed: print() would take stdout
        return
    try:
        print(f"{ME}: {text}", file=sys.stderr, flush=True)
    except OSError:
        pass        # it takes no more, and there is nowhere to say so


def guarded(run: Callable[[argparse.Namespace], int], arguments: argparse.ArgumentParser,
            words: Optional[Sequence[str]]) -> int:
    """Runs a command; what goes wrong becomes one line and a status. Users never see a traceback."""
    try:
        if sys.stdout is None:
            raise Problem("stdout is closed: nothing can be shown")
        if isinstance(sys.stdout, io.TextIOWrapper):
            if isinstance(sys.stdout.buffer, io.RawIOBase):
                # PYTHONUNBUFFERED: Python would not notice that a disk took a part only
                sys.stdout = open(sys.stdout.fileno(), "w", encoding=sys.stdout.encoding, closefd=False)
            sys.stdout.reconfigure(errors="backslashreplace")
        try:
            return run(arguments.parse_args(words))
        finally:
            sys.stdout.flush()      # also what --help printed: an error has to come while it can be told
    except Problem as error:
        say(str(error))
        return NOTHING
    except KeyboardInterrupt:       # a second one, while the first one's last words are on their way
        return INTERRUPTED
    except BrokenPipeError:
        _mute()
        return 0
    except OSError as error:
        _mute()
        where = f"{error.filename}: " if error.filename else "output: "
        say(where + (error.strerror or str(error)))
        return NOTHING


def _mute() -> None:
    """stdout takes no more: what it still holds must not make Python's last flush fail."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser(command: str, about: str, epilog: str = "") -> argparse.ArgumentParser:
    name = f"python3 -m {ME} {command}".rstrip()
    return argparse.ArgumentParser(prog=name, description=about, epilog=epilog,
                                   formatter_class=argparse.RawDescriptionHelpFormatter)


def input_arguments(to: argparse.ArgumentParser) -> None:
    to.add_argument("--elf", action="append", default=[], metavar="FILE",
                    help="the ELF that made the capture; without it one in build/ is found by build-id")
    to.add_argument("--baud", type=int, default=115200, metavar="N",
                    help="of a serial port (default 115200)")
    filters.add_arguments(to)


def colour_arguments(to: argparse.ArgumentParser, form: Optional[argparse._MutuallyExclusiveGroup] = None
                     ) -> None:
    """`form`: the other views, of which one only can be asked for."""
    to.add_argument("--color", choices=("auto", "always", "never"), default="auto",
                    help="a colour for each CPU (default: if the output is a terminal)")
    (form or to).add_argument("--columns", action="store_true",
                              help="a column for each CPU, if the terminal is wide enough")


def in_colour(options: argparse.Namespace) -> bool:
    return bool(options.color == "always" or (options.color == "auto" and sys.stdout.isatty()))


class Job:
    """One input on its way to one output."""

    def __init__(self, name: str, live: bool, finder: Finder, output: Optional[Output],
                 view: filters.Filter, blocks: bool = False) -> None:
        """`blocks`: the output takes Blocks."""
        self.name = name
        self._live = live
        self.decoder = Judge(Decoder(finder, blocks and not view.active))
        self._output = output
        self._view = view
        self._ended = False

    def take(self, chunk: Optional[bytes]) -> None:
        """The next bytes; empty if the input is silent, None if it has ended."""
        if self._ended:
            return
        if chunk is None:
            self._ended = True
            self.show(self.decoder.finish())
        else:
            self.show(self.decoder.feed(chunk) if chunk else self.decoder.idle())
        if self._output is not None and self._ended:
            self._output.close()
        elif self._output is not None and self._live:
            self._output.flush()

    def show(self, events: list[Event]) -> None:
        """Nothing is shown from where an ELF is refused: it would be of another build."""
        for at, event in enumerate(events):
            if isinstance(event, Note) and event.refused:
                events = events[:at]
                self._ended = True
                break
        if self._output is not None:
            self._output.write(self._view(events) if self._view.active else events)

    def close(self) -> bool:
        """Says how it went; was there anything?"""
        hidden = f", {self._view.hidden} lines hidden by filters" if self._view.hidden else ""
        say(f"{self.name}: {closing(self.decoder.stats)}{hidden}")
        return bool(self.decoder.stats.frames or self.decoder.stats.lines)


def finish(jobs: Sequence[Job], finder: Finder) -> int:
    """The exit status, after the inputs have ended and the last words were said."""
    if finder.refused:
        say(finder.refused)
        return NOTHING
    closed = [job.close() for job in jobs]
    sys.stdout.flush()
    return 0 if all(closed) else NOTHING
