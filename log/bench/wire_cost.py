"""Bytes a line on the wire: the demo's log and the older system's corpus, each as plain text (its line and
a newline), in the nibble code (two bytes a character), and replayed through the shipped encoder (replay.c),
SYNC frames included.

The demo's times are its own; what its machine sent stands beside, in this run and in one in async mode. The
corpus has none: its lines are made to come PER_SECOND, and SLOW, about what 115200 baud carry, where times
cost a byte more.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any, Iterator, NamedTuple

import corpus
from elftools.elf.elffile import ELFFile
from tools import Skip, run

ARCHIVE = Path("../shared/data/xmhf-captures.tar.xz")
KHZ = 2_445_000
PER_SECOND = 10_000
SLOW = 800
SITE, TYPES, STRING = 64, 30, 6
SIGNED = (1, 3)
CONTEXTS = ("normal", "nmi", "mce", "panic")


def replay(out: Path, lines: list[str], cpus: int, khz: int, mode: str, *capture: str) -> float:
    """Bytes a line. `capture`: a file to write and its build-id."""
    command = [str(out / "replay"), str(cpus), str(khz), mode, *capture]
    made = json.loads(run(command, input="".join(lines)).stdout)
    if made["lines"] != len(lines):
        raise Skip("the replay lost lines")
    return round(float(made["bytes"]) / len(lines), 2)


def figures(out: Path, texts: list[int], lines: list[str], cpus: int, khz: int) -> dict[str, float]:
    plain = sum(texts) / len(texts)
    wire = {"plain": round(plain, 2), "nibble": round(2 * plain, 2)}
    for mode in ("sync", "async"):
        wire[f"lanes_{mode}"] = replay(out, lines, cpus, khz, mode)
    return wire


def by_cpus(out: Path, lines: dict[int, list[str]], khz: int) -> dict[str, dict[str, float]]:
    return {str(cpus): {mode: replay(out, some, cpus, khz, mode) for mode in ("sync", "async")}
            for cpus, some in lines.items()}


class Sites(NamedTuple):
    """What of an ELF the replay needs."""
    types: list[bytes]
    build: str


def sites(elf: Path) -> Sites:
    with elf.open("rb") as file:
        parsed = ELFFile(file)
        data = parsed.get_section_by_name("braid_log").data()
        build = next(note["n_desc"] for section in parsed.iter_sections() if section["sh_type"] == "SHT_NOTE"
                     for note in section.iter_notes() if note["n_type"] == "NT_GNU_BUILD_ID")
    entries = [data[at:at + SITE] for at in range(0, len(data) - SITE + 1, SITE)]
    return Sites([entry[TYPES:TYPES + min(entry[TYPES - 1], 10)] for entry in entries], build)


def field(kind: int, value: Any) -> str:
    if kind == STRING:
        return "s" + str(value).encode().hex()
    number = int(value)
    if kind in SIGNED:
        number = 2 * number if number >= 0 else -2 * number - 1
    return str(number)


class Demo(NamedTuple):
    """The demo's capture, as records for the replay."""
    cpus: int
    khz: int
    texts: list[int]    # bytes of each line as plain text
    lines: list[str]

    def on(self, cpus: int) -> list[str]:
        """The same lines by other CPUs."""
        split = [line.split(" ", 1) for line in self.lines]
        return [f"{int(cpu) % cpus if cpus < self.cpus else cpu} {rest}" for cpu, rest in split]


def demo(build: Path) -> Demo:
    capture, elf = build / "demo" / "com1.raw", build / "braid.elf"
    if not capture.exists():
        raise Skip(f"no {capture}: run `make demo` first")
    banner = re.findall(rb"#BRAID \d+ .*?cpus=(\d+) .*?khz=(\d+) shift=(\d+)", capture.read_bytes())
    if not banner:
        raise Skip(f"{capture} has no banner")
    cpus, khz, shift = (int(number) for number in banner[-1])
    decoded = run([sys.executable, "-m", "decoder", "--json", "--elf", str(elf), str(capture)]).stdout
    types = sites(elf).types
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
    return Demo(cpus, khz, texts, lines)


def on_the_machine(build: Path) -> dict[str, float]:
    """What the demo's machine sent, a line; `make bench` runs the second one."""
    found = {}
    for mode, name in (("sync", "demo/summary.json"), ("async", "bench/demo-async.json")):
        path = build / name
        if path.exists():
            summary = json.loads(path.read_text())
            found[mode] = round(summary["wire_bytes"] / summary["lines"], 2)
    return found


def of_demo(build: Path, out: Path, log: Demo) -> dict[str, Any]:
    return {"wire_bytes_per_line": figures(out, log.texts, log.lines, log.cpus, log.khz),
            "wire_bytes_per_line_by_cpus": by_cpus(out, {n: log.on(n) for n in (1, 2, 4, 8, 32)}, log.khz),
            "wire_bytes_per_line_of_the_machine": on_the_machine(build),
            "lines": len(log.lines), "cpus": log.cpus}


def corpus_lines(cpus: int, made: list[corpus.Record], per_second: int = PER_SECOND) -> Iterator[str]:
    for number, record in enumerate(made):
        args = ["s" + record.body.encode("latin-1").hex()] if isinstance(record.body, str) else record.body
        head = [record.cpu % cpus, 0, (number + 1) * KHZ * 1000 // per_second, record.id]
        yield " ".join(map(str, head + list(args))) + "\n"


def of_corpus(out: Path) -> dict[str, Any]:
    if not ARCHIVE.exists():
        raise Skip(f"no {ARCHIVE}")
    lines = list(corpus.lines(ARCHIVE))
    made = corpus.records(lines)
    texts = [len(line.text) + 1 for line in lines]
    four, slow = list(corpus_lines(4, made)), list(corpus_lines(4, made, SLOW))
    # On 8 and 32 CPUs the 4 that the corpus has speak, with tags as wide as those of so many.
    some = {n: list(corpus_lines(min(n, 4), made)) for n in (1, 2, 4, 8, 32)}
    return {"wire_bytes_per_line": figures(out, texts, four, 4, KHZ),
            "wire_bytes_per_line_by_cpus": by_cpus(out, some, KHZ),
            "lines": len(lines), "lines_a_second": PER_SECOND,
            f"at_{SLOW}_lines_a_second": {f"lanes_{mode}": replay(out, slow, 4, KHZ, mode)
                                          for mode in ("sync", "async")}}
