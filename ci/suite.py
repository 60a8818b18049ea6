"""`make machine-test`: boot the machines of ci/machines.py and ci/machines_bochs.py, and judge each.

usage: python3 -m ci.suite [REGEX | --long]

--long: the machines that `make test` leaves out for their time; REGEX picks from all.

QEMUs run one at a time: what they do depends on the host's time. Bochs's clock is its own, and it has one
thread, so that as many run at once as there are cores.

What a machine said stays in build/machines/NAME/, unless it passed. The last line is `N passed, N failed`.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from ci import image
from ci.emulator import EmulatorError
from ci.machines import FETCHED, ROWS, Row
from ci.machines_bochs import BOCHS, LONG
from ci.only import only
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


def run(row: Row) -> tuple[Verdict, list[str]]:
    """The verdict, and lines that hold figures."""
    where = image.BUILD / "machines" / row.machine.name
    shutil.rmtree(where, ignore_errors=True)
    session = Session(row.machine, where)
    try:
        verdict = judge(session.run(stopped=lambda session: says_all(row, session)), row.expect)
    except (image.ImageError, EmulatorError) as error:
        return Verdict("emulator", str(error)), []
    if verdict.passed:
        shutil.rmtree(where)
    return verdict, figures(row, session)


def lacks(row: Row) -> list[str]:
    """What ci/kernel.sh and ci/busybox.sh could not fetch, of what only some machines need."""
    needs = {row.machine.kernel, row.machine.busybox} & set(FETCHED)
    return sorted(need for need in needs if not (image.BUILD / need).exists())


def passes(row: Row) -> bool:
    start = time.monotonic()
    verdict, lines = run(row)
    word = "ok    " if verdict.passed else "FAILED"
    why = "" if verdict.passed else f": {verdict}; see {image.BUILD / 'machines' / row.machine.name}/"
    said = [f"       {line}" for line in lines]
    said.append(f"{word} {row.machine.name} ({time.monotonic() - start:.1f} s){why}")
    print("\n".join(said), flush=True)
    return verdict.passed


def main() -> int:
    table = ROWS + BOCHS + (LONG if len(sys.argv) > 1 else [])
    if sys.argv[1:2] == ["--long"]:
        del sys.argv[1]
        table = LONG
    matching = only(table, lambda row: row.machine.name)
    rows = [row for row in matching if not lacks(row)]
    for row in matching:
        if lacks(row):
            print(f"skipped {row.machine.name}: {' and '.join(lacks(row))} could not be fetched")
    passed = sum(passes(row) for row in rows if row.machine.emulator == "qemu")
    with ThreadPoolExecutor(os.cpu_count()) as cores:
        passed += sum(cores.map(passes, [row for row in rows if row.machine.emulator == "bochs"]))
    skipped = f", {len(matching) - len(rows)} skipped" if len(rows) < len(matching) else ""
    print(f"{passed} passed, {len(rows) - passed} failed{skipped}")
    return 1 if passed < len(rows) else 0


if __name__ == "__main__":
    sys.exit(main())
