"""`make quiesce-cost`: what stopping the machine costs, with 1, 2, 4 and 8 CPUs, on SVM and VMX; and beside
it, what it costs if CPUs park by spinning.

The measures are ticks of Bochs, on a guest of a page (core/test/cost/guest.asm): of the hypercall, from its
instruction to behind it; and from there until all other CPUs have run guest code again. Why these:

- Bochs has every CPU execute an instruction a tick, side by side, so a tick is an instruction of whoever
  waits, as on a machine with a core a CPU. On QEMU with fewer cores one measures the host's scheduler.
- It repeats almost to the tick (`most`, beside the median): a change of the code shows, however small. Only a
  first stop that finds CPUs sending their log takes longer.
- What no emulator knows is left out: the time of an exit (about a thousand cycles), of an NMI on its way,
  of a cache line's. So exits a stop stand beside it.

A spinning park needs no doorbell at the end. What it costs is `hold` ticks of each CPU that spins: nothing
where each has a core of its own and nothing better to do; taken from the one that they wait for where they
share.

Result: build/bench-quiesce.json, whose key quiesce_cost `make bench` takes over.
"""

from __future__ import annotations

import json
import re
import shutil
import statistics
import sys
from dataclasses import asdict, dataclass, replace

from ci import image
from ci.emulator import EmulatorError
from ci.machine import BOCHS_AMD, BOCHS_INTEL, Expect, Machine, on_bochs
from ci.session import Session
from ci.verdict import judge

MODELS = {"svm": BOCHS_AMD, "vmx": BOCHS_INTEL}
CPUS = (1, 2, 4, 8)
LINE = re.compile(r"COST spin=(\w+) hold=(\w+) cpus=(\w+) exits=(\w+) ticks=([\w ]+)back=([\w ]+)")


class CostError(Exception):
    """A run that cannot be counted; the text says why."""


@dataclass(frozen=True)
class Cost:
    backend: str
    cpus: int
    park: str  # halt or spin
    hold: int  # ticks that the machine was held
    ticks: int  # of the hypercall, beyond hold: median
    most: int
    back: int  # from its return until all other CPUs were seen in the guest again: median
    exits: float  # of all CPUs, a stop


def costs(backend: str, cpus: int, lines: list[str]) -> list[Cost]:
    """What the guest said, as numbers."""
    found = []
    for line in lines:
        match = LINE.search(line)
        if not match:
            continue
        spin, hold, seen, exits = (int(field, 16) for field in match.groups()[:4])
        ticks = [int(field, 16) - hold for field in match[5].split()]
        back = [int(field, 16) for field in match[6].split()]
        if seen != cpus:
            raise CostError(f"{backend}: {seen} of {cpus} CPUs came up")
        # The last of the two calls that read the counter is an exit itself.
        middle, behind = round(statistics.median(ticks)), round(statistics.median(back))
        found.append(Cost(backend, cpus, "spin" if spin else "halt", hold, middle, max(ticks), behind,
                          round((exits - 1) / len(ticks), 2)))
    return found


def run(backend: str, cpus: int) -> list[Cost]:
    """Raises CostError, EmulatorError, ImageError."""
    machine = Machine(f"cost-{backend}-{cpus}", cpus=cpus, options="test=on log=async", deadline=600)
    machine = replace(on_bochs(machine, MODELS[backend]), kernel="vmlinuz-cost")
    where = image.BUILD / "machines" / machine.name
    shutil.rmtree(where, ignore_errors=True)
    session = Session(machine, where)
    verdict = judge(session.run(), Expect(frames_lost=None))
    if not verdict.passed:
        raise CostError(f"{machine.name}: {verdict}; see {where}/")
    found = costs(backend, cpus, session.console.lines)
    if len(found) != 4:
        raise CostError(f"{machine.name}: {len(found)} of 4 lines; see {where}/")
    return found


def main() -> int:
    rows: list[Cost] = []
    print("backend  CPUs  park   hold   ticks    most    back  exits a stop")
    try:
        for backend in MODELS:
            for cpus in CPUS:
                for cost in run(backend, cpus):
                    rows.append(cost)
                    ticks = f"{cost.hold:6} {cost.ticks:7} {cost.most:7} {cost.back:7}"
                    print(f"{cost.backend:8} {cost.cpus:4}  {cost.park:4} {ticks}  {cost.exits}", flush=True)
    except (CostError, EmulatorError, image.ImageError, OSError) as error:
        print(f"quiesce-cost: {error}", file=sys.stderr)
        return 1
    result = json.dumps({"quiesce_cost": [asdict(cost) for cost in rows]}, indent=2) + "\n"
    (image.BUILD / "bench-quiesce.json").write_text(result)
    return 0


if __name__ == "__main__":
    sys.exit(main())
