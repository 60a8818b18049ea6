"""The command `decode`, which is also the one that needs no name. `python3 -m decoder --help`."""
from __future__ import annotations

import argparse
import io
import json
import os
import sys
from typing import Optional, Sequence, Union

from .commands import listing
from .elf import ElfError, Finder
from .events import Event, Note
from .output import JsonOutput, SplitOutput, TextOutput
from .render import Painter
from .report import closing, table
from .source import Source, SourceError, gather, open_source
from .stream import Decoder

Output = Union[TextOutput, JsonOutput, SplitOutput, None]
ME = "decoder"
NOTHING = 2

ABOUT = "Unbraids Braid's serial log: each CPU's trace off one wire, with every loss shown where it happened."
EXAMPLES = f"""\
commands (python3 -m decoder COMMAND --help):
{listing()}
examples:
  python3 -m decoder build/demo/com1.raw              a finished capture, all CPUs in the order of the wire
  python3 -m decoder --split traces capture.bin       traces/cpu0.txt and so on, traces/foreign.txt
  python3 -m decoder /dev/ttyUSB0                     follow a machine at 115200 baud; Ctrl-C ends it
  python3 -m decoder socket://localhost:4555          follow an emulator with its serial port on TCP
  tail -c +1 -f capture.bin | python3 -m decoder -    follow a capture that something else writes
  python3 -m decoder --stats capture.bin              frames, losses, bytes a line, for each CPU
  python3 -m decoder --json capture.bin | jq -c 'select(.type == "loss")'
  python3 -m decoder --elf old/braid.elf capture.bin  a capture of another build

a line:
    1.234567 cpu2   NMI I doorbell: request 17 seen
  seconds since the first SYNC (~ uncertain, ? unknown), CPU, context unless normal, level (E W I D T),
  function, message. `--` stands before losses, damaged and cut frames, boots; `foreign |` before what is not
  of the log (firmware, GRUB, damage).

exit status:
  0  read; losses and damage are shown and counted, and are no error
  2  nothing could be read: bad usage, no such input, an empty one, no valid frame in it, a wrong ELF
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs one command; returns its exit status. Users never see a traceback."""
    options = _parser().parse_args(arguments)
    try:
        return _run(options)
    except (SourceError, ElfError) as error:
        _say(str(error))
        return NOTHING
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # for Python's last flush
        return 0
    except OSError as error:
        where = f"{error.filename}: " if error.filename else "output: "
        _say(where + (error.strerror or str(error)))
        return NOTHING


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python3 -m decoder", description=ABOUT, epilog=EXAMPLES,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("input", nargs="+", metavar="INPUT",
                        help="capture, - for stdin, serial port, socket://host:port, rfc2217://host:port")
    parser.add_argument("--elf", action="append", default=[], metavar="FILE",
                        help="the ELF that made the capture; without it one in build/ is found by build-id")
    parser.add_argument("--baud", type=int, default=115200, metavar="N",
                        help="of a serial port (default 115200)")
    parser.add_argument("--color", choices=("auto", "always", "never"), default="auto",
                        help="a colour for each CPU (default: if the output is a terminal)")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--split", metavar="DIR", help="a file for each CPU, and foreign.txt, in DIR")
    form.add_argument("--json", action="store_true", help="an object of JSON a line")
    parser.add_argument("--stats", action="store_true",
                        help="statistics instead of the trace; with --split after it, with --json as JSON")
    return parser


def _run(options: argparse.Namespace) -> int:
    finder = Finder(options.elf)
    sources = [open_source(name, options.baud) for name in options.input]
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    colour = options.color == "always" or (options.color == "auto" and sys.stdout.isatty())
    jobs = [Job(source, finder, _output(options, source, colour, len(sources) > 1)) for source in sources]
    try:
        for index, chunk in gather(sources):
            jobs[index].take(chunk)
            if finder.refused:
                break
    except KeyboardInterrupt:
        pass
    for job in jobs:
        job.take(None)
    if finder.refused:
        _say(finder.refused)
        return NOTHING
    for job in jobs:
        stats = job.decoder.stats
        if options.stats and options.json:
            print(json.dumps({"source": job.source.name, **stats.summary()}))
        elif options.stats:
            table(stats, job.source.name, colour)
        _say(f"{job.source.name}: {closing(stats)}")
    sys.stdout.flush()
    return 0 if all(job.decoder.stats.frames for job in jobs) else NOTHING


def _output(options: argparse.Namespace, source: Source, colour: bool, several: bool) -> Output:
    if options.split:
        name = os.path.basename(source.name) if several else ""
        return SplitOutput(os.path.join(options.split, name) if name else options.split)
    if options.stats:
        return None
    if options.json:
        return JsonOutput(sys.stdout, source.name if several else "")
    return TextOutput(sys.stdout, Painter() if colour else None, f"{source.name}: " if several else "")


class Job:
    """One input on its way to one output."""

    def __init__(self, source: Source, finder: Finder, output: Output) -> None:
        self.source = source
        self.decoder = Decoder(finder)
        self._output = output
        self._ended = False

    def take(self, chunk: Optional[bytes]) -> None:
        """The next bytes; empty if the input is silent, None if it has ended."""
        if self._ended:
            return
        if chunk is None:
            self._ended = True
            self._write(self.decoder.finish())
        else:
            self._write(self.decoder.feed(chunk) if chunk else self.decoder.idle())
        if self._output is not None and (self.source.live or self._ended):
            self._output.flush()

    def _write(self, events: list[Event]) -> None:
        """Nothing is shown from where an ELF is refused: it would be of another build."""
        for at, event in enumerate(events):
            if isinstance(event, Note) and event.refused:
                events = events[:at]
                self._ended = True
                break
        if self._output is not None:
            self._output.write(events)


def _say(text: str) -> None:
    print(f"{ME}: {text}", file=sys.stderr)
