"""`make demo`: Debian under Braid runs pal_demo as a 32-bit and as a 64-bit program; each CPU's trace, live.

Leaves in build/demo/: com1.raw (the wire), console.txt, log.txt (merged), cpuN.txt and foreign.txt (a trace
each), summary.json. Ends with 0 only if every run of pal_demo passed and no frame was lost.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time

from rich.console import Console as Screen

from ci import image
from ci.emulator import EmulatorError
from ci.live import show
from ci.machine import VENDORS, Expect, Machine, of_vendor
from ci.session import Session
from ci.summary import Summary, summarise
from ci.verdict import Verdict, judge


COMMAND = "/pal/demo"  # says PROGRESS lines; a run that fails does not stop those after it


def demo_machine(cpus: int, loops: int, memory: int, options: str = "") -> Machine:
    deadline = 120 + 30 * cpus + 2 * loops * cpus  # generous: what hangs must not look like what is slow
    return Machine("demo", cpus=cpus, memory=memory, options=options, loops=loops, command=COMMAND,
                   deadline=deadline)


def write_traces(session: Session) -> None:
    """One file a CPU, and one for what was not Braid's."""
    traces: dict[str, list[str]] = {}
    for line in session.log.lines:
        name = "foreign" if line.cpu is None else f"cpu{line.cpu}"
        traces.setdefault(name, []).append(f"{line}\n")
    for name, lines in traces.items():
        (session.where / f"{name}.txt").write_text("".join(lines))


def report(screen: Screen, session: Session, summary: Summary, verdict: Verdict, seconds: float) -> None:
    screen.print(summary.table())
    style = "bold green" if verdict.passed and summary.all_passed else "bold red"
    word = "all passed" if verdict.passed and summary.all_passed else f"NOT all passed ({verdict})"
    screen.print(f"{word}, in {seconds:.0f} s", style=style, highlight=False)
    screen.print(f"Traces, capture and summary.json are in {session.where}/", highlight=False)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--cpus", type=int, default=4)
    parser.add_argument("--loops", type=int, default=100)
    parser.add_argument("--memory", type=int, default=1024, help="MiB")
    parser.add_argument("--options", default="", help="Braid's boot options")
    parser.add_argument("--vendor", choices=VENDORS, default="amd", help="of the CPU: QEMU's or Bochs's")
    given = parser.parse_args()
    if given.cpus < 1 or given.loops < 1:
        parser.error("CPUS and LOOPS start at 1")
    screen = Screen()
    machine = of_vendor(demo_machine(given.cpus, given.loops, given.memory, given.options), given.vendor)
    session = Session(machine, image.BUILD / "demo")
    shutil.rmtree(session.where, ignore_errors=True)  # or an older run's traces would stay
    start = time.monotonic()
    try:
        with show(screen, given.cpus, given.loops) as watch:
            seen = session.run(watch)
    except (image.ImageError, EmulatorError) as error:
        print(f"demo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    verdict = judge(seen, Expect())
    summary = summarise(session, given.loops)
    write_traces(session)
    (session.where / "summary.json").write_text(json.dumps(summary.as_json(), indent=2) + "\n")
    report(screen, session, summary, verdict, time.monotonic() - start)
    return 0 if verdict.passed and summary.all_passed else 1


if __name__ == "__main__":
    sys.exit(main())
