"""Triage on captures that are made here: each behaviour of the older system's diary, cut, mutated, renamed,
alone and in a batch; on Braid's own captures; and the table's arithmetic.
"""
from __future__ import annotations

import random
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from decoder.elf import Finder
from decoder.triage.batch import Batch
from decoder.triage.capture import DAMAGED, HANG, PANIC, PASS, RESET, SURE, UNSURE, Capture, settle
from decoder.triage.cli import sort
from decoder.triage.inputs import Inputs
from decoder.triage.sort_text import sort_text
from decoder.triage.text import Text, read

from . import older
from .older import ENDS, Older


def made(folder: Path, each: int = 3) -> dict[str, str]:
    """Captures of every end in `folder`; their names, and the ends."""
    ends = {}
    for number, end in enumerate(ENDS * each):
        name = f"{number:03}"
        (folder / name).write_bytes(Older(number).capture(end, 3 + number % 9))
        ends[name] = end
    return ends


def sorted_(*paths: Path) -> dict[str, Capture]:
    inputs = Inputs([str(path) for path in paths])
    captures, _ = sort(inputs, Finder([]))
    assert inputs.problems == []
    return {one.name: one for one in captures}


def agree(captures: dict[str, Capture], ends: dict[str, str]) -> None:
    """Two captures have the same signature exactly if they show the same behaviour."""
    seen: dict[str, set[tuple[str, str]]] = {}
    for name, one in captures.items():
        seen.setdefault(older.BEHAVIOUR[ends[name]], set()).add((one.outcome, one.signature))
    assert {key: len(value) for key, value in seen.items()} == {key: 1 for key in seen}
    assert len(set.union(*seen.values())) == len(seen)
    assert {outcome for outcome, _ in seen["p"]} == {PASS}
    assert {outcome for outcome, _ in seen["1"]} == {PANIC}
    assert all(outcome == HANG for key in "2345" for outcome, _ in seen[key])


def test_behaviours(tmp_path: Path) -> None:
    ends = made(tmp_path)
    captures = sorted_(tmp_path)
    agree(captures, ends)
    assert len(captures) == len(ends)
    sure = {ends[name] for name, one in captures.items() if one.sureness == SURE}
    assert sure == {older.PASS, older.FAULT_CODE, older.FAULT_DATA, older.RELEASED_DUMP, older.ZEROED,
                    older.RUN_ERROR}
    assert all(one.sureness > UNSURE for one in captures.values())


def test_panics_keep_apart_what_led_to_them(tmp_path: Path) -> None:
    ends = made(tmp_path)
    captures = sorted_(tmp_path)
    ways = {end: {(one.variant, one.features[0][-4:], one.features[2]) for name, one in captures.items()
                  if ends[name] == end} for end in (older.FAULT_CODE, older.FAULT_DATA)}
    assert ways[older.FAULT_CODE] == {
        ("scode.c:hpt_scode_npf: incorrect regular code EPT configuration!", ".006", "code=0x4")}
    assert {way[1:] for way in ways[older.FAULT_DATA]} == {(".000", "code=0x2")}


@pytest.mark.parametrize("end", ENDS)
def test_alone(tmp_path: Path, end: str) -> None:
    """One capture without others: the outcome is right, and a silent one is no more than a guess."""
    (tmp_path / "x").write_bytes(Older(1).capture(end, 5))
    one = sorted_(tmp_path / "x")["x"]
    assert one.outcome == {"p": PASS, "1": PANIC}.get(older.BEHAVIOUR[end], HANG)
    if end in (older.PAGES, older.RUN):
        assert one.sureness == UNSURE


def test_numbers_and_names_do_not_matter(tmp_path: Path) -> None:
    ends = made(tmp_path)
    rng = random.Random(1)
    folder = tmp_path / "renamed"
    folder.mkdir()
    names = list(ends)
    rng.shuffle(names)
    moved = {}
    for at, name in enumerate(names):
        head, _, body = (tmp_path / name).read_text().partition("\n\n")
        body = re.sub(r"0x[0-9a-f]+|\d+", lambda m: mutated(m[0], rng), body)
        (folder / f"run{at}.log").write_text(f"{head}\n\n{body}")
        (tmp_path / name).unlink()
        moved[f"run{at}.log"] = ends[name]
    agree(sorted_(folder), moved)


def mutated(number: str, rng: random.Random) -> str:
    if number.startswith("0x"):
        return f"0x{rng.randrange(1 << 32):x}"
    return str(rng.randrange(10**rng.randrange(1, 6)))


def test_cut_anywhere(tmp_path: Path) -> None:
    """A capture that is cut short becomes damaged, or a guess; never another behaviour for sure. Where only
    its last words go, it is what it was.
    """
    rng = random.Random(2)
    sources = [Older(number).capture(end, 3 + number % 9) for number, end in enumerate(ENDS * 3)]
    batch = Batch(read(source) for source in sources)
    whole = [judged(read(source), batch) for source in sources]
    known = {(one.outcome, one.signature) for one in whole}
    counts: Counter[str] = Counter()
    for at in range(600):
        chosen = rng.randrange(len(sources))
        data, was = sources[chosen], whole[chosen]
        one = judged(read(data[:len(data) - rng.randrange(1, 2500 if at % 2 else len(data))]), batch)
        settle([*(replace(other) for other in whole if other is not was), one])
        same = (one.outcome, one.signature) == (was.outcome, was.signature)
        counts["damaged" if one.outcome == DAMAGED else "same" if same else "other"] += 1
        if one.outcome != DAMAGED and not same:
            assert one.sureness < SURE, one
            assert one.sureness == UNSURE or (one.outcome, one.signature) in known, one
    assert counts["damaged"] > 200 and counts["same"] > 5


def judged(text: Text, batch: Batch) -> Capture:
    capture = Capture("x")
    sort_text(capture, text, batch)
    return capture


def test_damage_is_no_hang(tmp_path: Path) -> None:
    data = Older(1).capture(older.RUN, 8)
    rng = random.Random(3)
    noise = bytes(rng.randrange(256) if rng.random() < 0.05 else byte for byte in data)
    broken = {"empty": b"", "nothing": b"\n\n\n", "noise": noise, "random": rng.randbytes(5000),
              "zeros": bytes(4000), "half": data[:len(data) // 2]}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    captures = sorted_(*[tmp_path / name for name in broken])
    assert {name: one.outcome for name, one in captures.items()} == {name: DAMAGED for name in broken}
    assert all(one.sureness == SURE for one in captures.values())


def test_reset(tmp_path: Path) -> None:
    first, second = (Older(seed).capture(older.RUN, 3).split(b"\n", 3)[3] for seed in (1, 2))
    (tmp_path / "x").write_bytes(first + second)
    one = sorted_(tmp_path / "x")["x"]
    assert one.outcome == RESET and one.signature.endswith("change NPT permission to run PAL!")


def test_contradictions(tmp_path: Path) -> None:
    """The harness's word against the log's: the log's end counts, and it is said."""
    made(tmp_path)
    fatal, rest = Older(50).capture(older.FAULT_DATA, 4), Older(51).capture(older.PASS, 4)
    (tmp_path / "a").write_bytes(b"pass" + fatal[4:])
    (tmp_path / "b").write_bytes(b"fail" + rest[4:])
    captures = sorted_(tmp_path)
    assert captures["a"].outcome == PANIC and "pass" in captures["a"].contradiction
    assert captures["b"].outcome == PASS and "fail" in captures["b"].contradiction
    assert captures["a"].sureness < SURE and captures["b"].sureness == UNSURE


def test_beginning_missing(tmp_path: Path) -> None:
    made(tmp_path)
    data = Older(60).capture(older.FAULT_CODE, 6)
    (tmp_path / "x").write_bytes(data[len(data) // 2:])
    one = sorted_(tmp_path)["x"]
    assert one.outcome == PANIC and one.sureness < SURE and "its beginning is missing" in one.why
