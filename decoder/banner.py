"""The banner: one line of ASCII that begins a boot (log/FORMAT.md, "Banner"). Pure functions."""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Optional

from . import wire

PREAMBLE = b"\r\n\r\n#BRAID "
MAX_LINE = 512                  # a banner that does not end by then has lost its end
_FIELD = re.compile(r"([a-z_]+)=(\S+)")


@dataclass
class Banner:
    text: str
    fields: dict[str, str]
    version: Optional[int]      # None for numbers that were damaged on the way
    t: Optional[int]
    shift: int
    khz: int
    epoch: Optional[int]
    build: bytes


def held(data: bytes) -> int:
    """How many bytes at the end of `data` may be the beginning of a preamble. None of them is START or
    END, for any t: nobody waits for them.
    """
    tail = data[-(len(PREAMBLE) - 1):]
    for size in range(len(tail), 0, -1):
        if PREAMBLE.startswith(tail[-size:]):
            return size
    return 0


def line_end(data: bytes) -> int:
    """Where the line behind a preamble ends (behind its line feed, or before the first byte that no banner
    has); -1 if it may go on.
    """
    for at, byte in enumerate(data[:MAX_LINE]):
        if byte == 10:
            return at + 1
        if byte != 13 and not 32 <= byte < 127:
            return at
    return MAX_LINE if len(data) >= MAX_LINE else -1


def parse(line: bytes) -> Banner:
    """`line` is what stands behind the preamble. Never fails: a field that is missing or damaged is None,
    0 or empty.
    """
    text = line.decode("latin-1").strip()
    fields = dict(_FIELD.findall(text))
    t = _number(fields.get("t"), wire.MAX_TAG_BITS)
    version = _number(text.split(" ")[0], 999)
    try:
        build = bytes.fromhex(fields.get("build", ""))
    except ValueError:
        build = b""
    shift, khz = _number(fields.get("shift"), 63), _number(fields.get("khz"), 1 << 40)
    epoch = _number(fields.get("epoch"), 1 << 32)
    return Banner(text, fields, version, t, shift or 0, khz or 0, epoch, build)


def _number(text: Optional[str], limit: int) -> Optional[int]:
    if text is None or not re.fullmatch(r"[0-9]{1,15}", text):
        return None
    return int(text) if int(text) <= limit else None
