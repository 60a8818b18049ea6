"""ONLY=REGEX: a pattern that is wrong, or matches nothing, is no success and no traceback."""

from __future__ import annotations

import sys

import pytest

from ci.only import only


@pytest.mark.parametrize("words, found", [([], ["log", "log-nmi"]), (["nmi"], ["log-nmi"]),
                                          (["^log$"], ["log"])])
def test_only(monkeypatch: pytest.MonkeyPatch, words: list[str], found: list[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["suite", *words])
    assert only(["log", "log-nmi"], str) == found


@pytest.mark.parametrize("pattern, says", [("typo", "ONLY=typo matches none of: log, nmi"),
                                           ("(", r"ONLY=\( is no regular expression: ")])
def test_what_makes_no_sense(monkeypatch: pytest.MonkeyPatch, pattern: str, says: str) -> None:
    monkeypatch.setattr(sys, "argv", ["suite", pattern])
    with pytest.raises(SystemExit, match=says):
        only(["log", "nmi"], str)
