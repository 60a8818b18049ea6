"""The command `decode`, which is also the one that needs no name. `python3 -m decoder --help`."""
from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Optional, Sequence

from . import app, filters
from .columns import ColumnsOutput
from .commands import listing
from .elf import Finder
from .output import JsonOutput, SplitOutput, TextOutput, split_files
from .problem import Problem
from .render import Painter
from .report import table
from .sort import WINDOW, SortedOutput
from .source import Source, gather, open_source

ABOUT = "Unbraids Braid's serial log: each CPU's trace off one wire, with every loss shown where it happened."
EXAMPLES = f"""\
commands (python3 -m decoder COMMAND --help):
{listing()}
examples:
  python3 -m decoder build/demo/com1.raw              a finished capture, all CPUs in the order of the wire
  python3 -m decoder --split traces capture.bin       traces/cpu0.txt and so on, traces/foreign.txt
  python3 -m decoder --sort capture.bin               all CPUs by time: of log=async, a backlog comes late
  python3 -m decoder --cpu 0,2 --level warn --since 3.5 capture.bin
  python3 -m decoder socket://localhost:4555          until it goes away; `follow` waits for it
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
    """Runs the command; returns its exit status."""
    return app.guarded(_run, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = app.parser("", ABOUT, EXAMPLES)
    parser.usage = "python3 -m decoder [decode] [options] INPUT [INPUT ...]"
    parser.add_argument("input", nargs="+", metavar="INPUT",
                        help="capture, - for stdin, serial port, socket://host:port, rfc2217://host:port")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--split", metavar="DIR",
                      help="cpu0.txt and so on, foreign.txt, and of console=log the guest's console.txt, in "
                           "DIR, where those of an earlier capture are removed; each of several inputs in "
                           "a folder of its name there")
    form.add_argument("--json", action="store_true", help="an object of JSON a line")
    parser.add_argument("--stats", action="store_true",
                        help="statistics instead of the trace; with --split after it, with --json as JSON")
    parser.add_argument("--sort", action="store_true",
                        help="by time, not in the order of the wire; of finished captures. A record that "
                             f"comes more than {WINDOW} events late is shown where it came, and counted")
    app.colour_arguments(parser, form)
    app.input_arguments(parser)
    return parser


def _run(options: argparse.Namespace) -> int:
    if options.columns and len(options.input) > 1:
        raise Problem("--columns is for one input")
    finder = Finder(options.elf)
    sources = [open_source(name, options.baud) for name in options.input]
    live = [source.name for source in sources if source.live]
    if options.sort and live:
        raise Problem(f"{live[0]} may go on for ever: --sort is for captures that are files")
    folders = _folders([source.name for source in sources])
    if options.split:
        _spare(options, folders)
    jobs = [_job(options, source, finder, folder) for source, folder in zip(sources, folders)]
    try:
        for index, chunk in gather(sources):
            jobs[index].take(chunk)
            if finder.refused:
                break
    except KeyboardInterrupt:
        pass
    for job in jobs:
        job.take(None)
    if options.stats and not finder.refused:
        _statistics(options, jobs)
    status = app.finish(jobs, finder)
    for note in [note for source in sources for note in source.notes()]:
        app.say(note)
    return status


def _statistics(options: argparse.Namespace, jobs: Sequence[app.Job]) -> None:
    for job in jobs:
        if options.json:
            print(json.dumps({"source": job.name, **job.decoder.stats.summary()}))
        else:
            table(job.decoder.stats, job.name, app.in_colour(options))


def _folders(names: Sequence[str]) -> list[str]:
    """Where --split puts each input, below its DIR: a single one in DIR itself, each of several in a folder
    of its name, with a number behind it if another has that name.
    """
    if len(names) == 1:
        return [""]
    out: list[str] = []
    for name in names:
        base = folder = os.path.basename(name) or "input"
        number = 1
        while folder in out:
            number += 1
            folder = f"{base}-{number}"
        out.append(folder)
    return out


def _spare(options: argparse.Namespace, folders: Sequence[str]) -> None:
    """--split writes over its own files of an earlier capture: none of them may be an input."""
    for path in [path for folder in folders for path in split_files(os.path.join(options.split, folder))]:
        if any(os.path.exists(name) and os.path.samefile(name, path) for name in options.input):
            raise Problem(f"{path} is an input, and --split would write over it: give another DIR")


def _job(options: argparse.Namespace, source: Source, finder: Finder, folder: str) -> app.Job:
    output = _output(options, source, folder)
    blocks = isinstance(output, TextOutput) and not folder and not app.in_colour(options)
    if options.sort and output is not None:
        output, blocks = SortedOutput(output), False
    return app.Job(source.name, source.live, finder, output, filters.of(options), blocks)


def _output(options: argparse.Namespace, source: Source, folder: str) -> Optional[app.Output]:
    """`folder`: empty if there is one input only."""
    if options.split:
        return SplitOutput(os.path.join(options.split, folder))
    if options.stats:
        return None
    if options.json:
        return JsonOutput(sys.stdout, source.name if folder else "")
    painter = Painter() if app.in_colour(options) else None
    if options.columns:
        return ColumnsOutput(sys.stdout, painter)
    return TextOutput(sys.stdout, painter, f"{source.name}: " if folder else "")
