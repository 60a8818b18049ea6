"""What the text captures of a batch teach about each other: which lines are everyday work, what follows what,
and where a run rests between two rounds of its work. The last AFTER lines of a capture teach nothing about
work: that is where it ended.

No line is known beforehand. A *round* is found by its beginning: a form that comes again and again, always
behind the same last lines of the round before, except for the first time, when it comes behind the boot.
The place between those last lines and the beginning is where a run rests: one that passed ends there.
"""
from __future__ import annotations

from collections import Counter, defaultdict
from typing import Iterable

from .text import AFTER, Text

REST = 3            # so many last forms of a round
ROUNDS = 2          # so many rounds at least must have gone on as said
Ending = tuple[str, ...]


class Batch:
    def __init__(self, texts: Iterable[Text]) -> None:
        self.work: set[str] = set()                 # forms behind which a capture went on for long
        self.next: dict[str, Counter[str]] = defaultdict(Counter)   # what followed a form in the work
        self.last: dict[str, Counter[str]] = defaultdict(Counter)   # what followed a form at an end
        self.tags: set[str] = set()                 # components that name call sites: "TV"
        self.sited: set[str] = set()                # forms that count as work on sight
        self.rests: dict[Ending, set[str]] = {}     # last forms of a round -> beginnings of the next
        self.heads: Counter[str] = Counter()
        self.verdicts: Counter[Ending] = Counter()  # endings of captures that passed
        for text in texts:
            self._learn(text)

    def _learn(self, text: Text) -> None:
        if text.reset or not text.forms:
            return
        self.heads[text.forms[0]] += 1
        self.tags |= text.tags
        work = text.forms[:-AFTER]
        self.work.update(work)
        for before, after in zip(work, work[1:]):
            self.next[before][after] += 1
        end = text.forms[-AFTER:]
        for before, after in zip(end, end[1:]):
            self.last[before][after] += 1
        forms = spine(text)
        self.sited.update(forms)
        if text.verdict == "pass" and len(forms) >= REST:
            self.verdicts[tuple(forms[-REST:])] += 1
        for ending, beginning in _rounds(forms):
            self.rests.setdefault(ending, set()).add(beginning)

    def at_rest(self, text: Text) -> bool:
        """Does it end where a round is over?"""
        ending = tuple(spine(text)[-REST:])
        return ending in self.rests or self.verdicts[ending] > 1

    def knows_rest(self) -> bool:
        return bool(self.rests) or any(count > 1 for count in self.verdicts.values())

    def rounds(self, text: Text) -> int:
        """Rounds that began in this capture; if it is not known what a round is, how many there may be."""
        counts = Counter(spine(text))
        beginnings: set[str] = set()
        beginnings.update(*self.rests.values())
        return max([counts[form] for form in beginnings or counts], default=0)

    def usual_head(self, text: Text) -> bool:
        """Does it begin as most captures do? True where there are too few to tell."""
        if sum(self.heads.values()) < 3 or not text.forms:
            return True
        head, count = self.heads.most_common(1)[0]
        return count * 2 <= sum(self.heads.values()) or text.forms[0] == head


def spine(text: Text) -> list[str]:
    """The lines that tell the story: those with a call site, or all if there are none."""
    if not text.has_sites:
        return text.forms
    return [form for form, sited in zip(text.forms, text.sited) if sited]


def _rounds(forms: list[str]) -> list[tuple[Ending, str]]:
    """(last forms of a round, first form of the next), of each round that goes by the rule above."""
    places: dict[str, list[int]] = defaultdict(list)
    for at, form in enumerate(forms):
        places[form].append(at)
    out = []
    for form, seen in places.items():
        if len(seen) < ROUNDS + 1 or seen[0] < 1:
            continue
        endings = Counter(tuple(forms[max(0, at - REST):at]) for at in seen[1:])
        ending, count = endings.most_common(1)[0]
        if count < ROUNDS or count < 0.9 * (len(seen) - 1) or len(ending) < REST:
            continue
        # The first round began behind something else, and the ending came only after that
        before = forms[:seen[0]]
        if before[-1] != ending[-1] and not _holds(before, ending):
            out.append((ending, form))
    return out


def _holds(forms: list[str], ending: Ending) -> bool:
    """Does `ending` stand anywhere in `forms`?"""
    return any(tuple(forms[at:at + REST]) == ending for at in range(len(forms) - REST + 1))
