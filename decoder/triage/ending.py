"""Where a text capture stopped, and what the lines behind that place are. Pure functions."""
from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from .batch import Batch, spine
from .text import Line, Text

DYING = re.compile(r"error|unhandled|exception|fault|fail|abort|halt|fatal", re.IGNORECASE)
TIMES = 3           # so often at least something must have come, to be what always comes
_SITE = re.compile(r"(\w+)\[\d*(\](:[\w./-]*(:\w*(:\d*)?)?)?)?")     # as much of a call site as there is


class Place(NamedTuple):
    name: str           # the signature: the form before, and the form
    form: str           # of the last line of work
    words: list[Line]   # what follows


def place(text: Text, batch: Batch) -> Place:
    last = len(text.tail) - 1
    while last >= 0 and not _is_work(text, text.tail[last], batch):
        last -= 1
    if last < 0:
        return Place("before its first record", "", text.tail)
    form = text.tail[last].form
    before = next((one for one in reversed(spine(text)) if one != form), "")
    return Place(f"{before} -> {form}" if before else form, form, text.tail[last + 1:])


def _is_work(text: Text, line: Line, batch: Batch) -> bool:
    """A line without a call site, in a log that has them, counts if runs went on behind such a line."""
    return line.whole and (line.sited or not text.has_sites or line.form in batch.work)


def complete(text: Text, batch: Batch) -> None:
    """A last line that only lacks its line feed is whole: if it is one that work has."""
    if text.tail and not text.tail[-1].whole and text.tail[-1].form in batch.work:
        text.tail[-1] = line = text.tail[-1]._replace(whole=True)
        text.forms.append(line.form)
        text.sited.append(line.sited)


def stem(line: Line) -> str:
    """The form of a cut line, without the number that the cut may have split."""
    return re.sub(r"(N|N?x|0x?)$", "", line.form)


def within_work(where: Place, batch: Batch) -> bool:
    """Does the capture end in the beginning of a line of work: of a call site's, or of what usually comes
    behind this place?
    """
    if len(where.words) != 1 or where.words[0].whole:
        return False
    line = where.words[0]
    raw = line.raw.strip()
    site = _SITE.fullmatch(raw)
    if line.sited or (site and site[1] in batch.tags) or any(tag.startswith(raw) for tag in batch.tags):
        return True
    return any(form.startswith(stem(line)) for form in batch.next.get(where.form, ()))


def known(where: Place, batch: Batch) -> bool:
    """Is it known what usually comes behind this place? Lines without a call site are too mixed to say."""
    return where.form in batch.sited and sum(batch.next.get(where.form, Counter()).values()) >= TIMES


def always_before(form: str, batch: Batch) -> str:
    """The form that always followed this one at the ends of captures, and never in the work; or ""."""
    after = batch.last.get(form)
    if after is None or len(after) != 1 or form in batch.next:
        return ""
    follower, count = after.most_common(1)[0]
    return follower if count >= TIMES else ""
