"""A machine that hangs in its boot goes again, once in a run, and what it said is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Callable, Optional

import pytest

from ci import image, suite
from ci.console import Console
from ci.machine import Machine
from ci.machines import Row
from ci.verdict import Seen

GOOD = Seen(console=[], log=[], result=0, guest_started=True, shutdown="guest-shutdown")
HUNG = replace(GOOD, result=None, timed_out=True, shutdown=None)


class Boots:
    """Machines whose boots hang or not, in turn; None: behind its /init."""

    def __init__(self, *hang: Optional[bool]) -> None:
        self._hang = list(hang)

    def session(self, machine: Machine, where: Path) -> Boots:
        self.where = where
        where.mkdir(parents=True)
        return self

    def run(self, stopped: Callable[[object], bool]) -> Seen:
        hang = self._hang.pop(0)
        self.console = Console(entry_at=1.0, init_at=2.0 if hang is None else None)
        return GOOD if hang is False else HUNG


@pytest.mark.parametrize("hang, passed, again", [
    ((False,), [True], []),
    ((True, False), [True], ["one"]),
    ((True, True), [False], ["one"]),
    ((True, False, True), [True, False], ["one"]),
    ((None,), [False], []),
])
def test_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hang: tuple[Optional[bool], ...],
               passed: list[bool], again: list[str]) -> None:
    monkeypatch.setattr(image, "BUILD", tmp_path)
    monkeypatch.setattr(suite, "Session", Boots(*hang).session)
    repeated: list[str] = []
    rows = [Row(Machine("one")), Row(Machine("two"))]
    assert [suite.passes(row, repeated) for row in rows[:len(passed)]] == passed
    assert repeated == again
    assert (tmp_path / "machines/one.hung").exists() == bool(again)
