"""`make differential-test`: the bare guest (pal/bare/) on VMX and on SVM, both under Bochs, compared.

Each case of the guest is one instruction or a few, with all registers given. Compared are the guest's state
after it, as the guest prints it, and the log between the case's two marks: each exit with its kind and the
place of its instruction, and what the hypervisor said. Differences are listed in ci/differences.txt with both
values and the reason; one that is not there fails, and so does one that is there and not seen.
"""

from __future__ import annotations

import re
import shutil
import sys
from dataclasses import dataclass, field, replace
from typing import Iterable, Optional

from ci import image
from ci.emulator import EmulatorError
from ci.logview import Line
from ci.machine import BOCHS_AMD, BOCHS_INTEL, Expect, Machine, on_bochs
from ci.session import Session
from ci.verdict import judge

MODELS = {"vmx": BOCHS_INTEL, "svm": BOCHS_AMD}
LISTED = image.ROOT / "ci/differences.txt"
CODE_SIZE = 64  # a case's code is shorter

MARK = re.compile(r"TEST 0x([0-9a-f]+)$")
MARK_END = 0xFFFF
SEPARATOR = " | "  # between events
IMAGE = re.compile(r"0x10[01][0-9a-f]{4}\b")  # an address in the guest's image, which grows
POOL = re.compile(r", root page 0x[0-9a-f]+|, \d+ of the pool free")  # nested tables take of it, too
EXIT = re.compile(r"exit: ([^,]+), code 0x[0-9a-f]+, rip 0x([0-9a-f]+)")
EXIT_ENDS = "exit ends"


class CompareError(Exception):
    """A run that cannot be compared; the text says why."""


@dataclass
class Case:
    """What was seen of a case: names and values."""
    name: str
    values: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, order=True)
class Difference:
    case: str
    what: str  # a register, or `events`
    vmx: str
    svm: str

    def __str__(self) -> str:
        """As in the file."""
        return f"case {self.case} {self.what}\n  vmx {self.vmx}\n  svm {self.svm}"


def between_marks(lines: Iterable[Line]) -> dict[int, list[str]]:
    """The log's text by the number of the case. The exit before a mark is the mark's own."""
    found: dict[int, list[str]] = {}
    current: Optional[list[str]] = None  # within a case
    for line in lines:
        mark = MARK.search(line.text)
        if current is None:
            if mark:
                current = found[int(mark[1], 16)] = []
        elif mark and int(mark[1], 16) == MARK_END:
            current.pop()
            current = None
        elif line.cpu is not None and line.text != EXIT_ENDS:
            current.append(line.text)
    return found


def events(texts: Iterable[str], at: int) -> str:
    """Without what a vendor's hardware calls an exit, and without addresses that are the image's."""
    said = []
    for text in texts:
        match = EXIT.search(text)
        if match:
            offset = int(match[2], 16) - at
            place = f"+{offset:x}" if 0 <= offset < CODE_SIZE else "elsewhere"
            text = f"exit {match[1]} {place}"
        said.append(IMAGE.sub("(guest)", POOL.sub("", text)))
    return SEPARATOR.join(said) or "nothing"


def cases(console: Iterable[str], lines: Iterable[Line]) -> dict[str, Case]:
    """Raises CompareError if log and console do not have the same cases."""
    logged = between_marks(lines)
    found: dict[str, Case] = {}
    number = 0
    for line in console:
        if not line.startswith("CASE "):
            continue
        number += 1
        _, name, *pairs = line.split()
        case = found[name] = Case(name)
        if pairs == ["skipped"]:
            case.values["events"] = "skipped"
            continue
        for pair in pairs:
            what, _, value = pair.partition("=")
            case.values[what] = value
        at = int(case.values.pop("at"), 16)
        for what in ("rip", "nmi_rip"):
            if case.values.get(what, "end") != "end" and int(case.values[what], 16) >= CODE_SIZE:
                case.values[what] = "elsewhere"
        if number not in logged:
            raise CompareError(f"the log has no mark of case {number}, {name}")
        case.values["events"] = events(logged[number], at)
    if len(found) != number:
        raise CompareError("two cases have one name")
    return found


def compare(vmx: dict[str, Case], svm: dict[str, Case]) -> list[Difference]:
    """In the order of the cases. A case that was skipped on one side is one difference."""
    if list(vmx) != list(svm):
        raise CompareError(f"the two ran different cases: {sorted(set(vmx) ^ set(svm))}")
    found = []
    for name in vmx:
        left, right = vmx[name].values, svm[name].values
        names = ["events"] if "skipped" in (left["events"], right["events"]) else sorted({*left, *right})
        found += [Difference(name, what, *trimmed(left.get(what, "-"), right.get(what, "-")))
                  for what in names if left.get(what) != right.get(what)]
    return found


def trimmed(left: str, right: str) -> tuple[str, str]:
    """Without the events that both begin or end with: their words may change."""
    one, other = left.split(SEPARATOR), right.split(SEPARATOR)
    if "skipped" in (left, right):
        return left, right
    for end in (0, -1):
        while one and other and one[end] == other[end]:
            one.pop(end)
            other.pop(end)
    return SEPARATOR.join(one) or "-", SEPARATOR.join(other) or "-"


def listed(text: str) -> dict[Difference, str]:
    """The file of known differences, with their reasons. Raises CompareError."""
    found: dict[Difference, str] = {}
    reason = ""
    parts: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        word, _, rest = line.strip().partition(" ")
        if not word or word == "#":
            continue
        if word == "because":
            reason = rest
        elif word in ("case", "vmx", "svm") and word == ("case", "vmx", "svm")[len(parts)]:
            parts.append(rest)
        else:
            raise CompareError(f"{LISTED.name}:{number}: because, or case, vmx, svm in turn; not: {line}")
        if len(parts) == 3:
            name, _, what = parts[0].partition(" ")
            if not reason or not what:
                raise CompareError(f"{LISTED.name}:{number}: a difference has a reason, a case and a name")
            found[Difference(name, what, parts[1], parts[2])] = reason
            parts = []
    return found


def judge_differences(seen: list[Difference],
                      known: dict[Difference, str]) -> tuple[list[Difference], list[Difference]]:
    """Those that are new, and those that are listed and were not seen."""
    return [one for one in seen if one not in known], [one for one in known if one not in seen]


def run(vendor: str) -> dict[str, Case]:
    """Raises CompareError, EmulatorError, ImageError."""
    machine = Machine(f"bare-{vendor}", cpus=1, options="test=on log.level=trace", deadline=300)
    machine = replace(on_bochs(machine, MODELS[vendor]), kernel="vmlinuz-bare")
    where = image.BUILD / "machines" / machine.name
    shutil.rmtree(where, ignore_errors=True)
    session = Session(machine, where)
    verdict = judge(session.run(), Expect())
    if not verdict.passed:
        raise CompareError(f"{vendor}: {verdict}; see {where}/")
    return cases(session.console.lines, session.log.lines)


def main() -> int:
    try:
        known = listed(LISTED.read_text())
        vmx, svm = run("vmx"), run("svm")
        seen = compare(vmx, svm)
    except (CompareError, EmulatorError, image.ImageError, OSError) as error:
        print(f"FAILED differential: {error}")
        print("0 passed, 1 failed")
        return 1
    new, gone = judge_differences(seen, known)
    for difference in new:
        print(f"FAILED {difference.case}: not in {LISTED.name}:\n{difference}")
    for difference in gone:
        print(f"FAILED {difference.case}: in {LISTED.name}, and not seen:\n{difference}")
    equal = len(vmx) - len({difference.case for difference in seen})
    print(f"{len(vmx)} cases, {equal} equal in all; {len(seen)} differences,"
          f" {len(new)} new, {len(gone)} gone")
    wrong = {difference.case for difference in new + gone}
    print(f"{len(set(vmx) - wrong)} passed, {len(wrong)} failed")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
