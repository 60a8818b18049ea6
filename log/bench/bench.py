"""`make log-bench`: what the log costs, beside its peers, on this machine. Result: build/bench-log.json.

Bytes a line: the demo's log (the capture in build/demo) and the older system's corpus, each as plain text
(its line and a newline), in the nibble code (two bytes a character), and replayed through the shipped
encoder, SYNC frames included. The corpus' lines are made to come PER_SECOND, and SLOW: times cost a byte
more then. Nanoseconds: medians of loops with two arguments, lttng-ust's the same. Lines a second: of CPU
time, from file to text, one process. What cannot be measured here is skipped, with the reason.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import corpus
from elftools.elf.elffile import ELFFile

ARCHIVE = Path("../shared/data/xmhf-captures.tar.xz")
KHZ = 2_445_000
PER_SECOND = 10_000
SLOW = 800              # about what 115200 baud carry
EVENTS = 200_000        # for the decoders
SITE, TYPES, STRING = 64, 30, 6
SIGNED = (1, 3)
CONTEXTS = ("normal", "nmi", "mce", "panic")


class Skip(Exception):
    """Something is not there; the text says what, and what would mend it."""


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=True, text=True, capture_output=True, **options)
    except FileNotFoundError as error:
        raise Skip(f"{command[0]} is not installed") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"{command[0]} failed: {error.stderr.strip()[-200:]}") from error


def replay(out: Path, lines: list[str], cpus: int, khz: int, mode: str) -> float:
    given = "".join(lines)
    made = json.loads(run([str(out / "replay"), str(cpus), str(khz), mode], input=given).stdout)
    if made["lines"] != len(lines):
        raise Skip("the replay lost lines")
    return float(made["bytes"]) / len(lines)


def figures(out: Path, texts: list[int], lines: list[str], cpus: int, khz: int) -> dict[str, float]:
    plain = sum(texts) / len(texts)
    wire = {"plain": plain, "nibble": 2 * plain}
    for mode in ("sync", "async"):
        wire[f"lanes_{mode}"] = replay(out, lines, cpus, khz, mode)
    return {name: round(value, 2) for name, value in wire.items()}


# The demo's log

def site_types(elf: Path) -> list[bytes]:
    with elf.open("rb") as file:
        data = ELFFile(file).get_section_by_name("braid_log").data()
    entries = [data[at:at + SITE] for at in range(0, len(data) - SITE + 1, SITE)]
    return [entry[TYPES:TYPES + min(entry[TYPES - 1], 10)] for entry in entries]


def field(kind: int, value: Any) -> str:
    if kind == STRING:
        return "s" + str(value).encode().hex()
    number = int(value)
    if kind in SIGNED:
        number = 2 * number if number >= 0 else -2 * number - 1
    return str(number)


def demo(build: Path, out: Path) -> dict[str, Any]:
    capture, elf = build / "demo" / "com1.raw", build / "braid.elf"
    if not capture.exists():
        raise Skip(f"no {capture}: run `make demo` first")
    banner = re.findall(rb"#BRAID \d+ .*?cpus=(\d+) .*?khz=(\d+) shift=(\d+)", capture.read_bytes())
    if not banner:
        raise Skip(f"{capture} has no banner")
    cpus, khz, shift = (int(number) for number in banner[-1])
    decoded = run([sys.executable, "-m", "decoder", "--json", "--elf", str(elf), str(capture)]).stdout
    types = site_types(elf)
    texts, lines = [], []
    for event in map(json.loads, decoded.splitlines()):
        if event["type"] != "record" or event["ticks"] is None:
            continue
        args = [field(kind, value) for kind, value in zip(types[event["id"]], event["args"])]
        if event["id"] == 0:
            args = [field(STRING, event["message"])]
        head = [event["cpu"], CONTEXTS.index(event["context"]), event["ticks"] << shift, event["id"]]
        texts.append(len(event["message"]) + 1)
        lines.append(" ".join(map(str, head + args)) + "\n")
    if not lines:
        raise Skip(f"{capture} has no records that {elf} reads: run `make demo` again")
    return {"wire_bytes_per_line": figures(out, texts, lines, cpus, khz), "lines": len(lines), "cpus": cpus}


# The corpus

def corpus_lines(cpus: int, made: list[corpus.Record], per_second: int = PER_SECOND) -> Iterator[str]:
    for number, record in enumerate(made):
        args = ["s" + record.body.encode("latin-1").hex()] if isinstance(record.body, str) else record.body
        head = [record.cpu % cpus, 0, (number + 1) * KHZ * 1000 // per_second, record.id]
        yield " ".join(map(str, head + list(args))) + "\n"


def older_system(out: Path) -> dict[str, Any]:
    if not ARCHIVE.exists():
        raise Skip(f"no {ARCHIVE}")
    lines = list(corpus.lines(ARCHIVE))
    made = corpus.records(lines)
    texts = [len(line.text) + 1 for line in lines]
    by_cpus = {str(n): round(replay(out, list(corpus_lines(n, made)), n, KHZ, "sync"), 2)
               for n in (1, 2, 4, 8)}
    # Each CPU of 4 becomes one of 32, so that the tags are as wide as they get.
    by_cpus["32"] = round(replay(out, list(corpus_lines(4, made)), 32, KHZ, "sync"), 2)
    slow = list(corpus_lines(4, made, SLOW))
    return {"wire_bytes_per_line": figures(out, texts, list(corpus_lines(4, made)), 4, KHZ),
            "lines": len(lines), "lines_a_second": PER_SECOND, "lanes_sync_by_cpus": by_cpus,
            f"at_{SLOW}_lines_a_second": {f"lanes_{mode}": round(replay(out, slow, 4, KHZ, mode), 2)
                                          for mode in ("sync", "async")}}


# A record in memory, and its peer

def instructions(out: Path) -> float:
    counts = []
    for records in (1000, 101000):
        said = run(["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", str(out / "record"),
                    str(records)]).stderr
        match = re.search(r"I\s+refs:\s+([\d,]+)", said)
        if match is None:
            raise Skip("callgrind says no instruction count")
        counts.append(int(match[1].replace(",", "")))
    return round((counts[1] - counts[0]) / 100000, 1)


def lttng(out: Path, cc: str) -> tuple[float, Path]:
    """Nanoseconds an event, and the trace of EVENTS of them."""
    program, home = out / "lttng", (out / "lttng-home").resolve()
    run([cc, "-std=gnu17", "-O2", "-I.", "log/bench/lttng.c", "-o", str(program), "-llttng-ust", "-ldl"])
    shutil.rmtree(home, ignore_errors=True)
    home.mkdir(parents=True)
    environment = {**os.environ, "LTTNG_HOME": str(home)}
    run(["lttng-sessiond", "--daemonize", "--no-kernel", f"--pidfile={home / 'pid'}"], env=environment)
    try:
        for command in (["create", "bench", f"--output={home / 'trace'}"],
                        ["enable-channel", "-u", "bench", "--subbuf-size=4M", "--num-subbuf=4"],
                        ["enable-event", "-u", "-c", "bench", "braid_bench:*"], ["start"]):
            run(["lttng", *command], env=environment)
        said = json.loads(run([str(program), str(EVENTS)], env=environment).stdout)
        for command in (["stop"], ["destroy"]):
            run(["lttng", *command], env=environment)
    finally:
        os.kill(int((home / "pid").read_text()), 15)
    if not said["enabled"]:
        raise Skip("lttng did not enable the event")
    return float(said["lttng_ns"]), home / "trace"


# Decoders

def lines_a_second(command: list[str], out: Path) -> float:
    """By CPU time, so that what else the machine does matters little."""
    with (out / "decoded.txt").open("w+b") as text:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = subprocess.run(command, stdout=text, stderr=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        text.seek(0)
        lines = sum(1 for _ in text)
    (out / "decoded.txt").unlink()
    if lines < EVENTS // 2:
        raise Skip(f"{command[0]} wrote {lines} lines only, status {result.returncode}")
    return round(lines / (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime))


def big_capture(build: Path, out: Path, lines: int) -> Path:
    """The demo's capture, as often as makes EVENTS lines."""
    big = out / "big.raw"
    one = (build / "demo" / "com1.raw").read_bytes()
    big.write_bytes(one * (EVENTS // lines + 1))
    return big


def main() -> int:
    parser = argparse.ArgumentParser(prog="make log-bench", description=__doc__)
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--cc", default="gcc")
    given = parser.parse_args()
    build, out = given.build, given.build / "log" / "bench"
    found: dict[str, Any] = {"time": time.strftime("%Y-%m-%dT%H:%M:%S")}
    skipped: dict[str, str] = {}

    def attempt(name: str, measure: Any) -> None:
        try:
            found.update(measure())
        except Skip as reason:
            skipped[name] = str(reason)
        print(f"{name}: {skipped.get(name) or 'measured'}", flush=True)

    def decoders() -> dict[str, Any]:
        if "lines" not in found:
            raise Skip("no demo to decode")
        big = big_capture(build, out, found["lines"])
        command = [sys.executable, "-m", "decoder", "--elf", str(build / "braid.elf"), str(big)]
        return {"decoder_lines_per_s": lines_a_second(command, out)}

    def peer() -> dict[str, Any]:
        cost, trace = lttng(out, given.cc)
        found["lttng_ns"] = cost
        return {"babeltrace2_lines_per_s": lines_a_second(["babeltrace2", str(trace)], out)}

    attempt("wire_bytes_per_line", lambda: demo(build, out))
    attempt("corpus", lambda: {"corpus": older_system(out)})
    attempt("record_ns", lambda: json.loads(run([str(out / "record")]).stdout))
    attempt("record_instructions", lambda: {"record_instructions": instructions(out)})
    attempt("lttng_ns", peer)
    attempt("decoder_lines_per_s", decoders)
    found["skipped"] = skipped
    (build / "bench-log.json").write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
