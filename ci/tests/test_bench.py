"""The bench's figure: the median over the pairs, not the ratio of sums."""

from __future__ import annotations

from ci.bench import ratio


def test_ratio() -> None:
    assert ratio([(1.0, 1.1), (2.0, 2.4), (1.0, 9.0)]) == 1.2
