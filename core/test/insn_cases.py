"""Cases for the instruction decoder's test, with objdump as the judge.

Writes one line a case: mode, bytes (16, in hex), length, operand size, source register, high-byte flag; the
register is -1 for an immediate, the length 0 where objdump sees no store. Covers every ModRM of the store
opcodes, with a choice of prefixes, REX and SIB bytes.
Use: insn_cases.py OUTPUT
"""

import itertools
import os
import re
import subprocess
import sys
import tempfile
from typing import Iterator, List, Tuple

SLOT = 16
NOP = 0x90  # also every displacement and immediate, so that objdump finds the next slot's start
MACHINES = {16: "i8086", 32: "i386", 64: "x86-64"}
OPCODES = (0x86, 0x87, 0x88, 0x89, 0xA2, 0xA3, 0xC6, 0xC7)
PREFIXES = ((), (0x66,), (0x67,), (0x66, 0x67), (0x2E,), (0x67, 0x64))
REXES = ((), (0x40,), (0x41,), (0x44,), (0x48,), (0x4F,))
SIBS = (0x00, 0x05, 0x24, 0x25, 0x4D, 0xE3, 0xBD)
NAMES = ("ax", "cx", "dx", "bx", "sp", "bp", "si", "di")
REGISTERS = {"r" + n: (8, i, 0) for i, n in enumerate(NAMES)}
REGISTERS.update({"e" + n: (4, i, 0) for i, n in enumerate(NAMES)})
REGISTERS.update({n: (2, i, 0) for i, n in enumerate(NAMES)})
REGISTERS.update({n: (1, i, 0) for i, n in enumerate(("al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"))})
REGISTERS.update({n: (1, i, 1) for i, n in enumerate(("ah", "ch", "dh", "bh"))})
WIDTHS = {"": 8, "d": 4, "w": 2, "b": 1}
REGISTERS.update({f"r{i}{suffix}": (size, i, 0) for i in range(8, 16) for suffix, size in WIDTHS.items()})
SUFFIXES = {"b": 1, "w": 2, "l": 4, "q": 8}
LINE = re.compile(r"^\s*([0-9a-f]+):\t(.*)$")
STORE = re.compile(r"(?:^|\s)(movabs|mov|xchg)([bwlq]?)\s+([$%\w-]+),")


def encodings(mode: int) -> Iterator[bytes]:
    for prefixes, rex, opcode in itertools.product(PREFIXES, REXES if mode == 64 else ((),), OPCODES):
        head = bytes(prefixes + rex + (opcode,))
        for modrm in range(256) if opcode not in (0xA2, 0xA3) else (NOP,):
            sib_follows = modrm & 7 == 4 and modrm < 0xC0
            for sib in SIBS if sib_follows else (NOP,):
                yield (head + bytes((modrm, sib))).ljust(SLOT, bytes((NOP,)))


def judge(text: str) -> Tuple[int, int, int]:
    """Operand size, register (-1: immediate) and high-byte flag; size 0 where this is no store to memory."""
    found = STORE.search(text)
    if not found or "(bad)" in text:
        return 0, 0, 0
    source, target = found.group(3), text[found.end():].split()[0]
    if re.fullmatch(r"%[a-z0-9]+", target):
        return 0, 0, 0
    if source.startswith("$"):
        return SUFFIXES[found.group(2)], -1, 0
    return REGISTERS[source[1:]]


def cases(mode: int) -> Iterator[str]:
    codes: List[bytes] = list(encodings(mode))
    with tempfile.NamedTemporaryFile() as image:
        image.write(b"".join(codes))
        image.flush()
        command = ["objdump", "-D", "-w", "--no-show-raw-insn", "-b", "binary", "-m", "i386", "-M"]
        listing = subprocess.run(command + [MACHINES[mode], image.name], env={**os.environ, "LC_ALL": "C"},
                                 check=True, stdout=subprocess.PIPE, text=True).stdout
    lines = [m.groups() for m in map(LINE.match, listing.splitlines()) if m]
    starts = [int(at, 16) for at, _ in lines] + [len(codes) * SLOT]
    where = {start: i for i, start in enumerate(starts)}
    for number, code in enumerate(codes):
        i = where[number * SLOT]
        size, register, high = judge(lines[i][1])
        length = starts[i + 1] - starts[i] if size else 0
        yield f"{mode} {code.hex()} {length} {size} {register} {high}\n"


def main() -> None:
    with open(sys.argv[1], "w", encoding="ascii") as output:
        for mode in MACHINES:
            output.writelines(cases(mode))


if __name__ == "__main__":
    main()
