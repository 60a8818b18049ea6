"""`make stress`: boots as many machines as asked for, lets a storm rage in each, and sums up how they ended.

It leaves build/stress/campaign.sqlite (ci/stress_db.py), and of each failure build/stress/boot-N/.
Interrupted, the same command goes on where it was. Status 0: all boots passed; 1: some did not; 2: it could
not be done; 130: interrupted.
"""

from __future__ import annotations

import argparse
import fcntl
import math
import os
import re
import signal
import sqlite3
import sys
from collections import deque
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Iterator, Optional, Sequence

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ci import image
from ci.stress_boot import run_job
from ci.stress_db import CampaignError, Campaigns, Job, Outcome
from ci.stress_table import rows, table, totals
from ci.stress_workers import Cluster, StressError, Threads, Workers
from decoder.elf import ElfError, load

HERE = image.BUILD / "stress"
PARTS = ("nmi", "register", "log", "hotplug", "quiesce")
TRIES = 2  # of a boot whose worker dies


def storm(text: str) -> str:
    """Parts of the storm, as pal/guest/storm takes them."""
    if text not in ("none", "all") and not set(text.split(",")) <= set(PARTS):
        raise argparse.ArgumentTypeError(f"STORM is none, all, or of {', '.join(PARTS)}, with commas")
    return text


def cpus(text: str) -> list[int]:
    """CPUS=4, or CPUS=1,2,4: boots take turns."""
    if not re.fullmatch(r"[1-9]\d?(,[1-9]\d?)*", text) or any(int(word) > 32 for word in text.split(",")):
        raise argparse.ArgumentTypeError(f"CPUS is 1 to 32, or several such with commas, not {text!r}")
    return [int(word) for word in text.split(",")]


def logs(text: str) -> list[str]:
    """LOGS=sync, or LOGS=sync,async: boots take turns."""
    if not set(text.split(",")) <= {"sync", "async"}:
        raise argparse.ArgumentTypeError(f"LOGS is sync, async, or both with a comma, not {text!r}")
    return text.split(",")


def options(text: str) -> str:
    if any(word.startswith("log=") for word in text.split()):
        raise argparse.ArgumentTypeError("LOGS says how to log, not OPTIONS")
    return text


def positive(text: str) -> int:
    if not text.isdecimal() or not int(text):
        raise argparse.ArgumentTypeError(f"a number from 1 on, not {text!r}")
    return int(text)


def arguments(words: Optional[Sequence[str]] = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make stress", description=__doc__)
    parser.add_argument("--boots", type=positive, default=10)
    parser.add_argument("--loops", type=positive, default=100, help="of pal_demo in each boot")
    parser.add_argument("--cpus", type=cpus, default=[4], help="several, with commas: boots take turns")
    parser.add_argument("--memory", type=positive, default=1024, help="MiB")
    parser.add_argument("--logs", type=logs, default=["sync", "async"], help="how to log: boots take turns")
    parser.add_argument("--options", type=options, default="", help="Braid's boot options, beside test=on")
    parser.add_argument("--storm", type=storm, default="all", help=f"none, all, or of {', '.join(PARTS)}")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=positive, default=os.cpu_count() or 1, help="boots at a time")
    parser.add_argument("--core", choices=("hypervisor", "all"), default="hypervisor",
                        help="what is kept of a failure")
    parser.add_argument("--again", type=positive, help="run this boot of the campaign file again, only")
    parser.add_argument("--scheduler", help="address of a Dask scheduler, whose workers run the boots")
    return parser.parse_args(words)


def build_id() -> str:
    path = image.BUILD / "braid.elf"
    try:
        return load(str(path)).build.hex()
    except (ElfError, OSError) as error:
        raise StressError(f"{path}: {error}; make images") from None


@contextmanager
def alone(where: Path) -> Iterator[None]:
    """One runner at a time has the campaign file."""
    where.mkdir(parents=True, exist_ok=True)
    lock: IO[str]
    with (where / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StressError(f"another `make stress` is at work in {where}/") from None
        yield


def workers_for(given: argparse.Namespace) -> Workers:
    if given.scheduler:
        return Cluster(given.scheduler)
    return Threads(given.jobs)


def place(job: Job) -> str:
    return str(HERE / f"boot-{job.boot}")


def settle(future: Future[Outcome]) -> Outcome:
    """A worker's outcome, also if it has none."""
    try:
        return future.result()
    except Exception as error:  # whatever a cluster's worker died of
        return Outcome("lost", f"its worker failed: {error or type(error).__name__}".splitlines()[0], "lost")


def work(campaigns: Campaigns, jobs: Sequence[Job], workers: Workers, screen: Console) -> None:
    """Run the boots; each outcome is on disk before the next is looked at."""
    columns = (TextColumn("boots"), BarColumn(), MofNCompleteColumn(),
               TextColumn("{task.fields[bad]} failed"), TimeRemainingColumn())
    with Progress(*columns, console=screen, transient=True) as progress:
        task = progress.add_task("", total=len(jobs), bad=0)
        waiting = deque((job, 1) for job in jobs)
        flying: dict[Future[Outcome], tuple[Job, int]] = {}
        bad = 0
        while waiting or flying:
            while waiting and len(flying) < workers.room():
                job, tries = waiting.popleft()
                flying[workers.run(job, place(job))] = job, tries
            for future in wait(flying, return_when=FIRST_COMPLETED).done:
                job, tries = flying.pop(future)
                outcome = settle(future)
                if outcome.verdict == "lost" and tries < TRIES:
                    screen.print(f"boot {job.boot}: {outcome.why}; it runs again", highlight=False)
                    waiting.appendleft((job, tries + 1))
                    continue
                campaigns.record(job.boot, outcome)
                bad += outcome.verdict != "pass"
                progress.update(task, advance=1, bad=bad)
                screen.print(line(job, outcome), highlight=False, markup=False)


def line(job: Job, outcome: Outcome) -> str:
    said = " ".join(f"{name}={value}" for name, value in outcome.counts.items())
    why = "" if outcome.verdict == "pass" else f": {outcome.why}; see {outcome.capture or 'nothing kept'}"
    return f"boot {job.boot}, {job.cpus} CPUs, log={job.log}, seed {job.seed}: {outcome.verdict}{why}" \
        f" ({outcome.seconds:.0f} s) {said}".rstrip()


def turns(counts: Sequence[int], modes: Sequence[str]) -> list[tuple[int, str]]:
    """Each count with each mode; both change from one to the next."""
    together = math.lcm(len(counts), len(modes))  # after so many the same pairs would come again
    return [(counts[i % len(counts)], modes[(i + i // together) % len(modes)])
            for i in range(len(counts) * len(modes))]


def campaign(given: argparse.Namespace, campaigns: Campaigns, screen: Console) -> int:
    machines = [{"cpus": count, "memory": given.memory, "options": given.options, "log": log,
                 "loops": given.loops, "storm": given.storm, "core": given.core}
                for count, log in turns(given.cpus, given.logs)]
    number, goes_on = campaigns.begin({"build": build_id()}, machines, given.boots, given.seed)
    jobs = campaigns.pending(number)
    word = "goes on" if goes_on else "begins"
    screen.print(f"campaign {number} {word}: {len(jobs)} of {given.boots} boots to run", highlight=False)
    workers = workers_for(given)
    try:
        work(campaigns, jobs, workers, screen)
    finally:
        workers.close()
    results = campaigns.results(number)
    before = campaigns.before(number)
    screen.print(table(rows(results, campaigns.results(before) if before else ())))
    screen.print("in all: " + ", ".join(f"{name} {value:,}" for name, value in totals(results).items()),
                 highlight=False)
    lost = sum(outcome.verdict == "lost" for _, outcome in results)
    if lost:
        raise StressError(f"{lost} boots lost their workers: the same command runs them again")
    campaigns.finish(number)
    return 0 if all(outcome.verdict == "pass" for _, outcome in results) else 1


def again(given: argparse.Namespace, campaigns: Campaigns, screen: Console) -> int:
    job = campaigns.job(given.again)
    if campaigns.build(given.again) != build_id():
        screen.print(f"boot {job.boot} was of another build than {image.BUILD}/braid.elf", highlight=False)
    outcome = run_job(job, str(HERE / f"again-{job.boot}"))
    screen.print(line(job, outcome), highlight=False, markup=False)
    return 0 if outcome.verdict == "pass" else 1


def main() -> int:
    given = arguments()
    screen = Console(soft_wrap=True, width=None if sys.stdout.isatty() else 130)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with alone(HERE):
            campaigns = Campaigns(HERE / "campaign.sqlite")
            return (again if given.again else campaign)(given, campaigns, screen)
    except (StressError, CampaignError) as error:
        print(f"stress: {error}", file=sys.stderr)
        return 2
    except sqlite3.Error as error:
        print(f"stress: {HERE}/campaign.sqlite: {error}; once that is mended, the same command goes on from"
              " what is written", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stress: interrupted; the same command goes on from here", file=sys.stderr)
        # Not by way of the threads: whatever they wait for ends with this process.
        os._exit(130)


if __name__ == "__main__":
    sys.exit(main())
