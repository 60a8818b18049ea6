"""The guest's console: what its /init says to the test machine, as events.

    BRAID-INIT                      /init has started
    PROGRESS NAME DONE              a step of a loop is through, the DONE-th
    FAILED NAME DONE, ...           and did not pass; the loop goes on
    RESULT N                        the command ended with status N; the guest powers off next

Kernel messages share the console, so an event is looked for anywhere in a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Optional

EVENT = re.compile(r"BRAID-INIT|(PROGRESS|FAILED) (\w+) (\d+)|RESULT (-?\d+)")
ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1bc|\r|\0")


@dataclass
class Console:
    """Fed with bytes as they come; `now` is the host's clock in seconds when they were seen."""
    lines: list[str] = field(default_factory=list)
    entry_at: Optional[float] = None  # the kernel's first line, before it unpacks itself
    init_at: Optional[float] = None
    result: Optional[int] = None
    done: dict[str, int] = field(default_factory=dict)  # loop -> steps through
    failed: dict[str, int] = field(default_factory=dict)  # loop -> steps that did not pass
    _rest: bytes = b""

    def feed(self, data: bytes, now: float) -> None:
        """Take in bytes and note the events of each line that they complete."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for raw in whole:
            self._line(ESCAPES.sub("", raw.decode("utf-8", "replace")), now)

    def close(self, now: float) -> None:
        """There will be no more: a last line without its newline counts too."""
        if self._rest:
            self.feed(b"\n", now)

    def _line(self, line: str, now: float) -> None:
        self.lines.append(line)
        if self.entry_at is None and ("KASLR disabled" in line or "Linux version" in line):
            self.entry_at = now
        event = EVENT.search(line)
        if not event:
            return
        word, loop, number, result = event.groups()
        if word == "PROGRESS":
            self.done[loop] = int(number)
        elif word == "FAILED":
            self.failed[loop] = self.failed.get(loop, 0) + 1
        elif result is not None:
            self.result = int(result)
        elif self.init_at is None:
            self.init_at = now

    def passed(self, loop: str) -> int:
        """Steps of a loop that are through and passed."""
        return self.done.get(loop, 0) - self.failed.get(loop, 0)

    @property
    def panic(self) -> Optional[str]:
        """The guest kernel's own last words, if it had any."""
        return next((line for line in self.lines if "Kernel panic" in line), None)

    @property
    def boot_seconds(self) -> Optional[float]:
        """Kernel entry to /init."""
        if self.entry_at is None or self.init_at is None:
            return None
        return self.init_at - self.entry_at
