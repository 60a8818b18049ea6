"""What takes time: a record in memory, beside lttng-ust's event; and from file to text, beside babeltrace2.

Lines a second: the whole command, start-up included, one process on one core, by its CPU time, so that
what else the machine does matters little; the best of RUNS. Both read LINES events of two integers, as were
timed in memory; ours also the demo's log, said again and again with its times going on, as one boot.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tools import Skip, run
from wire_cost import KHZ, Demo, replay, sites

LINES = 1_000_000
RUNS = 3
INTEGERS = (1, 2)       # types of call sites: 32 bits
EVENT_TICKS = KHZ // 10     # an event each 100 µs


def in_memory(out: Path) -> dict[str, Any]:
    return dict(json.loads(run([str(out / "record")]).stdout))


def instructions(out: Path) -> dict[str, Any]:
    counts = []
    for records in (1000, 101000):
        said = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(out / "record"),
                    str(records)]).stderr
        match = re.search(r"I\s+refs:\s+([\d,]+)", said)
        if match is None:
            raise Skip("callgrind says no instruction count")
        counts.append(int(match[1].replace(",", "")))
    return {"record_instructions": round((counts[1] - counts[0]) / 100000, 1)}


def lttng(out: Path, cc: str) -> dict[str, Any]:
    """Nanoseconds an event, and babeltrace2 on the trace of LINES of them."""
    program, home = out / "lttng", (out / "lttng-home").resolve()
    run([cc, "-std=gnu17", "-O2", "-I.", "log/bench/lttng.c", "-o", str(program), "-llttng-ust", "-ldl"])
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = {**os.environ, "LTTNG_HOME": str(home)}
    run(["lttng-sessiond", "--daemonize", "--no-kernel", f"--pidfile={home / 'pid'}"], env=environment)
    try:
        for command in (["create", "bench", f"--output={home / 'trace'}"],
                        ["enable-channel", "-u", "bench", "--subbuf-size=8M", "--num-subbuf=8"],
                        ["enable-event", "-u", "-c", "bench", "braid_bench:*"], ["start"]):
            run(["lttng", *command], env=environment)
        said = json.loads(run([str(program), str(LINES)], env=environment).stdout)
        for command in (["stop"], ["destroy"]):
            run(["lttng", *command], env=environment)
    finally:
        os.kill(int((home / "pid").read_text()), 15)
    if not said["enabled"]:
        raise Skip("lttng did not enable the event")
    speed = lines_a_second(["babeltrace2", str(home / "trace")], out)
    shutil.rmtree(home / "trace")
    return {"lttng_ns": float(said["lttng_ns"]), "babeltrace2_lines_per_s": speed}


def decoder(build: Path, out: Path, log: Demo) -> dict[str, Any]:
    elf = build / "braid.elf"
    types, name = sites(elf)
    event = next((i for i, one in enumerate(types) if len(one) == 2 and set(one) <= set(INTEGERS)), None)
    if event is None:
        raise Skip(f"{elf} has no call site of two integers")
    equal = [f"{i % 4} 0 {(i + 1) * EVENT_TICKS} {event} {i & 7} 200\n" for i in range(LINES)]
    command = [sys.executable, "-m", "decoder", "--elf", str(elf)]
    found: dict[str, Any] = {"decoder_lines": LINES}
    for key, lines, cpus, khz in (("decoder_lines_per_s", equal, 4, KHZ),
                                  ("decoder_demo_lines_per_s", again(log), log.cpus, log.khz)):
        capture = out / "long.raw"
        replay(out, lines, cpus, khz, "sync", str(capture), name)
        found[key] = lines_a_second([*command, str(capture)], out)
        capture.unlink()
    return found


def again(log: Demo) -> list[str]:
    """The demo's log, so often that it has LINES lines."""
    split = [line.split(" ", 3) for line in log.lines]
    span = max(int(line[2]) for line in split) - min(int(line[2]) for line in split) + log.khz
    return [f"{cpu} {context} {int(ticks) + turn * span} {rest}"
            for turn in range(LINES // len(split) + 1) for cpu, context, ticks, rest in split]


def lines_a_second(command: list[str], out: Path) -> int:
    return max(_lines_a_second(command, out) for _ in range(RUNS))


def _lines_a_second(command: list[str], out: Path) -> int:
    core = {min(os.sched_getaffinity(0))}
    with (out / "decoded.txt").open("w+b") as text:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            result = subprocess.run(command, stdout=text, stderr=subprocess.DEVNULL,
                                    preexec_fn=lambda: os.sched_setaffinity(0, core))
        except FileNotFoundError as error:
            raise Skip(f"{command[0]} is not installed: ci/deps.sh packages.bench") from error
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text.seek(0)
        lines = sum(1 for _ in text)
    (out / "decoded.txt").unlink()
    if lines < LINES * 9 // 10:
        raise Skip(f"{command[0]} wrote {lines} lines only, status {result.returncode}")
    return round(lines / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))
