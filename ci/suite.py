"""`make machine-test`: boot the machines of ci/machines.py, one emulator at a time, and judge each.

usage: python3 -m ci.suite [REGEX]

What a machine said stays in build/machines/NAME/, unless it passed. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import re
import shutil
import sys
import time

from ci import image
from ci.emulator import EmulatorError
from ci.machines import ROWS, STORMS, Row
from ci.machines_bochs import BOCHS
from ci.session import Session
from ci.verdict import Verdict, judge


def says_all(row: Row, session: Session) -> bool:
    """For machines that must stop: they have said what was asked. Before a guest that is plain text."""
    if row.expect.result is not None:
        return False
    if row.expect.guest:
        text = "\n".join(line.text for line in session.log.lines)
    else:
        text = (session.where / "com1.raw").read_bytes().decode("latin-1")
    return all(re.search(p, text) for p in row.expect.log)


def figures(row: Row, session: Session) -> list[str]:
    """The console lines that were asked for: they hold what was counted."""
    patterns = row.expect.console
    return [line.strip() for line in session.console.lines if any(re.search(p, line) for p in patterns)]


def run(row: Row) -> Verdict:
    where = image.BUILD / "machines" / row.machine.name
    shutil.rmtree(where, ignore_errors=True)
    session = Session(row.machine, where)
    try:
        verdict = judge(session.run(stopped=lambda session: says_all(row, session)), row.expect)
    except (image.ImageError, EmulatorError) as error:
        return Verdict("emulator", str(error))
    for line in figures(row, session):
        print(f"       {line}")
    if verdict.passed:
        shutil.rmtree(where)
    return verdict


def main() -> int:
    pattern = sys.argv[1] if len(sys.argv) > 1 else ""
    table = ROWS + BOCHS + (STORMS if pattern else [])
    rows = [row for row in table if re.search(pattern, row.machine.name)]
    failed = 0
    for row in rows:
        start = time.monotonic()
        verdict = run(row)
        failed += not verdict.passed
        word = "ok    " if verdict.passed else "FAILED"
        why = "" if verdict.passed else f": {verdict}; see {image.BUILD / 'machines' / row.machine.name}/"
        print(f"{word} {row.machine.name} ({time.monotonic() - start:.1f} s){why}", flush=True)
    if not rows:
        names = ", ".join(row.machine.name for row in ROWS + BOCHS + STORMS)
        print(f"no machine's name matches {pattern!r}; they are: {names}")
    print(f"{len(rows) - failed} passed, {failed} failed")
    return 1 if failed or not rows else 0


if __name__ == "__main__":
    sys.exit(main())
