"""An older system's plain text log as records of ours: what its lines would cost on Braid's wire.

A line becomes a format (its words) and arguments (its numbers), as its call site would have had them. What
a site knows anyway is no argument: the prefix with module, file, function and line, and the name of the
CPU, which the lane tells. A line belongs to the CPU that it names, else to that of the line before. Formats
are numbered by how often they come, as a build that puts its hot sites first would. A format seen once only
is no format but damage (lines that ran into each other): such a line is sent as text.
"""

from __future__ import annotations

import re
import tarfile
from collections import Counter
from pathlib import Path
from typing import Iterator, NamedTuple, Union

CPUS = 4
PREFIX = re.compile(r"^TV\[\d\]:[\w.]+:\w+:\d+:\s*")
CPU = re.compile(r"CPU\((?:0x)?0([0-3])\)")
NUMBER = re.compile(r"0x([0-9a-fA-F]+)|\b([0-9a-fA-F]{8}|[0-9a-fA-F]{16})\b|([0-9]+)")
MAX_ARGS = 10
HEAD = 2        # lines of a file that tell how the run went


class Line(NamedTuple):
    cpu: int
    text: str
    format: str
    args: tuple[int, ...]


class Record(NamedTuple):
    cpu: int
    id: int                                 # 0: the body is text
    body: Union[str, tuple[int, ...]]


def parse(text: str, cpu: int) -> Line:
    """A line of the older system; `cpu` is that of the line before."""
    named = CPU.search(text)
    if named:
        cpu = int(named[1])
    prefix = PREFIX.match(text)
    site, rest = (prefix[0], text[prefix.end():]) if prefix else ("", text)
    rest = CPU.sub("CPU", rest)
    args: list[int] = []

    def take(match: re.Match[str]) -> str:
        if len(args) == MAX_ARGS:
            return match[0]
        digits, base = (match[3], 10) if match[3] else (match[1] or match[2], 16)
        args.append(int(digits, base) & 0xFFFF_FFFF_FFFF_FFFF)
        return "%"

    return Line(cpu, text, site + NUMBER.sub(take, rest), tuple(args))


def lines(archive: Path) -> Iterator[Line]:
    """The lines that are not blank, of all files in the order of their names."""
    with tarfile.open(archive) as tar:
        for member in sorted(tar.getmembers(), key=lambda entry: entry.name):
            file = tar.extractfile(member) if member.isfile() else None
            cpu = 0
            for raw in file.read().split(b"\n")[HEAD:] if file else ():
                text = raw.decode("latin-1").strip("\r\0")
                if text.strip():
                    line = parse(text, cpu)
                    cpu = line.cpu
                    yield line


def records(given: list[Line]) -> list[Record]:
    """What these lines would have been as records."""
    seen = Counter(line.format for line in given)
    ids = {name: number for number, (name, count) in enumerate(seen.most_common(), 1) if count > 1}
    return [Record(line.cpu, ids[line.format], line.args) if line.format in ids else
            Record(line.cpu, 0, line.text) for line in given]
