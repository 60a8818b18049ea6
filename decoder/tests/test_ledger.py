"""Losses and times."""
from __future__ import annotations

from typing import Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from decoder.ledger import Account, Gap
from decoder.times import Base, ContextClock


def test_gap_shows_at_once() -> None:
    account = Account(from_start=True)
    assert account.frame(0) is None
    assert account.frame(4) == Gap(1, 3, True)
    assert account.frame(5) is None


def test_sync_finds_what_sequence_numbers_hide() -> None:
    account = Account(from_start=True)
    account.frame(0)
    assert account.sync(17) == Gap(1, 16, True)
    account = Account(from_start=True)
    account.frame(0)
    assert account.frame(2) == Gap(1, 1, True)
    assert account.sync(35) == Gap(3, 32, True)


def test_joined_half_way_nothing_before_is_lost() -> None:
    account = Account(from_start=False)
    assert account.frame(9) is None
    assert account.frame(12) == Gap(10, 2, False)
    assert account.sync(1005) is None          # 1005 = 13 modulo 16
    assert account.frame(1 + 1005 & 15) is None
    assert account.next == 1007
    account = Account(from_start=False)
    assert account.sync(500) is None


def test_sync_of_a_lower_context() -> None:
    account = Account(from_start=True)
    assert account.begun(0) is None
    assert account.begun(2) == Gap(0, 2, True)
    account.frame(2)
    assert account.begun(2) is None            # an NMI came while that SYNC was on its way
    assert account.begun(3) is None


def test_repeated_frames_count_once() -> None:
    account = Account(from_start=True)
    assert not account.repeats(0, 0, b"x")
    assert account.repeats(0, 0, b"x")
    assert not account.repeats(0, 1, b"x")


def test_drops() -> None:
    account = Account(from_start=True)
    assert [account.drops(n) for n in (2, 5, 5, 4, 6)] == [2, 3, 0, 0, 1]
    account = Account(from_start=False)
    assert [account.drops(n) for n in (700, 701)] == [0, 1]


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=300))
def test_totals_are_exact_at_a_sync(frames: list[tuple[bool, bool]]) -> None:
    """Each pair: is it a SYNC, does it arrive."""
    account = Account(from_start=True)
    lost = reported = 0
    for number, (is_sync, arrives) in enumerate(frames + [(True, True)]):
        if not arrives:
            lost += 1
            continue
        gap = account.sync(number) if is_sync else account.frame(number & 15)
        reported += gap.count if gap else 0
        assert reported == lost or not is_sync
        assert (lost - reported) % 16 == 0


@given(st.integers(0, 2**40), st.lists(st.integers(0, 1 << 22), max_size=50))
def test_times_go_forward(start: int, steps: list[int]) -> None:
    clock = ContextClock()
    clock.sync(start)
    now = start
    for step in steps:
        now += step
        bits = 7 * max(1, (step.bit_length() + 6) // 7)
        clock.latest = clock.whole(now & (1 << bits) - 1, bits, None)
        assert clock.latest == now


def test_uncertain_after_two_lost_until_the_next_sync() -> None:
    clock = ContextClock()
    assert clock.uncertain and clock.whole(5, 14, None) is None
    clock.sync(70000)
    assert not clock.uncertain
    clock.lost(1)
    assert not clock.uncertain
    clock.lost(2)
    assert clock.uncertain
    clock.sync(90000)
    assert not clock.uncertain


@pytest.mark.parametrize("hint, whole", [(1 << 20, (1 << 20) + 5), ((1 << 20) - 100, (1 << 20) + 5)])
def test_a_first_time_is_the_nearest_to_the_other_lanes(hint: int, whole: int) -> None:
    assert ContextClock().whole(5, 14, hint) == whole


def seconds(khz: int, time: Optional[int]) -> Optional[float]:
    base = Base(shift=13, khz=khz)
    base.sure(100)
    return base.seconds(time)


def test_seconds_count_from_the_first_sure_time() -> None:
    assert seconds(1_024_000, 1100) == pytest.approx(0.008)
    assert seconds(1_024_000, 50) == pytest.approx(-0.0004)
    assert seconds(0, 1100) is None and seconds(1_024_000, None) is None
