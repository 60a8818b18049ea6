"""The bench's figures: the median over the pairs, not the ratio of sums; on Bochs, from stop to stop."""

from __future__ import annotations

import pytest

from ci.bench import ratio
from ci.bench_bochs import BochsBenchError, span


def test_ratio() -> None:
    assert ratio([(1.0, 1.1), (2.0, 2.4), (1.0, 9.0)]) == 1.2


def test_ticks_are_counted_from_the_kernel_to_init() -> None:
    assert span("Next at t=0\n(0) Breakpoint 1\nNext at t=100\n(0) Magic breakpoint\nNext at t=350\n") == 250
    with pytest.raises(BochsBenchError, match="1 times"):
        span("Next at t=0\n")
