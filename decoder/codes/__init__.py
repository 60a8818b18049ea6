"""Captures that Braid did not make: the older system's plain text, and the two codes that braid text of
several CPUs onto one wire (nibble.py, triple.py). recognise() says which a capture is.
"""
from __future__ import annotations

import re
from typing import Optional

from ..banner import PREAMBLE
from . import nibble, triple

BRAID, NIBBLE, TRIPLE, TEXT = "braid", "nibble", "base64", "text"
LOOK = 1 << 16      # bytes that are looked at
_TEXT = bytes(range(32, 127)) + b"\t\r\n\x1b"
LOG = re.compile(rb"\w\[\d+\]:[\w./-]+:\w+:\d+:|^\W*(?:CPU|AP|BSP)[ (#]", re.MULTILINE)


def share(data: bytes, allowed: bytes) -> float:
    """What part of `data` is bytes of `allowed`."""
    return 1 - len(data.translate(None, allowed)) / len(data) if data else 0.0


def recognise(data: bytes) -> Optional[str]:
    """BRAID if there is a banner; NIBBLE or TRIPLE if the bytes are of that code and mean text; TEXT if they
    are text; None if they are none of these (they may still be Braid's, joined half-way).
    """
    if PREAMBLE in data:
        return BRAID
    head = data[:LOOK]
    if nibble.plausible(head):
        return NIBBLE
    if triple.plausible(head):
        return TRIPLE
    return TEXT if share(head, _TEXT) > 0.9 else None


def is_log(data: bytes) -> bool:
    """Is this text a log of the older system: lines that name a call site or a CPU?"""
    return bool(LOG.search(data[:LOOK]))
