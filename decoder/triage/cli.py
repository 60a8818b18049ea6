"""The command line: python3 -m decoder triage --help."""
from __future__ import annotations

import argparse
import json
import sys
from typing import Optional, Sequence

from .. import app
from ..codes import BRAID, NIBBLE, TEXT, TRIPLE, is_log, recognise
from ..detect import detect
from ..elf import Finder
from ..source import SourceError
from .batch import Batch
from .capture import SURE, Capture, damaged, settle
from .inputs import Inputs, Item
from .show import Previous, notes, reasons, show
from .sort_braid import sort_braid
from .sort_text import sort_text
from .table import Row, TableError, change, load, merged_first, rows_of, save
from .text import Text, is_verdict, read
from .unbraid import unbraid

OK, NEW = 0, 1
ABOUT = "Sorts captures by how they ended (pass, hang, panic, reset, damaged) and what they say last."
EXAMPLES = """\
examples:
  python3 -m decoder triage captures/                       the table of a directory
  python3 -m decoder triage night.tar.xz --save night.json  of an archive; keep it
  python3 -m decoder triage new/ --previous night.json      what is new, gone, more, less
  python3 -m decoder triage one.raw --why                   each capture with the reasons

captures: Braid's own, plain text of the older system, the nibble code, the three-symbol code; told apart by
themselves. In directories and archives README*, *.md, *.json, *.elf, *.iso and text that is no
log are passed over.

exit status: 0 sorted; 1 sorted, and a failure appeared that --previous has not; 2 nothing could be sorted
"""


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Runs triage; returns its exit status. Users never see a traceback."""
    return app.guarded(_run, _parser(), arguments)


def _parser() -> argparse.ArgumentParser:
    parser = app.parser("triage", ABOUT, EXAMPLES)
    parser.add_argument("path", nargs="+", metavar="PATH", help="capture, directory, or tar archive")
    parser.add_argument("--previous", metavar="FILE", help="compare with an earlier batch's table")
    parser.add_argument("--save", metavar="FILE", help="keep the table for a later --previous")
    parser.add_argument("--json", action="store_true", help="the table as JSON, on stdout")
    parser.add_argument("--why", action="store_true",
                        help="a line for each capture, with reasons, before the table")
    parser.add_argument("--elf", action="append", default=[], metavar="FILE",
                        help="the ELF of Braid's captures; without it one in build/ is found by build-id")
    return parser


def _run(options: argparse.Namespace) -> int:
    previous = _previous(options.previous) if options.previous else {}
    inputs = Inputs(options.path)
    finder = Finder(options.elf)
    captures, skipped = sort(inputs, finder)
    if finder.refused:
        app.say(finder.refused)
    for problem in inputs.problems:
        app.say(problem)
    if skipped:
        app.say(f"passed over, no logs: {', '.join(skipped[:5])}{' and more' if len(skipped) > 5 else ''}")
    if not captures:
        raise SourceError("no capture to sort")
    rows = rows_of(captures)
    for row in rows:
        merged_first(row, previous.get(row.key))
    new = [row for row in rows if options.previous and change(row, previous).new]
    _print(options, rows, captures, previous)
    if options.save:
        with open(options.save, "w", encoding="utf-8") as file:
            json.dump(save(rows), file, indent=1)
            file.write("\n")
    for row in new:
        app.say(f"new: {row.outcome}, {row.signature}")
    return NEW if new else OK


def _previous(path: str) -> Previous:
    with open(path, encoding="utf-8") as file:
        try:
            return load(json.load(file))
        except (ValueError, RecursionError, TableError) as error:
            why = str(error) if isinstance(error, TableError) else "not a table that --save wrote"
            raise SourceError(f"{path}: {why}") from None


def _print(options: argparse.Namespace, rows: list[Row], captures: list[Capture],
           previous: Previous) -> None:
    if options.json:
        print(json.dumps(save(rows)))
    else:
        for line in reasons(captures) if options.why else []:
            print(line)
        show(rows, previous, bool(options.previous), sys.stdout.isatty())
    sys.stdout.flush()
    for line in notes(rows, captures, previous):
        app.say(line)


def sort(inputs: Inputs, finder: Finder) -> tuple[list[Capture], list[str]]:
    """All captures, sorted, and the names of what is none. Text is judged when all of it was read: a batch
    teaches what is usual.
    """
    captures: list[Capture] = []
    texts: list[tuple[Capture, Text]] = []
    skipped: list[str] = []
    for item in inputs.items():
        capture = Capture(item.name, item.folder, item.when)
        kind = _kind(item)
        if kind is None:
            skipped.append(item.name)
            continue
        captures.append(capture)
        if kind == BRAID:
            sort_braid(capture, item.data, finder)
        elif kind == TEXT:
            texts.append((capture, read(item.data)))
        elif kind in (NIBBLE, TRIPLE):
            _coded(capture, item, kind, texts)
        else:
            damaged(capture, kind, SURE)
    batch = Batch(text for _, text in texts)
    for capture, text in texts:
        sort_text(capture, text, batch)
    settle(captures)
    return captures, skipped


def _kind(item: Item) -> Optional[str]:
    """What to read it as; None for no capture at all, else why it cannot be read."""
    if not item.data:
        return "empty"
    kind = recognise(item.data)
    if kind is None:
        return BRAID if detect(item.data[:1 << 16]) is not None else "neither text nor a code that is known"
    if kind == TEXT and not item.given and not is_log(item.data) and not is_verdict(item.data):
        return None
    return kind


def _coded(capture: Capture, item: Item, kind: str, texts: list[tuple[Capture, Text]]) -> None:
    text, cut, slips = unbraid(item.data, kind)
    if slips * 100 > len(item.data):
        damaged(capture, f"{slips} times bytes are missing or foreign, in {len(item.data)}", SURE)
    else:
        texts.append((capture, read(text, cut)))
