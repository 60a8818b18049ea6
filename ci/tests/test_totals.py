"""The count that continuous integration reads must not be better than the suites were."""

from __future__ import annotations

import pytest

from ci.totals import Count, verdict


@pytest.mark.parametrize("lines, status, count", [
    (["ok a", "3 passed, 0 failed"], 0, Count(3)),
    (["3 passed, 1 failed, 2 skipped"], 1, Count(3, 1, 2)),
    (["1 passed, 0 failed", "9 passed, 0 failed"], 0, Count(9)),
    (["a line that says 3 passed, 0 failed"], 0, Count(0, 1)),
    ([], 0, Count(0, 1)),
    (["cc: error"], 2, Count(0, 1)),
    (["3 passed, 0 failed", "core dumped"], 139, Count(3, 1)),
])
def test_verdict(lines: list[str], status: int, count: Count) -> None:
    assert verdict(lines, status) == count


def test_a_silent_lint_counts_by_its_status() -> None:
    assert verdict([], 0, silence=True) == Count(1)
    assert verdict(["error"], 1, silence=True) == Count(0, 1)


def test_sum_and_text() -> None:
    assert str(Count(1, 2) + Count(3, 0, 4)) == "4 passed, 2 failed, 4 skipped"
    assert str(Count(1)) == "1 passed, 0 failed"
