"""What triage finds out about one capture."""
from __future__ import annotations

import re
from dataclasses import dataclass, field

PASS, HANG, PANIC, RESET, DAMAGED = OUTCOMES = ("pass", "hang", "panic", "reset", "damaged")
UNSURE, LIKELY, SURE = range(3)
SURENESS = ("unsure", "likely", "sure")


@dataclass
class Capture:
    """`signature` is what captures are grouped by. `variant` and `features` tell captures of one signature
    apart; `why` are the reasons for the sureness.
    """

    name: str
    folder: str = ""
    when: float = 0.0               # seconds since 1970 (of the file), 0 if not known
    size: int = 0                   # lines
    outcome: str = DAMAGED
    signature: str = ""
    sureness: int = UNSURE
    why: list[str] = field(default_factory=list)
    variant: str = ""
    features: tuple[str, ...] = ()
    words: str = ""                 # what it said behind the place where it stopped
    silent: bool = False            # nothing but the end of the capture says that it hangs
    contradiction: str = ""         # of the log with the verdict that its harness put before it

    def less_sure(self, reason: str) -> None:
        self.sureness = max(UNSURE, self.sureness - 1)
        self.why.append(reason)

    def unsure(self, reason: str) -> None:
        self.sureness = UNSURE
        self.why.append(reason)


def damaged(capture: Capture, why: str, sureness: int) -> None:
    """Not a hang: the capture does not hold what happened."""
    capture.outcome, capture.sureness = DAMAGED, sureness
    capture.signature = re.sub(r"\d+", "N", why)
    capture.why.append(why)


def settle(captures: list[Capture]) -> None:
    """A silent end is a guess while it is alone: a capture that was cut short looks the same. Several that
    stopped at the same place support each other.
    """
    ends: dict[str, int] = {}
    for one in captures:
        if one.outcome == HANG and one.sureness != UNSURE or one.silent:
            ends[one.signature] = ends.get(one.signature, 0) + 1
    for one in captures:
        if one.silent and ends.get(one.signature, 0) > 1:
            one.sureness = LIKELY
            one.why.append("others stopped at the same place")
        elif one.silent:
            one.unsure("only the end of the capture says so: one that was cut short looks the same")
