"""The machine tests, a row each. `make machine-test ONLY=REGEX` runs the rows whose names match."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ci.demo import COMMAND
from ci.machine import Expect, Machine, Nmis


QMP_COMMAND = "/pal/nmi_count -- sh -c 'echo NMI-READY; sleep 18'"
STORM = "/pal/storm all 1 sleep 20"
STORM_SAYS = ("STORM .* nmis_sent=[1-9].* failures=0",)
PALS_FOR_25_S = ("echo NMI-READY; end=$(($(date +%s) + 25)); while [ $(date +%s) -lt $end ]; do"
                 " /pal/32/main 1 2 && /pal/64/main 3 4 || exit 1; done >/dev/null")
# Linux patches its own code under CPUs that run it; /proc/sys has a switch that is code in the scheduler.
PATCHES = ("for cpu in 1 2 3 4; do (while :; do : | :; done) & done; i=0; while [ $i -lt 300 ]; do"
           " for on in 0 1; do echo $on >/proc/sys/kernel/sched_schedstats; done; i=$((i + 1)); done;"
           " grep -qx 1 /proc/sys/kernel/sched_schedstats")
PROGRAM_AT = r"cs:rip 0x\w+:0x4\w{5} rflags"  # in a report: RIP is the program's own
QMP_NMIS = (Nmis(count=200, every=0.05, after="NMI-READY"),)


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
               Expect(result=None, guest=False, log=(says,), frames_lost=None))


def panics(name: str, way: int, *says: str, options: str = "") -> Row:
    """CPU 1 is broken on purpose under a running guest: a report names what happened, and each other CPU says
    where it was.
    """
    stopped = tuple(f"cpu{cpu} stopped for the panic of cpu1" for cpu in (0, 2, 3))
    machine = Machine(f"panic-{name}", options=f"test=on {options}".strip(),
                      command=f"taskset 2 /pal/64/quiesce --break {way}")
    return Row(machine, Expect(result=None, log=(*says, *stopped, "panic: stopped"),
                               not_log=("has not stopped",)))


def overflows(name: str, way: int, stack: str) -> Row:
    says = f"stack overflow: cpu1's {stack} stack, \\d+ bytes deep"
    return panics(f"{name}-overflow", way, says, "from overflow")


def pals(name: str, *programs: str, kernel_args: str = "") -> Row:
    """Programs of pal/, one by one, in both widths; all must succeed."""
    command = "; ".join(f"/pal/$width/{program} || status=1" for program in programs)
    return Row(Machine(f"pal-{name}", kernel_args=kernel_args, deadline=240,
                       command=f"status=0; for width in 32 64; do {command}; done; exit $status"))


def checks(name: str, *log: str, kernel_args: str = "") -> Row:
    """A program of pal/check/, which counts its cases; and what the log must say of them."""
    counted = Expect(console=(r"[1-9]\d* passed, 0 failed",), log=log)
    return replace(pals(name, name, kernel_args=kernel_args), expect=counted)


def with_cpus(cpus: int, row: Row) -> Row:
    return replace(row, machine=replace(row.machine, cpus=cpus))


def quiesces(rounds: int) -> Row:
    """Each stops all CPUs, and each is counted."""
    said = f"quiesces asked {rounds} completed {rounds} counted {rounds}"
    return Row(Machine(f"quiesce-{rounds}", options="test=on", command=f"/pal/64/quiesce {rounds}",
                       deadline=240), Expect(console=(said,)))


FETCHED = ("vmlinuz-i386", "busybox-i386", "vmlinuz-bullseye")  # not every mirror has them


def i386(cpus: int) -> Row:
    """Debian's 32-bit kernel, with Debian's 32-bit busybox."""
    return Row(Machine("guest-i386", kernel="vmlinuz-i386", busybox="busybox-i386", cpus=cpus, deadline=240,
                       command=f"uname -m | grep i686 && test $(nproc) -eq {cpus} && /pal/32/main 1 2"
                               " && /pal/32/faults && /pal/32/outside && /pal/32/threads"))


def bullseye(cpus: int) -> Row:
    """The kernel of the Debian before, 5.10."""
    return Row(Machine("guest-bullseye", kernel="vmlinuz-bullseye", cpus=cpus, deadline=240,
                       command=f"uname -r | grep ^5.10 && test $(nproc) -eq {cpus}"
                               " && /pal/32/main 1 2 && /pal/64/main 1 2"))


def host_test(name: str, *log: str, series: tuple[str, ...], options: str = "",
              deadline: float = 120) -> Row:
    """The log on the machine itself, without a guest (core/hosttest.h); no frame, no record may be lost."""
    machine = Machine(f"log-{name}{options.replace('log=', '-')}", flavour="alone",
                      options=f"test={name} {options}".strip(), deadline=deadline)
    return Row(machine, Expect(result=None, log=log, series=series))


STEPPED = r"^step (\d+), cpu0$"
MEANWHILE = r"^meanwhile (cpu\d), (\d+)$"


def stepped(options: str = "") -> Row:
    """An NMI that logs behind each instruction of a call that logs."""
    return host_test("step", r"(\d{4}) instructions stepped through, \1 NMIs, 0 waits in vain",
                     "4 of 4 CPUs done", options=options,
                     series=(STEPPED, r"^\[NMI\] NMI in the middle, (\d+)$", MEANWHILE))


# The limit is 5 s where none is given; the program takes more than 2 s for a limit.
ENDLESS = checks("endless")
ENDLESS = replace(ENDLESS, machine=replace(ENDLESS.machine, options="isolated=2500"))

ROWS = [
    Row(Machine("bare-4", flavour="bare", command="test $(nproc) -eq 4", deadline=90)),
    boot(1), boot(2), boot(4), boot(8),
    Row(Machine("demo-short", loops=5, command=COMMAND, deadline=240)),
    Row(Machine("demo-async", options="log=async", loops=5, command=COMMAND, deadline=240)),

    # The log's own promises: an NMI that logs behind each instruction of a call that logs; a CPU held behind
    # each until the others have logged 1,000 records, and at last for good, in the middle of its frame.
    stepped(), stepped("log=async"),
    host_test("hold", r"\d{4} instructions stepped through, 0 NMIs, 0 waits in vain", "3 of 4 CPUs done",
              "cut frame", series=(STEPPED, MEANWHILE), deadline=300),

    i386(4), bullseye(4),

    # Bad input
    Row(Machine("unknown-option", cpus=1, options="nonsense=1"), Expect(log=("nonsense",))),
    refused("no-module", "module", flavour="alone", cpus=1),
    refused("little-memory", "memory", cpus=1, memory=128),
    refused("no-svm", "SVM", cpus=1, cpu="qemu64,-svm"),
    refused("no-npt", "nested paging", cpus=1, cpu="EPYC,+svm,-npt"),
    refused("many-cpus", "more CPUs than the log has lanes", cpus=33),

    # TrustVisor: calls that work, then programs that abuse it in both widths; they say what they counted
    pals("calls-good", "test 100", *(f"test_args {kind} 20 1" for kind in range(1, 5))),
    checks("calls", "REG refused: entry 0x", "REG refused: .* the hypervisor's", kernel_args="iomem=relaxed"),
    checks("faults"), ENDLESS, checks("outside"), checks("threads"), pals("abandon", "abandon"),
    with_cpus(8, checks("many", r"[4-8]\d{3} KiB of memory used at most")),

    # Isolation: a signal for the program, a log line, and the machine goes on
    checks("devmem", *(f"guest {access} of 0x\\w+ .*forbidden, #GP" for access in ("read", "write", "fetch")),
           kernel_args="iomem=relaxed"),

    # COM1 is the log's: not there for the guest, or (console=log) a UART whose output is part of the log.
    Row(Machine("com1-hidden", cpus=1, command="! dmesg | grep 'at I/O 0x3f8'")),
    Row(Machine("com1-console", options="console=log",
                command="for i in 1 2 3; do echo line $i of the guest; done >/dev/ttyS0;"
                        " stty -F /dev/ttyS0 -echo; printf 'no end' >/dev/ttyS0; sleep 1"),
        Expect(log=("console: line 1 of the guest", "console: line 3 of the guest", "console: no end$"))),
    # All of the kernel's output, and so the result: Linux has one 8250 console.
    Row(Machine("com1-kernel", cpus=1, options="console=log",
                first_args="earlyprintk=ttyS0,115200 console=ttyS0,115200"),
        Expect(result=None, log=("console: .*bootconsole .earlyser0. enabled", "console: RESULT 0"))),

    # Stop. 334 rounds to 3 other CPUs each are 1002 NMIs by the ICR.
    quiesces(1000),
    Row(Machine("icr-nmis", options="test=on", deadline=400,
                command="/pal/64/quiesce 1000 & /pal/nmi_count 334 && wait $!"),
        Expect(console=("NMIS sent 1002 counted 1002", "completed 1000"))),
    Row(Machine("qmp-nmis-bare", flavour="bare", command=QMP_COMMAND, deadline=120, actions=QMP_NMIS),
        Expect(console=("NMIS counted 200",))),
    Row(Machine("qmp-nmis", command=QMP_COMMAND, deadline=150, actions=QMP_NMIS),
        Expect(console=("NMIS counted 200",))),
    # The doorbells of REG and UNREG may merge with these, a stated limit: the number is shown, not judged.
    Row(Machine("qmp-nmis-pals", command=f"/pal/nmi_count -- sh -c '{PALS_FOR_25_S}'", deadline=240,
                actions=QMP_NMIS),
        Expect(console=(r"NMIS counted \d+",))),
    Row(Machine("patched-code", command=PATCHES, deadline=120)),
    Row(Machine("hotplug", command="/pal/hotplug 5", deadline=240)),
    # The hypervisor's own faults are named, with the CPU and a backtrace, and the other CPUs report too
    overflows("stack", 0, "normal"), overflows("nmi-stack", 7, "NMI"),
    overflows("df-stack", 8, "#DF"), overflows("mc-stack", 9, "#MC"),
    panics("guard-page", 1, "#PF page fault", "the guard page under the stack: normal: nothing is mapped"),
    panics("invalid-opcode", 2, "#UD invalid opcode", r"the instruction's bytes, last first: 0x\w+0b0f",
           options="log=async"),  # what waits in all rings gets out
    panics("protection", 4, "#GP protection", "is no canonical address"),
    Row(Machine("panic-deaf-cpu", options="test=on", command="/pal/64/stall nmi panic"),
        Expect(result=None, log=("#UD invalid opcode", "cpu0 stopped for the panic of cpu1",
                                 "cpu2 stopped for the panic of cpu1", "cpu3 has not stopped: phase exit",
                                 "panic: stopped"))),
    panics("machine-check", 5, "#MC machine check", "MCG_STATUS 0x"),
    panics("code-write", 10, "#PF page fault", r"write to 0x\w+, in the hypervisor's code: it is read-only"),
    Row(Machine("failed-entry", options="test=on", command="/pal/64/quiesce --break 6"),
        Expect(result=None, log=("failed entry. cannot be handled", "VMRUN refused .*cannot be told",
                                 PROGRAM_AT))),
    # All of it together; pal/guest/storm checks the sums. The long form is `make stress`.
    # NMIs from outside reach CPU 0 alone: the others count just those that guest CPUs sent, CPU 0 at most so
    # many more (pal/guest/nmi_sums).
    Row(Machine("storm-sync", options="test=on", command=STORM, deadline=240), Expect(console=STORM_SAYS)),
    Row(Machine("storm-async", options="test=on log=async", command=f"EXTERNAL=100 {STORM}", deadline=240,
                actions=(Nmis(count=100, every=0.15, after="BRAID-INIT"),)), Expect(console=STORM_SAYS)),
]
