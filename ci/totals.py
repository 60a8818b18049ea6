"""Run make targets as test suites, each to its end whatever the others did, and add up their closing lines.

usage: python3 -m ci.totals [--lint] TARGET...

A suite closes with `N passed, N failed`, perhaps followed by `, N skipped`. One that says no such line
counts as one failure, and so does one that says it and fails all the same. With --lint a target may be
silent: its status is one count then. The last line is the sum; what was skipped stands before it, by suite.
"""

from __future__ import annotations

import re
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import Iterable, Optional

CLOSING = re.compile(r"^(\d+) passed, (\d+) failed(?:, (\d+) skipped)?$")


@dataclass(frozen=True)
class Count:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped)

    def __str__(self) -> str:
        skipped = f", {self.skipped} skipped" if self.skipped else ""
        return f"{self.passed} passed, {self.failed} failed{skipped}"


def closing(lines: Iterable[str]) -> Optional[Count]:
    """The last closing line, as numbers."""
    found = None
    for line in lines:
        match = CLOSING.match(line.strip())
        if match:
            found = Count(*(int(number or 0) for number in match.groups()))
    return found


def verdict(lines: Iterable[str], status: int, silence: bool = False) -> Count:
    """What a suite counts, given its output and status. `silence`: without that line the status counts."""
    count = closing(lines)
    if count is None:
        return Count(passed=1) if silence and status == 0 else Count(failed=1)
    if status != 0 and count.failed == 0:
        return count + Count(failed=1)
    return count


def run(target: str, silence: bool) -> Count:
    """Run one target, its output shown as it comes."""
    start = time.monotonic()
    print(f"== {target}", flush=True)
    command = ["make", "--no-print-directory", "-s", target]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace") as process:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            # Only the sum stands alone on a line, lest a reader takes a suite's for it.
            if not CLOSING.match(line.strip()):
                print(line, end="", flush=True)
    count = verdict(lines, process.returncode, silence)
    print(f"== {target}: {count} ({time.monotonic() - start:.0f} s)", flush=True)
    return count


def main() -> int:
    silence = sys.argv[1:2] == ["--lint"]
    targets = sys.argv[1 + silence:]
    counts = {target: run(target, silence) for target in targets}
    for target, count in counts.items():
        if count.skipped:
            print(f"skipped: {count.skipped} of {target}, for the reasons that it gives")
        if count.failed:
            print(f"failed: {target} ({count})")
    total = sum(counts.values(), Count())
    print(f"{total.passed} passed, {total.failed} failed")
    return 1 if total.failed or not total.passed else 0


if __name__ == "__main__":
    sys.exit(main())
