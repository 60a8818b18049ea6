"""Judge one run. Pure: what was seen and what was expected in, a verdict out."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Iterable, Iterator, Optional

from ci.machine import Expect


@dataclass(frozen=True)
class Seen:
    """All that a run has shown."""
    console: list[str]
    log: list[str]
    result: Optional[int] = None
    guest_started: bool = False  # the guest's kernel said anything
    shutdown: Optional[str] = None  # why it ended: guest-shutdown, guest-reset, Bochs's last words, ...
    objections: list[str] = field(default_factory=list)  # what the emulator found wrong with the hypervisor
    timed_out: bool = False
    frames_lost: int = 0
    not_injected: int = 0  # NMIs that the run was too short for
    panic: Optional[str] = None  # the guest kernel's last words


@dataclass(frozen=True)
class Verdict:
    kind: str  # pass, fail, hang, reset, emulator
    why: str = ""

    @property
    def passed(self) -> bool:
        return self.kind == "pass"

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}" if self.why else self.kind


def judge(seen: Seen, expect: Expect) -> Verdict:
    """The first thing that is wrong decides, worst first: no result, a wrong one, missing lines."""
    if expect.result is None:
        if seen.guest_started and not expect.guest:
            return Verdict("fail", "a guest was started, and none should have been")
        if seen.result is not None:
            return Verdict("fail", f"Braid should have stopped; the guest ended with {seen.result}")
    elif seen.result is None:
        return _no_result(seen)
    elif seen.result != expect.result:
        return Verdict("fail", f"the guest's command ended with {seen.result}, not {expect.result}")
    elif seen.timed_out:
        return Verdict("hang", "after the result: the guest never powered off")
    elif seen.shutdown != "guest-shutdown":
        return Verdict("reset", f"after the result: the machine ended by {seen.shutdown}, not by power-off")
    missing = [f"the emulator objects: {line}" for line in seen.objections
               if not any(re.search(p, line) for p in expect.objections)]
    missing += [f"the emulator does not object: /{p}/" for p in _missing(expect.objections, seen.objections)]
    missing += [f"log has no /{p}/" for p in _missing(expect.log, seen.log)]
    missing += [f"console has no /{p}/" for p in _missing(expect.console, seen.console)]
    missing += [f"log has /{p}/" for p in expect.not_log if p not in _missing([p], seen.log)]
    missing += [gap for pattern in expect.series for gap in _gaps(pattern, seen.log)]
    if expect.frames_lost is not None and seen.frames_lost > expect.frames_lost:
        missing.append(f"{seen.frames_lost} log frames lost")
    if seen.not_injected:
        missing.append(f"it ended before the last {seen.not_injected} NMIs were injected")
    return Verdict("fail", "; ".join(missing)) if missing else Verdict("pass")


def _no_result(seen: Seen) -> Verdict:
    last = next((line for line in reversed(seen.console) if line.strip()), "nothing")
    words = seen.panic or f"the console's last line: {last.strip()}"
    if seen.timed_out:
        return Verdict("hang", f"no result before the deadline; {words}")
    return Verdict("reset", f"the machine ended by {seen.shutdown or 'itself'} without a result; {words}")


def _missing(patterns: Iterable[str], lines: list[str]) -> list[str]:
    return [p for p in patterns if not any(re.search(p, line) for line in lines)]


def _gaps(pattern: str, lines: Iterable[str]) -> Iterator[str]:
    """The first place of each series at which its numbers do not follow one another."""
    last: dict[tuple[str, ...], int] = {}
    broken = set()
    for match in filter(None, (re.search(pattern, line) for line in lines)):
        *whose, number = match.groups()
        key = tuple(whose)
        if int(number) != last.get(key, 0) + 1 and key not in broken:
            broken.add(key)
            yield f"log: {match[0]!r} comes after number {last.get(key, 0)}"
        last[key] = int(number)
    if not last:
        yield f"log has no /{pattern}/"
