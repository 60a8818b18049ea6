"""Figures of single services, from what the guest prints."""

from __future__ import annotations

from ci.bench_exits import costs, table


def test_costs_are_medians_without_the_measuring() -> None:
    lines = ["COST with 3 other CPUs busy", "COST nothing min 8 median 9", "COST cpuid min 282 median 284"]
    assert costs(lines) == {"cpuid": 275}


def test_table_has_a_column_for_each_machine_and_says_what_is_missing() -> None:
    said = table([{"vendor": "vmx", "cpus": 1, "wire": True, "cpuid": 275},
                  {"vendor": "svm", "cpus": 4, "wire": False, "cpuid": 301}]).splitlines()
    assert said[0].split()[-5:] == ["vmx", "1", "svm", "4", "quiet"]
    assert said[1].split()[-4:] == ["3613", "300", "275", "301"]
    assert said[2].split()[-2:] == ["-", "-"]
