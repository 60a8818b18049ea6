"""The machine tests, a row each. `make machine-test ONLY=REGEX` runs the rows whose names match."""

from __future__ import annotations

from dataclasses import dataclass

from ci.demo import demo_command
from ci.machine import Expect, Machine, Nmis


@dataclass(frozen=True)
class Row:
    machine: Machine
    expect: Expect = Expect()


def boot(cpus: int) -> Row:
    """All CPUs come up in the guest, and are seen to."""
    command = f"test $(nproc) -eq {cpus}"
    return Row(Machine(f"boot-{cpus}", cpus=cpus, command=command, deadline=60 + 15 * cpus))


def refused(name: str, says: str, **machine: object) -> Row:
    """Braid stops before any guest runs, and says one line that names the mend."""
    return Row(Machine(f"refuse-{name}", deadline=30, **machine),  # type: ignore[arg-type]
               Expect(result=None, log=(says,), frames_lost=None))


ROWS = [
    Row(Machine("bare-4", flavour="bare", command="test $(nproc) -eq 4", deadline=90)),
    boot(1), boot(2), boot(4), boot(8),
    Row(Machine("demo-short", command=demo_command(5), deadline=240)),
    Row(Machine("demo-async", options="log=async", command=demo_command(5), deadline=240)),

    # Bad input
    Row(Machine("unknown-option", cpus=1, options="nonsense=1"), Expect(log=("nonsense",))),
    refused("no-module", "module", flavour="alone", cpus=1),
    refused("little-memory", "memory", cpus=1, memory=96),
    refused("no-svm", "SVM", cpus=1, cpu="qemu64,-svm"),
    refused("no-npt", "nested paging", cpus=1, cpu="EPYC,+svm,-npt"),

    # Isolation: a signal for the program, a log line, and the machine goes on
    Row(Machine("devmem", command="/pal/64/devmem"), Expect(log=("GP",))),
    Row(Machine("attacks", command="/pal/32/attack && /pal/64/attack", deadline=240)),

    # Stop
    Row(Machine("quiesce-1000", options="test=on", command="/pal/64/quiesce 1000", deadline=240),
        Expect(console=("quiesces=",))),
    Row(Machine("icr-nmis", options="test=on", command="/pal/nmi-storm 1000", deadline=400)),
    Row(Machine("qmp-nmis", command="/pal/nmi-count 200 30", deadline=180,
                actions=(Nmis(count=200, every=0.05, after="NMI-READY"),))),
    Row(Machine("hotplug", command="/pal/hotplug 5", deadline=240)),
]
