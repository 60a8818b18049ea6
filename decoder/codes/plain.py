"""A line of the older system's log, taken apart. Pure functions.

    TV[0]:scode.c:scode_register:587:      adding gpl to pal's npt:      component, level, call site, message
    CPU(0x03): VMPTRLD success.                                          a CPU that speaks of itself

Lines of several CPUs run into each other where one had written no line feed; a call site begins a line of
its own wherever it stands.
"""
from __future__ import annotations

import re
from typing import NamedTuple, Optional

SITE = re.compile(r"(?P<tag>[A-Za-z]\w{0,31})\[(?P<level>\d{1,9})\]:(?P<file>[\w./-]{1,99}\.\w+):"
                  r"(?P<function>\w+):(?P<line>\d+):[ \t]*(?P<message>.*)", re.DOTALL)
_CPU = re.compile(r"(?:CPU|AP|BSP)(?:\(0x([0-9a-fA-F]{1,2})|\((\d{1,2})\b| ?#(\d{1,2})\b)"
                  r"|xmhf_runtime_main\[(\d{1,2})\]")
_LEVELS = {0: 4, 1: 3, 2: 1, 3: 0}      # its trace, perf, warn, error -> ours
INFO = 2


class Parsed(NamedTuple):
    cpu: int            # -1: the line names none
    level: int          # of events.LEVELS
    file: str           # empty: no call site
    function: str
    line: int
    message: str


def parse(text: str) -> Parsed:
    site = SITE.match(text)
    if site is None:
        return Parsed(cpu_of(text), INFO, "", "", 0, text)
    message = site["message"]
    level = _LEVELS.get(int(site["level"]), INFO)
    return Parsed(cpu_of(message), level, site["file"], site["function"], int(site["line"][:9]), message)


def cpu_of(message: str) -> int:
    """The CPU that a message begins with, or -1. A CPU that it only speaks of is not meant."""
    found = _CPU.match(message.lstrip())
    if found is None:
        return -1
    return int(found[1], 16) if found[1] else int(found[2] or found[3] or found[4])


def pieces(text: str) -> list[str]:
    """A line, cut where a call site begins in its midst."""
    at = _midst(text)
    return [text] if at is None else [text[:at], text[at:]]


def _midst(text: str) -> Optional[int]:
    if "]:" not in text or SITE.match(text) or (found := SITE.search(text)) is None:
        return None
    # The tag has no space before it: of "tableTV" only the capitals that end the word can be it
    tag = re.search(r"[A-Z]+$", found["tag"])
    return found.start() + (tag.start() if tag else 0) or None
