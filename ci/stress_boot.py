"""One boot of a stress campaign, in a process of its own: `python3 -m ci.stress_boot DIR < job > outcome`.

Whatever kills this process, the runner lives on and knows (run_job); and when it dies its machine dies with
it. Of a failure stay in the boot's directory: the capture (com1.raw, console.txt, log.txt), boot.iso, and
vm.core, an ELF core of the hypervisor's memory or all RAM, for `python3 -m decoder postmortem`.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Mapping, Optional

from ci import image
from ci.autopsy import SECONDS, dump
from ci.emulator import EmulatorError
from ci.machine import Expect, Machine, Nmis
from ci.session import LINGER, POLL, Session
from ci.stress_db import Job, Outcome
from ci.verdict import Seen, Verdict, judge
from decoder.elf import Finder
from decoder.postmortem.live import BRAID
from decoder.triage.cli import sort
from decoder.triage.inputs import Inputs

SAID = re.compile(r"\bSTORM ((?:\w+=\d+ ?)+)")
PANIC = "panic: stopped"  # a CPU's last word
RUNNING: set[subprocess.Popen[str]] = set()  # of run_job, in whatever threads


def machine(job: Job) -> Machine:
    """The storm rages until pal_demo is through. Seed and parts make the guest's schedule."""
    # Generous: what hangs must not look like what is slow. A storm takes most of the demo's time.
    deadline = 180 + 60 * job.cpus + job.loops * job.cpus * (2 if job.storm == "none" else 6)
    command = f"/pal/storm {job.storm} {job.seed} /pal/demo"
    nmis: tuple[Nmis, ...] = ()
    if job.storm == "all" or "nmi" in job.storm.split(","):
        # From outside, too. The guest cannot know how many; outside() does.
        command = f"EXTERNAL={int(deadline / POLL)} {command}"
        nmis = (Nmis(every=POLL, after="BRAID-INIT", until="STORM ABATES"),)
    return Machine(f"boot-{job.boot}", cpus=job.cpus, memory=job.memory, loops=job.loops, command=command,
                   options=f"test=on log={job.log} {job.options}".strip(), deadline=deadline, actions=nmis)


class Autopsy:
    """Keeps a machine that ends badly until its memory is dumped. Called after each look at it."""

    def __init__(self, job: Job, where: Path) -> None:
        self._core = where / "vm.core"
        self.complaint = ""  # why there is no core
        self.timed_out = self.panicked = False
        self._panic_at = 0.0
        self.shutdown: Optional[str] = None
        self._part = {} if job.core == "all" else BRAID
        self._until: Optional[float] = None
        self._over = False

    def look(self, session: Session) -> None:
        qemu = session.qemu
        if qemu is None or self._over:
            return
        now = time.monotonic()
        if self._until is None:
            # A reset or power-off pauses the machine instead of ending QEMU: its memory stays.
            qemu.qmp.command("set-action", reboot="shutdown", shutdown="pause")
            # A dump takes a while: ahead of the session's own deadline.
            self._until = now + session.machine.deadline - session.seconds - SECONDS
        self.shutdown = qemu.qmp.shutdown
        if not self.panicked and any(PANIC in line.text for line in session.log.lines[-50:]):
            self.panicked, self._panic_at = True, now
        self.timed_out = now > self._until
        if self.shutdown == "guest-shutdown" and session.console.result == 0:
            self._over = True
            qemu.qmp.command("quit")
        elif self.shutdown or self.timed_out or (self.panicked and now > self._panic_at + LINGER):
            self._over = True
            self.complaint = dump(qemu, self._core, self._part)


def signature(verdict: Verdict, capture: Path) -> str:
    """What failures are grouped by: by triage if the log tells a story, else the verdict without numbers."""
    if verdict.kind in ("hang", "reset"):
        found, _ = sort(Inputs([str(capture)]), Finder([str(image.BUILD / "braid.elf")]))
        if found and found[0].outcome not in ("pass", "damaged"):
            kind = "panic" if found[0].outcome == "panic" else verdict.kind  # the log alone: no reset
            return f"{kind}: {found[0].signature}"
    return re.sub(r"\d+", "N", f"{verdict.kind}: {verdict.why}".split("; the console's last")[0])[:300]


def counts(session: Session) -> dict[str, int]:
    """What the storm says it counted, and what the log did."""
    out: dict[str, int] = {}
    for line in session.console.lines:
        said = SAID.search(line)
        if said:
            pairs = (word.split("=") for word in said[1].split())
            out = {name: int(value) for name, value in pairs if name not in ("cpus", "seed")}
    out["demo"] = session.console.passed("32") + session.console.passed("64")
    return {**out, "nmis_injected": session.injected,
            "frames": session.log.frames, "frames_lost": session.log.frames_lost}


def outside(counted: Mapping[str, int]) -> str:
    """What is wrong with the NMIs that no guest CPU sent, or nothing."""
    came = counted.get("nmis_counted", 0) - counted.get("nmis_sent", 0)
    if came > counted["nmis_injected"]:
        return f"{came} NMIs came from outside, and {counted['nmis_injected']} were injected"
    return ""


def decide(seen: Seen, autopsy: Autopsy, complaints: list[str]) -> Verdict:
    """As the machine tests judge, and what the storm itself complains about."""
    verdict = judge(replace(seen, shutdown=autopsy.shutdown, timed_out=autopsy.timed_out or seen.timed_out),
                    Expect())
    if autopsy.panicked:
        verdict = Verdict("reset", "Braid stopped by a panic")
    if verdict.kind == "fail" and complaints:
        verdict = Verdict("fail", complaints[0])
    return verdict


def boot(job: Job, where: Path) -> Outcome:
    """Run the machine to its end and judge it."""
    started = time.time()
    shutil.rmtree(where, ignore_errors=True)
    session, autopsy = Session(machine(job), where), Autopsy(job, where)
    try:
        seen = session.run(autopsy.look)
    except (image.ImageError, EmulatorError) as error:
        verdict, seen = Verdict("emulator", str(error)), None
    if seen is not None:
        said = [line[line.index("FAIL storm:"):] for line in seen.console if "FAIL storm:" in line]
        verdict = decide(seen, autopsy, said)
    counted = counts(session)
    if verdict.passed and outside(counted):
        verdict = Verdict("fail", outside(counted))
    out = Outcome(verdict.kind, str(verdict.why), "", started, round(session.seconds, 1),
                  session.console.boot_seconds, counted)
    if verdict.passed:
        shutil.rmtree(where)
        return out
    why = "; ".join(filter(None, (verdict.why, autopsy.complaint)))
    return replace(out, why=why, signature=signature(verdict, where / "com1.raw"), capture=str(where))


def end_running() -> None:
    """End the boots of this process that are under way; run_job tells of each that it was lost."""
    for process in list(RUNNING):
        process.kill()


def run_job(job: Job, where: str) -> Outcome:
    """Run a boot in a process of its own, wait for it, and tell its outcome; also what killed it."""
    command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", "ci.stress_boot", where]
    started = time.time()
    with subprocess.Popen(command, cwd=image.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        RUNNING.add(process)
        said, complaint = process.communicate(json.dumps(asdict(job)))
    RUNNING.discard(process)
    if process.returncode == 0:
        return Outcome(**json.loads(said))
    how = f"status {process.returncode}"
    if process.returncode < 0:
        how = signal.Signals(-process.returncode).name
    last = complaint.strip().splitlines()[-1:]
    return Outcome("lost", f"its worker ended by {how}: {' '.join(last)}".rstrip(": "), "lost", started)


def main() -> int:
    job = Job(**json.load(sys.stdin))
    json.dump(asdict(boot(job, Path(sys.argv[1]))), sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
