"""Bochs's log decides how a run ended: its status is 1 for success, too."""

from __future__ import annotations

import pytest

from ci.bochs import objections, stopped_by

OFF = "00724018925p[ACPI  ] >>PANIC<< ACPI control: soft power off\n"
TRIPLE = "00724018925p[CPU0  ] >>PANIC<< exception(): 3rd (13) exception with no resolution\n"


@pytest.mark.parametrize("log, why", [
    (OFF, "guest-shutdown"), ("", None), (TRIPLE, "exception(): 3rd (13) exception with no resolution"),
    ("00000000000i[      ] ACPI control: soft power off\n", None),
])
def test_stopped_by(log: str, why: str) -> None:
    assert stopped_by(log) == why


@pytest.mark.parametrize("line, said", [
    ("000e[CPU0  ] VMENTER FAIL: RFLAGS[1] cleared", ["VMENTER FAIL: RFLAGS[1] cleared"]),
    ("000e[CPU1  ] VMFAIL: VMCS host RIP non-canonical", ["VMFAIL: VMCS host RIP non-canonical"]),
    ("000e[CPU1  ] VMRUN: VMRUN intercept bit is not set!", ["VMRUN: VMRUN intercept bit is not set!"]),
    ("000e[SER   ] com1: transmit FIFO overflow", ["com1: transmit FIFO overflow"]),
    ("000d[CPU1  ] VMRUN: Starting Nested Paging Mode !", []),
    ("000e[CPU0  ] VMEXIT: EPT violation for guest paddr 0x0000fee000b0", []),
])
def test_objections(line: str, said: list[str]) -> None:
    assert objections(f"{line}\n{line}\n") == said
