"""The machine tests on Bochs, a row each: VMX, which QEMU does not emulate, and SVM by a second judge.

Bochs's clock counts instructions, so a row does the same each time, whatever else the host does. It is slow:
what takes long is in LONG, which is run by name only.
"""

from __future__ import annotations

from dataclasses import replace

from ci.demo import COMMAND
from ci.machine import BOCHS_AMD, BOCHS_INTEL, Expect, Machine, on_bochs
from ci.machines import ENDLESS, PROGRAM_AT, Row, boot, bullseye, checks, i386, pals, quiesces, refused

MODELS = {"vmx": BOCHS_INTEL, "svm": BOCHS_AMD}


def on(vendor: str, row: Row, cpus: int = 2, name: str = "") -> Row:
    """QEMU's row, on Bochs's machine of this vendor; its name begins with what runs there."""
    machine = replace(row.machine, name=f"{vendor}-{name or row.machine.name}", cpus=cpus, deadline=900)
    return replace(row, machine=on_bochs(machine, MODELS[vendor]))


def programs(vendor: str) -> list[Row]:
    """All of pal/'s programs."""
    relaxed = "iomem=relaxed"
    return [on(vendor, pals("calls-good", "main 1 2", "test 100",
                            *(f"test_args {kind} 5 1" for kind in range(1, 5)))),
            on(vendor, checks("calls", kernel_args=relaxed)), on(vendor, checks("faults")),
            on(vendor, ENDLESS, cpus=1 if vendor == "vmx" else 2),
            on(vendor, checks("threads"), cpus=4),
            on(vendor, checks("outside")), on(vendor, pals("abandon", "abandon")),
            on(vendor, checks("devmem", kernel_args=relaxed))]


def demo(vendor: str, loops: int) -> Row:
    machine = replace(boot(1).machine, name=f"demo-{loops}", loops=loops, command=COMMAND)
    says = (f"PASSED32 {loops}$", f"PASSED64 {loops}$")
    return on(vendor, Row(machine, Expect(console=says)))


def lacking(name: str, says: str, model: str) -> Row:
    """Refused before any guest runs, with the bit that is missing."""
    row = on("vmx", refused(name, says), cpus=1)
    return replace(row, machine=replace(row.machine, cpu=model))


def failed_entry(vendor: str, rule: str, objection: str) -> Row:
    """An entry with a state that Bochs refuses, and says why; Braid says what it finds, and the registers."""
    machine = Machine("failed-entry", options="test=on", command="/pal/64/quiesce --break 6")
    says = ("failed entry. cannot be handled", f"refused the guest's state.*: {rule}", PROGRAM_AT)
    return on(vendor, Row(machine, Expect(result=None, log=says, objections=(objection,))), cpus=1)


# Of pal/'s programs, those that ask most of a backend, and those to which Bochs's SVM is not QEMU's.
OFTEN = ("vmx-pal-calls-good", "vmx-pal-calls", "vmx-pal-faults", "vmx-pal-endless", "vmx-pal-threads",
         "svm-pal-faults", "svm-pal-outside")
PROGRAMS = programs("vmx") + programs("svm")

BOCHS = [on(vendor, boot(cpus), cpus) for vendor in MODELS for cpus in (1, 2, 4)]
BOCHS += [row for row in PROGRAMS if row.machine.name in OFTEN]
BOCHS += [demo("vmx", 100), on("vmx", quiesces(300), cpus=4),
          demo("svm", 5), on("svm", quiesces(300), cpus=4),
          failed_entry("vmx", "RFLAGS bit 1 is 0", r"VMENTER FAIL: RFLAGS\[1\]")]

# Real CPUs whose VMX lacks what Braid needs.
BOCHS += [lacking("no-ept", "no EPT .* bit 1", "core2_penryn_t9600"),
          lacking("no-unrestricted", "no unrestricted guest .* bit 7", "corei5_lynnfield_750")]

# Linux 5.10 brings up one CPU on Bochs, bare as well.
LONG = [row for row in PROGRAMS if row.machine.name not in OFTEN]
LONG += [on("vmx", i386(4), 4), on("vmx", bullseye(1), 1)]
