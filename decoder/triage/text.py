"""Text of a log -> what triage needs of it: the form of each line, and the last lines themselves.

A form is a line without what changes from run to run: numbers, addresses, line numbers of the source. A line
that names its call site (`sited`) has the form "file:function: message".
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple, Optional

from ..codes import plain

MAX_LINE = 4096     # characters of a line that are looked at
TAIL = 64           # last lines that are kept whole
BOOT = 3            # so many first lines, once more, are a new boot
AFTER = 40          # and so many lines further on
_VERDICT = re.compile(r"\s*(pass|fail)[ \t]*\r?\n[ \t]*(\d{1,9})[ \t]*\r?\n", re.IGNORECASE)
_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|\b(?=[0-9a-fA-F]*\d)[0-9a-fA-F]{4,}\b|\d+")
_SPACE = re.compile(r"\s+")
_NOT_TEXT = re.compile(r"[^\t\r\n\x1b\x20-\x7e]")


class Line(NamedTuple):
    raw: str
    form: str
    sited: bool
    whole: bool     # the last line of a capture may not be


@dataclass
class Text:
    verdict: str = ""                   # pass, fail: what a harness wrote on the first line
    claimed: int = 0                    # and on the second: iterations that passed
    forms: list[str] = field(default_factory=list)
    sited: list[bool] = field(default_factory=list)
    tail: list[Line] = field(default_factory=list)
    tags: set[str] = field(default_factory=set)
    lines: int = 0
    reset: bool = False                 # a boot followed; forms and tail end before it
    garbled: int = 0                    # bytes that are no text
    size: int = 0

    @property
    def has_sites(self) -> bool:
        return any(self.sited)


def normal(text: str) -> str:
    return _SPACE.sub(" ", _NUMBER.sub("N", text)).strip()


@lru_cache(maxsize=1 << 14)
def form_of(raw: str) -> tuple[str, bool]:
    """The form of a line (one piece of it), and whether it names a call site."""
    parsed = plain.parse(raw.strip())
    if not parsed.file:
        return normal(raw), False
    return f"{parsed.file}:{parsed.function}: {normal(parsed.message)}", True


def read(data: bytes, cut: int = 1) -> Text:
    """Reads a capture that is plain text, with or without a verdict before it. The last `cut` lines are not
    whole, if they do not end in a line feed.
    """
    raw = data.decode("latin-1")
    out = Text(size=len(raw), garbled=len(_NOT_TEXT.findall(raw)))
    verdict = _VERDICT.match(raw)
    if verdict is not None:
        out.verdict, out.claimed = verdict[1].lower(), int(verdict[2])
        raw = raw[verdict.end():]
    lines = _lines(raw, cut)
    out.lines = len(lines)
    end = _boot(lines)
    out.reset = end is not None
    lines = lines[:end]
    # One string for each form: a batch has many lines and few forms
    known: dict[str, str] = {}
    out.forms = [known.setdefault(line.form, line.form) for line in lines if line.whole]
    out.sited = [line.sited for line in lines if line.whole]
    out.tags = {line.raw.strip().partition("[")[0] for line in lines[::AFTER] if line.sited}
    out.tail = lines[-TAIL:]
    return out


def _lines(raw: str, cut: int) -> list[Line]:
    pieces = [part for line in raw.split("\n") for part in plain.pieces(line[:MAX_LINE]) if part.strip()]
    whole = len(pieces) - (cut if raw and not raw.endswith("\n") else 0)
    return [Line(part, *form_of(part), at < whole) for at, part in enumerate(pieces)]


def _boot(lines: list[Line]) -> Optional[int]:
    """Where the first lines of the capture come again: there the machine booted once more. A capture that
    begins within the work is no measure for that: its first lines come again and again.
    """
    head = [line.form for line in lines[:BOOT]]
    if len(set(head)) < BOOT or any(line.sited for line in lines[:BOOT]):
        return None
    places = [at for at in range(AFTER, len(lines) - BOOT) if lines[at].form == head[0]
              and [line.form for line in lines[at:at + BOOT]] == head]
    return places[0] if places and len(places) <= 4 else None


def is_verdict(data: bytes) -> bool:
    """Does it begin with a harness's verdict?"""
    return _VERDICT.match(data[:64].decode("latin-1")) is not None
