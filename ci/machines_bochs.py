"""The machine tests on Bochs, a row each: VMX, which QEMU does not emulate, and SVM by a second judge.

Bochs's clock counts instructions, so a row does the same each time; it is slow, so programs that try many
things run once here, and long ones are in LONG, by name only.
"""

from __future__ import annotations

from dataclasses import replace

from ci.machine import BOCHS_AMD, BOCHS_INTEL, Expect, Machine, on_bochs
from ci.machines import Row, boot

VENDORS = {"vmx": BOCHS_INTEL, "svm": BOCHS_AMD}


def row(vendor: str, name: str, command: str, cpus: int = 2, options: str = "", deadline: float = 600,
        console: tuple[str, ...] = (), **machine: object) -> Row:
    made = Machine(f"{vendor}-{name}", cpus=cpus, command=command, options=options, deadline=deadline,
                   **machine)  # type: ignore[arg-type]
    return Row(on_bochs(made, VENDORS[vendor]), Expect(console=console))


def boots(vendor: str, cpus: int) -> Row:
    """All CPUs come up in the guest, and are seen to."""
    machine = boot(cpus).machine
    return Row(on_bochs(replace(machine, name=f"{vendor}-{machine.name}", deadline=300), VENDORS[vendor]))


BOCHS = [boots(vendor, cpus) for vendor in VENDORS for cpus in (1, 2, 4)]
