"""Cases are cut out of log and console, compared, and judged by the list of what is known to differ."""

from __future__ import annotations

import pytest

from ci.differential import Case, CompareError, Difference, cases, compare, judge_differences, listed
from ci.differential import trimmed
from ci.logview import Line

CONSOLE = ["BRAID-INIT", "CASE first at=1000010 vector=40 rip=end rax=1", "CASE second skipped",
           "CASE third at=1000020 vector=d rip=2000 rax=2"]
OWN = "exit: hypercall, code 0x12, rip 0x1000000"  # a mark's
LOG = ["before", OWN, "TEST 0x1", "exit ends", "exit: CPUID, code 0xa, rip 0x1000012",
       "PAL 0 ready, 7 of the pool free", OWN, "TEST 0xffff", "between",
       "TEST 0x3", "TEST 0x7", OWN, "TEST 0xffff"]
KNOWN = """# a comment
because of a reason
case first rax
  vmx 1
  svm 2
"""
RAX = Difference("first", "rax", "1", "2")


def seen() -> dict[str, Case]:
    return cases(CONSOLE, [Line(0, 0.0, "info", text) for text in LOG])


def test_cases() -> None:
    found = seen()
    assert found["first"].values == {"vector": "40", "rip": "end", "rax": "1",
                                     "events": "exit CPUID +2 | PAL 0 ready"}
    assert found["second"].values == {"events": "skipped"}
    assert found["third"].values["events"] == "TEST 0x7" and found["third"].values["rip"] == "elsewhere"


def test_a_case_without_its_mark() -> None:
    with pytest.raises(CompareError, match="no mark of case 1"):
        cases(CONSOLE, [])


def test_compare() -> None:
    left, right = seen(), seen()
    assert not compare(left, right)
    right["first"].values["rax"] = "2"
    right["third"].values["events"] = "nothing"
    assert compare(left, right) == [RAX, Difference("third", "events", "TEST 0x7", "nothing")]
    with pytest.raises(CompareError, match="different cases"):
        compare(left, {})


def test_events_are_compared_where_they_part() -> None:
    assert trimmed("a | b | c", "a | x | y | c") == ("b", "x | y")
    assert trimmed("a | c", "a | b | c") == ("-", "b") and trimmed("skipped", "a") == ("skipped", "a")


def test_what_is_new_and_what_is_gone_is_named() -> None:
    known = listed(KNOWN)
    assert known == {RAX: "of a reason"}
    other = Difference("first", "rax", "1", "3")
    assert judge_differences([RAX], known) == ([], [])
    assert judge_differences([other], known) == ([other], [RAX])


@pytest.mark.parametrize("text, line", [("case a b\n  svm 1\n", 2), ("case a b\n  vmx 1\n  svm 2\n", 3),
                                        ("nonsense\n", 1)])
def test_a_list_that_cannot_be_read(text: str, line: int) -> None:
    with pytest.raises(CompareError, match=f":{line}:"):
        listed(text)
