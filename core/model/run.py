"""Checks stop.pml with spin: the protocol in several scenarios, which must hold, and its variants, which
spin must condemn.

usage: run.py quick|all|long BUILD-FOLDER

Each case is translated, compiled and run in a folder of its own, two at a time. A case passes when spin
searched everything and found nothing, or, for a variant, when the property that it breaks is the one named
in cases.py. A search that meets its limit of time or memory has not searched everything, so it fails; those
of "long" may, and are "skipped". For "all", some scenario must have taken each step of the model. The table is
also left in BUILD-FOLDER/table.json; its seconds are of CPU time.
"""

import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from cases import CASES, Case
from reached import never_taken

HERE = Path(__file__).resolve().parent
CORE = HERE.parent
MINUTES = {"quick": 3, "all": 10, "long": 20}  # of CPU time: another's load on the machine must not fail a search
JOBS = 2

# Properties, by a word of the assertion that stands for them (the first that occurs).
PROPERTIES = {
    "busy": "exclusion", "held": "exclusion", "seen_generation": "flush", "overtaken": "turn",
    "injected": "button", "due": "icr", "mode": "hang", "at[": "hang", "owner": "hang", "rounds": "hang",
    "owed": "nmi", "non-progress": "livelock",
}

# Names that the model shares with the C, and where they are found there.
NAMES = {
    "quiesce.c": "owner next losers next_loser released quiesce_wanted quiesce_park ring_others last_to_park "
                 "others_turn quiesce_begin quiesce_begin_insisting quiesce_end",
    "doorbell.c": "doorbell_ring doorbell_ring_again doorbell_taken send_nmi rung guest_nmi nmi_seen",
    "cpu.h": "request parked halts state CPU_RUNNING CPU_WAIT_SIPI cpu_wait",
    "vcpu.c": "boundary close open enter start_take_init start_wait_sipi",
    "guest/start.c": "start_init start_sipi start_take_init start_wait_sipi",
    "svm/event.c": "prepare_nmi guest_nmi",
    "svm/svm.c": "view_generation seen_generation",
    "vmx/event.c": "prepare_nmi guest_nmi vmx_take_back",
    "vmx/vmx.c": "nmis_at_close view_generation seen_generation",
    "vmx/vmx.h": "vmx_look VMX_NMI_FIRST",
    "vmx/enter.asm": "vmx_look",
}


@dataclass(frozen=True)
class Row:
    result: str  # passed, failed or skipped
    name: str
    states: int
    seconds: float
    verdict: str


def build(case: Case, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    defines = ["-D" + define for define in case.defines.split()]
    command = ["spin", "-a", *defines, str(HERE / "stop.pml")]
    spin = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if spin.returncode or not (folder / "pan.c").exists():
        raise RuntimeError("spin: " + (spin.stdout + spin.stderr).strip()[:300])
    level, limit = ("-O0" if case.breaks else "-O1", 500) if case.level == "quick" else ("-O2", 4000)
    flags = [level, "-w", "-DNP" if case.endless else "-DSAFETY", "-DCOLLAPSE", "-DPEG", f"-DMEMLIM={limit}"]
    gcc = subprocess.run(["gcc", *flags, "-o", "pan", "pan.c"], cwd=folder, capture_output=True, text=True)
    if gcc.returncode:
        raise RuntimeError("gcc: " + gcc.stderr.strip()[:300])


def search(case: Case, folder: Path) -> tuple[str, float]:
    """What spin's program printed, and its CPU time. -E: end states are judged by the model itself."""
    command = ["nice", "./pan", "-E", "-m20000", "-w18" if case.level == "quick" else "-w24"]
    command += ["-l"] if case.endless else []
    with open(folder / "pan.out", "w", encoding="utf-8") as out:
        process = subprocess.Popen(command, cwd=folder, stdout=out, stderr=subprocess.STDOUT)
        limit = 60 * MINUTES[case.level]
        resource.prlimit(process.pid, resource.RLIMIT_CPU, (limit, limit + 9))
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    output = (folder / "pan.out").read_text() + ("CPU limit" if process.returncode == -signal.SIGXCPU else "")
    return output, usage.ru_utime + usage.ru_stime


def judge(case: Case, output: str) -> tuple[str, str]:
    """passed, failed or skipped; and why, for people."""
    found = re.search(r"pan:\d+: (.*)", output)
    broken = ""
    if found:
        broken = next((name for word, name in PROPERTIES.items() if word in found[1]), found[1])
    if case.breaks:
        if broken == case.breaks:
            return "passed", f"condemned: {broken}"
        return "failed", f"condemned: {broken or 'no'}, expected: {case.breaks}"
    if found:
        return "failed", f"breaks {broken}: {found[1]}; see README.md, trail"
    if "CPU limit" in output or "MEMLIM bound" in output:
        verdict = "no error so far, but not finished: the limit was met"
        return "skipped" if case.level == "long" else "failed", verdict
    bad = "Search not completed" in output or "too small" in output
    if "errors: 0" in output and not bad:
        return "passed", "holds, and ends" if case.endless else "holds"
    return "failed", output.strip()[:300]


def run(case: Case, folder: Path) -> Row:
    try:
        build(case, folder)
        output, seconds = search(case, folder)
        states = re.findall(r"([\d.e+]+) states, stored|States= *([\d.e+]+)", output)  # or its last progress
        result, verdict = judge(case, output)
        return Row(result, case.name, int(float("".join(states[-1]))) if states else 0, round(seconds, 1), verdict)
    except (RuntimeError, OSError) as error:
        return Row("failed", case.name, 0, 0.0, str(error))


def missing_names() -> list[str]:
    model = "".join((HERE / file).read_text() for file in ("stop.pml", "vendor.pml"))
    lost = []
    for file, names in NAMES.items():
        text = (CORE / file).read_text()
        for name in names.split():
            lost += [f"{name} is not in core/{file}"] if not re.search(rf"\b{name}\b", text) else []
            lost += [f"{name} is not in the model"] if not re.search(rf"\b{name}\b", model) else []
    return lost


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in CASES:
        print(__doc__)
        return 2
    if not shutil.which("spin"):
        print("spin is not installed: apt-get install spin\n0 passed, 1 failed")
        return 1
    start = time.monotonic()
    cases = CASES[arguments[0]]
    rows = []
    count = {"passed": 0, "failed": 0, "skipped": 0}
    for line in missing_names():
        print(f"failed   names: {line}")
        count["failed"] += 1
    folders = [Path(arguments[1]) / re.sub(r"\W+", "-", case.name) for case in cases]
    print(f"{'result':8} {'scenario or variant':66} {'states':>10} {'s':>6}  verdict")
    with ThreadPoolExecutor(JOBS) as pool:
        for row in pool.map(run, cases, folders):
            count[row.result] += 1
            rows.append(asdict(row))
            figures = f"{row.states:10,} {row.seconds:6.1f}"
            print(f"{row.result:8} {row.name:66} {figures}  {row.verdict}", flush=True)
    if arguments[0] == "all" and not count["failed"]:
        holding = [folder for case, folder in zip(cases, folders) if not case.breaks]
        for step in never_taken(holding):
            print(f"failed   a step of stop.pml or vendor.pml that no scenario takes: {step}")
            count["failed"] += 1
    (Path(arguments[1]) / "table.json").write_text(json.dumps(rows, indent=1) + "\n")
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)  # with translation and compilation
    print(f"model: {time.monotonic() - start:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of CPU time")
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
