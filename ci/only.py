"""ONLY=REGEX of the test runners: which of their rows are asked for."""

from __future__ import annotations

import re
import sys
from typing import Callable, Sequence, TypeVar

T = TypeVar("T")


def only(rows: Sequence[T], name: Callable[[T], str]) -> list[T]:
    """Those whose names match the command line's word; without one, all. One that makes no sense is told in a
    line, and ends the program.
    """
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    try:
        found = [row for row in rows if re.search(pattern, name(row))]
    except re.error as error:
        sys.exit(f"ONLY={pattern} is no regular expression: {error}")
    if not found:
        sys.exit(f"ONLY={pattern} matches none of: {', '.join(map(name, rows))}")
    return found
