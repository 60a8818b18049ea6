"""`make bench`: how much longer the guest boots under Braid than bare, with 1 and with 4 CPUs.

Kernel entry to /init by the host's clock, the same kernel, initramfs and arguments; pairs taken in turn, so
that the host's slow minutes fall on both. The figure is the median of their ratios. Then the same on Bochs,
in emulated ticks (ci/bench_bochs.py), and what exits, hypercalls and PALs cost (ci/bench_exits.py). Result:
build/bench.json, with the log's figures (log/bench/) in it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys

from ci import bench_bochs, bench_exits, image
from ci.bench_bochs import BochsBenchError
from ci.bench_exits import ExitsBenchError
from ci.emulator import EmulatorError
from ci.machine import Expect, Machine
from ci.session import Session
from ci.verdict import judge


class BenchError(Exception):
    """A boot that cannot be counted; the text says why."""


def boot(flavour: str, cpus: int) -> float:
    """Seconds from kernel entry to /init."""
    machine = Machine("bench", flavour=flavour, cpus=cpus, command="true", deadline=120)
    session = Session(machine, image.BUILD / "bench")
    verdict = judge(session.run(), Expect())
    seconds = session.console.boot_seconds
    if not verdict.passed or seconds is None:
        raise BenchError(f"{flavour} boot with {cpus} CPUs: {verdict}; see {session.where}/")
    return seconds


def ratio(pairs: list[tuple[float, float]]) -> float:
    """The median over (bare, braid) pairs of braid / bare."""
    return statistics.median(braid / bare for bare, braid in pairs)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--pairs", type=int, default=5)
    given = parser.parse_args()
    figures = []
    try:
        for cpus in (1, 4):
            pairs = []
            for number in range(given.pairs):
                pairs.append((boot("bare", cpus), boot("braid", cpus)))
                bare, braid = pairs[-1]
                print(f"{cpus} CPUs, pair {number + 1}: bare {bare:.2f} s, Braid {braid:.2f} s", flush=True)
            figures.append({"cpus": cpus, "ratio": round(ratio(pairs), 3),
                            "pairs": [[round(bare, 2), round(braid, 2)] for bare, braid in pairs]})
            print(f"{cpus} CPUs: Braid over bare {figures[-1]['ratio']}")
        bochs = {**bench_bochs.figures(), **bench_exits.figures()}
    except (BenchError, BochsBenchError, ExitsBenchError, image.ImageError, EmulatorError) as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    found = {}
    for name in ("bench-log.json", "bench-quiesce.json"):  # log-bench and quiesce-cost run before
        before = image.BUILD / name
        found.update(json.loads(before.read_text()) if before.exists() else {})
    (image.BUILD / "bench.json").write_text(json.dumps({"boot": figures, **bochs, **found}, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
