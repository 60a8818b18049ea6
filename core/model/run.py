"""Checks stop.pml with spin: the protocol in several scenarios, which must hold, and its variants, which
spin must condemn.

usage: run.py quick|full BUILD-FOLDER

Each case is translated, compiled and run in a folder of its own, two at a time. A case passes when spin
searched everything and found nothing, or, for a variant, when the property that it breaks is the one named
here. A search that meets its limit of time or memory without an error is "skipped".
"""

import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
CORE = HERE.parent
MINUTES = 3
JOBS = 2

# Properties, by a word of the assertion that stands for them (the first that occurs).
PROPERTIES = {
    "busy": "exclusion", "held": "exclusion", "seen_generation": "flush", "overtaken": "turn",
    "injected": "button", "mode": "hang", "at[": "hang", "owner": "hang", "rounds": "hang", "owed": "nmi",
    "non-progress": "livelock",
}

# Names that the model shares with the C, and where they are found there.
NAMES = {
    "quiesce.c": "owner next losers next_loser released quiesce_wanted quiesce_park others_turn quiesce_begin "
                 "quiesce_begin_insisting quiesce_end",
    "doorbell.c": "doorbell_ring doorbell_ring_again doorbell_taken send_nmi rung guest_nmi nmi_seen",
    "cpu.h": "request parked state CPU_RUNNING CPU_WAIT_SIPI cpu_wait",
    "vcpu.c": "boundary close open enter start_take_init start_wait_sipi",
    "guest/start.c": "start_init start_sipi start_take_init start_wait_sipi",
    "svm/event.c": "prepare_nmi guest_nmi",
    "svm/svm.c": "view_generation seen_generation",
}


@dataclass(frozen=True)
class Case:
    name: str
    defines: str
    breaks: str = ""  # a variant: the property that it breaks
    full: bool = False


BOOT = "INITIATORS=1 AP_WAITS=1 BOOTS=1"
CASES = [
    Case("two initiators, two rounds each", "ROUNDS=2"),
    Case("two initiators, an NMI by ICR, the loads swapped", "NMIS=1 RELEASED_FIRST"),
    Case("two initiators, a button", "BUTTONS=1"),
    Case("one initiator, an NMI by ICR, a button", "INITIATORS=1 NMIS=1 BUTTONS=1"),
    Case("one initiator, an NMI by ICR, another event goes first", "INITIATORS=1 NMIS=1 EVENTS=1"),
    Case("one initiator, two buttons, a bus that takes its time", "INITIATORS=1 BUTTONS=2 BUS=1"),
    Case("the doorbell rung again, a button, a bus that takes its time",
         "INITIATORS=1 AGAIN=1 BUTTONS=1 BUS=1"),
    Case("a CPU waits for SIPI throughout", "INITIATORS=1 ROUNDS=2 AP_WAITS=1 BUTTONS=1"),
    Case("INIT and one SIPI to a CPU that waits", BOOT + " SIPIS=1"),
    Case("INIT and one SIPI to a CPU that runs", "INITIATORS=1 BOOTS=1 SIPIS=1"),

    Case("RESUME_FLAG", "RESUME_FLAG ROUNDS=2", "hang"),
    Case("PARK_CLOSED", "PARK_CLOSED", "hang"),
    Case("NO_REWIND", "NO_REWIND", "hang"),
    Case("NO_LAST_LOOK", "NO_LAST_LOOK", "hang"),
    Case("RING_FIRST", "RING_FIRST NMIS=1", "hang"),
    Case("SIPI_EARLY", "SIPI_EARLY " + BOOT, "exclusion"),
    Case("END_READS_EARLY", "END_READS_EARLY " + BOOT, "hang"),
    Case("TWO_WORDS", "TWO_WORDS SIPIS=1 " + BOOT, "hang"),
    Case("COUNTING", "COUNTING BUTTONS=1", "nmi"),
    Case("GLOBAL_FLAG", "GLOBAL_FLAG", "nmi"),
    Case("SLOPPY_TIMEOUT", "SLOPPY_TIMEOUT AGAIN=1", "nmi"),
    Case("NO_IRET_EXIT", "NO_IRET_EXIT NMIS=2 ROUNDS=0", "hang"),
    Case("LOG_LOCK", "LOG_LOCK NMIS=1", "hang"),
    Case("SAMPLED_EARLY", "SAMPLED_EARLY", "flush"),
    Case("NO_NEXT", "NO_NEXT ROUNDS=3", "turn"),
    Case("POLLING", "POLLING", "livelock"),

    Case("3 CPUs, three initiators", "CPUS=3 INITIATORS=3", full=True),  # does not end in 3 minutes; first
    Case("3 CPUs, two initiators", "CPUS=3", full=True),
    Case("3 CPUs, one initiator, an NMI by ICR", "CPUS=3 INITIATORS=1 NMIS=1", full=True),
    Case("3 CPUs, one initiator, a button", "CPUS=3 INITIATORS=1 BUTTONS=1", full=True),
    Case("3 CPUs, one initiator, INIT, one SIPI to a CPU that waits", "CPUS=3 SIPIS=1 " + BOOT, full=True),
    Case("2 CPUs, one initiator, an NMI by ICR, another event goes first, a button",
         "INITIATORS=1 NMIS=1 EVENTS=1 BUTTONS=1", full=True),
    Case("2 CPUs, two initiators, an NMI by ICR, a button", "NMIS=1 BUTTONS=1", full=True),
    Case("2 CPUs, two initiators, INIT and two SIPIs", "BOOTS=1", full=True),
    Case("2 CPUs, two initiators, two rounds each, a button", "ROUNDS=2 BUTTONS=1", full=True),
]


def mode(case: Case) -> str:
    """-DNP: also that no run is endless. It doubles the states, so not with buttons, nor in the full runs."""
    big = case.full or "BUTTONS" in case.defines
    return "-DNP" if case.breaks in ("", "livelock") and not big else "-DSAFETY"


def build(case: Case, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    defines = ["-D" + define for define in case.defines.split()]
    command = ["spin", "-a", *defines, str(HERE / "stop.pml")]
    spin = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if spin.returncode or not (folder / "pan.c").exists():
        raise RuntimeError("spin: " + (spin.stdout + spin.stderr).strip()[:300])
    level, limit = ("-O2", 3000) if case.full else ("-O0" if case.breaks else "-O1", 500)
    flags = [level, "-w", mode(case), "-DCOLLAPSE", f"-DMEMLIM={limit}"]
    gcc = subprocess.run(["gcc", *flags, "-o", "pan", "pan.c"], cwd=folder, capture_output=True, text=True)
    if gcc.returncode:
        raise RuntimeError("gcc: " + gcc.stderr.strip()[:300])


def search(case: Case, folder: Path) -> str:
    """What spin's program printed. -E: end states are judged by the model itself."""
    command = [*(["nice"] if case.full else []), "./pan", "-E", "-m20000", "-w24" if case.full else "-w18"]
    command.append(f"-Q{MINUTES}")  # spin's own limit, with figures at the end
    command += ["-l"] if mode(case) == "-DNP" else []
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60 * (MINUTES + 1))
    except subprocess.TimeoutExpired:
        return f"limit: more than {MINUTES} minutes"
    return done.stdout


def verdict(case: Case, output: str) -> tuple[str, str]:
    """passed, failed or skipped; and why, for people."""
    found = re.search(r"pan:\d+: (.*)", output)
    stored = re.search(r"(\d+) states, stored", output)
    states = f"{int(stored[1]):,} states" if stored else ""
    broken = ""
    if found:
        broken = next((name for word, name in PROPERTIES.items() if word in found[1]), found[1])
    if case.breaks:
        if broken == case.breaks:
            return "passed", f"{states}, condemned: {broken}"
        return "failed", f"{states}, condemned: {broken or 'no'}, expected: {case.breaks}"
    if found:
        return "failed", f"{states}, breaks {broken}: {found[1]}; trail: spin -t -p with the same -D"
    if "limit" in output or "memory" in output.split("Full statespace")[0]:
        return "skipped", f"{states or output.strip()[:80]}, no error so far: the limit was met"
    bad = "Search not completed" in output or "too small" in output
    complete = "errors: 0" in output and not bad
    return ("passed" if complete else "failed"), states or output.strip()[:300]


def run(case: Case, folder: Path) -> tuple[str, str]:
    try:
        build(case, folder)
        start = time.monotonic()
        result, text = verdict(case, search(case, folder))
        return result, f"{text}, {time.monotonic() - start:.1f} s"
    except (RuntimeError, OSError) as error:
        return "failed", str(error)


def missing_names() -> list[str]:
    model = (HERE / "stop.pml").read_text()
    lost = []
    for file, names in NAMES.items():
        text = (CORE / file).read_text()
        for name in names.split():
            lost += [f"{name} is not in core/{file}"] if not re.search(rf"\b{name}\b", text) else []
            lost += [f"{name} is not in the model"] if not re.search(rf"\b{name}\b", model) else []
    return lost


def main(arguments: list[str]) -> int:
    if len(arguments) != 2 or arguments[0] not in ("quick", "full"):
        print(__doc__)
        return 2
    if not shutil.which("spin"):
        print("spin is not installed: apt-get install spin\n0 passed, 1 failed")
        return 1
    start = time.monotonic()
    cases = [case for case in CASES if case.full == (arguments[0] == "full")]
    count = {"passed": 0, "failed": 0, "skipped": 0}
    lost = missing_names() if arguments[0] == "quick" else []
    for line in lost:
        print(f"failed   names: {line}")
    count["failed"] += len(lost)
    folders = [Path(arguments[1]) / re.sub(r"\W+", "-", case.name) for case in cases]
    with ThreadPoolExecutor(JOBS) as pool:
        for case, (result, text) in zip(cases, pool.map(run, cases, folders)):
            count[result] += 1
            print(f"{result:8} {case.name}: {text}", flush=True)
    print(f"model: {time.monotonic() - start:.0f} s")
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed']} failed{skipped}")
    return 1 if count["failed"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
