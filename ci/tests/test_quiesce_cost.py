"""What the bare guest says of stops, as figures."""

from __future__ import annotations

import pytest

from ci.quiesce_cost import CostError, costs

LINE = ("COST spin=00000001 hold=0000c350 cpus=00000002 exits=00000007"
        " ticks=0000c7f8 0000c802 0000c80c back=14 15 20")


def test_a_line_is_medians_beyond_the_hold() -> None:
    cost, = costs("svm", 2, ["Linux", LINE, "RESULT 0"])
    assert (cost.park, cost.hold, cost.ticks, cost.most, cost.back) == ("spin", 50000, 1202, 1212, 21)
    assert cost.exits == 2.0  # 7, less the call that read the counter, over three stops


def test_a_missing_cpu_is_an_error() -> None:
    with pytest.raises(CostError, match="2 of 4 CPUs"):
        costs("vmx", 4, [LINE])
