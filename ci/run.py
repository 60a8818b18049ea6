"""`make run CMD='...' [EXTRA=DIR]`: boot the demo's machine, run a command in its guest, end with its status.

The guest's console comes to standard output. Status 125: the machine hung, was reset, or could not be built.
Under make, which knows no status of a failure but 2, the last line tells it.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ci import image
from ci.emulator import EmulatorError
from ci.machine import VENDORS, Expect, Machine, of_vendor
from ci.session import Session
from ci.verdict import judge

NO_RESULT = 125


class Printer:
    """Shows each console line once."""

    def __init__(self) -> None:
        self._shown = 0

    def watch(self, session: Session) -> None:
        for line in session.console.lines[self._shown:]:
            print(line, flush=True)
        self._shown = len(session.console.lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument("command", help="what the guest's shell runs")
    parser.add_argument("--extra", type=Path, help="a directory that the guest finds as /extra")
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--options", default="", help="Braid's boot options")
    parser.add_argument("--vendor", choices=VENDORS, default="amd", help="of the CPU: QEMU's or Bochs's")
    parser.add_argument("--deadline", type=float, default=600.0, help="seconds")
    parser.add_argument("--bare", action="store_true", help="without Braid")
    given = parser.parse_args()
    if not given.command:
        parser.error("say what to run: make run CMD='...'")
    machine = Machine("run", flavour="bare" if given.bare else "braid", cpus=given.cpus,
                      memory=given.memory, options=given.options, command=given.command,
                      extra=given.extra, deadline=given.deadline)
    session = Session(of_vendor(machine, given.vendor), image.BUILD / "run")
    try:
        seen = session.run(Printer().watch)
    except (image.ImageError, EmulatorError) as error:
        print(f"run: {error}", file=sys.stderr)
        return NO_RESULT
    except KeyboardInterrupt:
        return 130
    verdict = judge(seen, Expect(result=seen.result or 0, frames_lost=None))
    if not verdict.passed:
        print(f"run: {verdict}; what it said is in {session.where}/", file=sys.stderr)
    if seen.result is None or verdict.kind in ("hang", "reset"):
        return NO_RESULT
    if seen.result:
        print(f"run: the command ended with status {seen.result}", file=sys.stderr)
    return seen.result & 0xFF


if __name__ == "__main__":
    sys.exit(main())
