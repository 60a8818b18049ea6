"""Sorts a text capture: outcome, signature, and how sure that is.

The signature of a panic is the record that announces it. That of a hang is the last line of work and the
different one before it: where it stopped. What follows and is no work (a dump, a line that was cut) are its
last words; they belong to the hang, and are no part of its name, since the same hang may cut them short or
swallow them.
"""
from __future__ import annotations

import re
from typing import Optional

from . import ending
from .batch import Batch
from .capture import DAMAGED, HANG, LIKELY, PANIC, PASS, RESET, SURE, UNSURE, Capture, damaged
from .text import Line, Text

WINDOW = 16         # the last lines in which a panic is looked for
FATAL = re.compile(r"\bFATAL\b|\bpanic\b|\bPANIC\b|\bBUG:|\b[Aa]ssert(ion)?\b.*\bfail|\bOops\b|triple fault")
_PAIR = re.compile(r"\b([a-z]\w*)[ =]+(0x[0-9a-fA-F]{1,16})\b")


def sort_text(capture: Capture, text: Text, batch: Batch) -> None:
    """Fills in the capture."""
    capture.size = text.lines
    ending.complete(text, batch)
    panic = _panic(text, batch)
    rounds = batch.rounds(text)
    if not text.tail:
        damaged(capture, "empty" if not text.size else "no line of text", SURE)
    elif text.garbled * 200 > text.size:
        damaged(capture, f"{text.garbled} of {text.size} bytes are no text", SURE)
    elif text.reset:
        capture.outcome, capture.sureness = RESET, LIKELY
        capture.why.append("its first lines come once more")
        capture.signature = panic.form if panic else ending.place(text, batch).name
    elif panic is not None:
        _sort_panic(capture, text, panic, batch)
    elif text.claimed > rounds:
        damaged(capture, f"the end is missing: {text.claimed} rounds claimed, {rounds} shown", SURE)
    else:
        _sort_end(capture, text, batch)
    if not batch.usual_head(text) and capture.outcome != DAMAGED:
        capture.less_sure("its beginning is missing")


def _panic(text: Text, batch: Batch) -> Optional[Line]:
    for line in text.tail[-WINDOW:]:
        if FATAL.search(line.raw) and line.form not in batch.work:
            return line
    return None


def _sort_panic(capture: Capture, text: Text, line: Line, batch: Batch) -> None:
    at = text.tail.index(line)
    capture.outcome, capture.sureness = PANIC, SURE
    capture.signature = line.form
    if not line.whole:
        capture.signature = _known_panic(line, batch) or line.form
        capture.less_sure("its record is cut")
    before = text.tail[max(0, at - 5):at]
    capture.variant = next((one.form for one in reversed(before) if one.sited or not text.has_sites), "")
    capture.features = _features(before, line)
    if text.verdict == "pass":
        capture.contradiction = "its harness says pass, the log ends in a panic"
        capture.less_sure(capture.contradiction)


def _known_panic(line: Line, batch: Batch) -> str:
    """The form of which this cut record is the beginning, if others of the batch have it whole."""
    forms = {form for after in batch.last.values() for form in after if FATAL.search(form)}
    fits = [form for form in forms if form.startswith(ending.stem(line))]
    return fits[0] if len(fits) == 1 else ""


def _features(before: list[Line], panic: Line) -> tuple[str, ...]:
    """name=value of what the panic's own function said last, or else of the nearest line that has such.
    Small values stand as they are; of addresses only the page offset tells anything.
    """
    own = [one for one in before if one.form.split(": ")[0] == panic.form.split(": ")[0]]
    for line in [*reversed(own), *reversed(before)]:
        pairs = [(name, int(value, 16)) for name, value in _PAIR.findall(line.raw)]
        if len(pairs) > 1:
            return tuple(f"{name}={value:#x}" if value < 4096 else f"{name}=..{value & 4095:03x}"
                         for name, value in pairs)
    return ()


def _sort_end(capture: Capture, text: Text, batch: Batch) -> None:
    """It just ends: it passed, it hangs, or the capture was cut."""
    place = ending.place(text, batch)
    capture.outcome, capture.sureness, capture.signature = HANG, LIKELY, place.name
    capture.words = place.words[0].raw.strip() if place.words else ""
    if ending.within_work(place, batch):
        _sort_cut(capture, text, place)
    elif place.words:
        _judge_words(capture, place, batch)
    elif text.verdict == "pass":
        _sort_pass(capture, text, batch)
    elif batch.at_rest(text):
        capture.outcome = PASS
        capture.why.append("it ends where a round is over")
        if text.verdict == "fail":
            capture.contradiction = "its harness says fail, the log ends where one that passed ends"
            capture.unsure(capture.contradiction)
    else:
        announced = ending.always_before(place.form, batch)
        if FATAL.search(announced):
            capture.outcome, capture.signature = PANIC, announced
            capture.unsure("its last line always announced this panic, which is missing here")
        else:
            capture.silent = True


def _sort_cut(capture: Capture, text: Text, place: ending.Place) -> None:
    """It ends within a line of work: cut short, or stopped while it wrote. A harness that saw it fail in the
    very round that the log shows last speaks for the second, since a cut may be in any round.
    """
    if text.verdict == "pass":
        damaged(capture, "the end is missing: its harness says pass, and it ends within a line", LIKELY)
    elif text.verdict == "fail" and text.claimed > 0:
        capture.signature += " -> (within the next line)"
        capture.unsure("it ends within a line of work: stopped while it wrote, or cut short")
    else:
        capture.variant = place.form
        damaged(capture, "it ends within a line of work: cut short, or stopped while it wrote", UNSURE)


def _judge_words(capture: Capture, place: ending.Place, batch: Batch) -> None:
    """Last words are worth as much as is known of what else comes behind this place."""
    known = ending.known(place, batch)
    dying = [line.whole and bool(ending.DYING.search(line.raw)) for line in place.words]
    if any(dying) and known:
        capture.sureness = SURE
        capture.why.append("it says what it died of")
    elif dying[0]:
        capture.why.append("it says what it died of, at a place that nothing else was seen to pass")
    elif known:
        capture.why.append("what it says behind this place is not what usually comes there")
    else:
        capture.unsure("what it says at the end may be usual there: nothing else was seen to pass that place")


def _sort_pass(capture: Capture, text: Text, batch: Batch) -> None:
    """Its harness says that it passed."""
    if batch.at_rest(text):
        capture.outcome, capture.sureness = PASS, SURE
        capture.why.append("its harness says so, and it ends where a round is over")
    elif not batch.knows_rest():
        capture.outcome = PASS
        capture.why.append("its harness says so")
    else:
        damaged(capture, "the end is missing: its harness says pass, and it ends within a round", LIKELY)
