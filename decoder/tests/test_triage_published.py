"""Triage of the older system's published captures, where they are at hand: the table that their author made
by hand, by signatures; and what becomes of them when they are cut, mutated, and given the ends of which no
capture was published.
"""
from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from decoder.triage.batch import Batch
from decoder.triage.capture import (DAMAGED, HANG, LIKELY, PANIC, PASS, SURE, SURENESS, UNSURE, Capture,
                                    settle)
from decoder.triage.inputs import Inputs, Item
from decoder.triage.sort_text import sort_text
from decoder.triage.table import rows_of
from decoder.triage.text import Text, read

from . import older

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
FOLDERS = ("result_stack_1M", "result_stack_32K")
FATAL = "FATAL ERROR: Unexpected return value from page fault handling"


@dataclass
class Published:
    items: list[Item]
    texts: list[Text]
    captures: list[Capture]


@pytest.fixture(scope="module")
def published() -> Published:
    if not SHARED.is_dir():
        pytest.skip("the published captures are not at hand: ../shared/data")
    items = [item for item in Inputs([str(SHARED)]).items() if not item.given]
    texts = [read(item.data) for item in items]
    return Published(items, texts, judge(items, texts))


def judge(items: list[Item], texts: list[Text]) -> list[Capture]:
    batch = Batch(texts)
    captures = [Capture(item.name, item.folder) for item in items]
    for capture, text in zip(captures, texts):
        sort_text(capture, text, batch)
    settle(captures)
    return captures


def by_folder(captures: list[Capture]) -> dict[tuple[str, str], tuple[int, ...]]:
    """(outcome, last line) -> captures of each folder."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    for one in captures:
        last = one.signature.rpartition(" -> ")[2].partition(": ")[2]
        rows.setdefault((one.outcome, last), Counter())[one.folder] += 1
    return {key: tuple(count[name] for name in FOLDERS) for key, count in rows.items()}


TABLE = {
    (PASS, "zeroing section N"): (2, 4),
    (PANIC, FATAL): (12, 53),
    (HANG, "num_used:N num_alocd:N"): (0, 2),
    (HANG, "change NPT permission to run PAL!"): (1, 2),
}


def test_table(published: Published) -> None:
    """Pass, behaviour 1, 2 and 5; and a row for each, no more."""
    assert by_folder(published.captures) == TABLE
    assert len(rows_of(published.captures)) == len(TABLE)


def test_sureness(published: Published) -> None:
    """Two captures contradict the verdict on their first line; no silent end is called sure."""
    assert sum(bool(one.contradiction) for one in published.captures) == 2
    assert Counter((one.outcome, SURENESS[one.sureness]) for one in published.captures) == {
        (PASS, "sure"): 5, (PASS, "unsure"): 1, (HANG, "likely"): 5,
        (PANIC, "sure"): 64, (PANIC, "likely"): 1}


def test_ways(published: Published) -> None:
    """1A and 1B."""
    row = next(row for row in rows_of(published.captures) if row.outcome == PANIC)
    assert row.variants == {
        "scode.c:hpt_scode_npf: incorrect regular code EPT configuration!"
        " (gva=..006, gpa=..006, code=0x4)": 39,
        "scode.c:hpt_scode_npf: EU_CHK( hpt_error_wasInsnFetch(vcpu, errorcode)) failed"
        " (gva=..000, gpa=..000, code=0x2)": 26}


def test_mutated(published: Published) -> None:
    """Other digits in each capture, those of the sources' lines included: the same table."""
    rng = random.Random(1)
    texts = []
    for item in published.items:
        head, _, body = item.data.partition(b"\n\n")
        other = bytes(rng.sample(b"123456789", 9))
        texts.append(read(head + b"\n\n" + body.translate(bytes.maketrans(b"123456789", other))))
    assert by_folder(judge(published.items, texts)) == TABLE


def test_cut(published: Published) -> None:
    """Cut at random places, half of them near the end: damaged, or no more than a guess; a behaviour that it
    is not, never for sure.
    """
    rng = random.Random(2)
    batch = Batch(published.texts)
    known = {(one.outcome, one.signature) for one in published.captures}
    counts: Counter[str] = Counter()
    for at in range(120):
        chosen = rng.randrange(len(published.items))
        data, was = published.items[chosen].data, published.captures[chosen]
        one = Capture("cut")
        less = rng.randrange(1, 9000 if at % 2 else len(data))
        sort_text(one, read(data[:max(0, len(data) - less)]), batch)
        settle([*(replace(other) for other in published.captures if other is not was), one])
        same = (one.outcome, one.signature) == (was.outcome, was.signature)
        counts["damaged" if one.outcome == DAMAGED else "same" if same else "other"] += 1
        if one.outcome != DAMAGED and not same:
            assert one.sureness < SURE, one
            assert one.sureness == UNSURE or (one.outcome, one.signature) in known, one
    assert counts["damaged"] > 50


@pytest.mark.parametrize("last, end, sureness", [
    ("released pal_running lock!", "\nCPU(0x0", LIKELY), ("released pal_running lock!", older.DUMP, SURE),
    ("zeroing section 3", "\n" + older.DUMP, SURE)])
def test_unpublished_behaviours(published: Published, last: str, end: str, sureness: int) -> None:
    """3 and 4, of which there is no capture: a real run, up to where they strike, and then the end that
    their description gives.
    """
    real = next(item.data for item in published.items if item.data.startswith(b"pass\n100"))
    at = real.index(b"\n", real.rindex(last.encode())) + 1
    made = Item("made", "", 0.0, b"fail\n99\n" + real[:at].split(b"\n", 2)[2] + end.encode(), True)
    one = judge([*published.items, made], [*published.texts, read(made.data)])[-1]
    assert (one.outcome, one.sureness) == (HANG, sureness)
    assert one.signature.endswith(last.replace(" 3", " N"))
    assert (HANG, one.signature) not in {(other.outcome, other.signature) for other in published.captures}
