"""What a test machine is: data only. ci.image makes its boot image, ci.qemu or ci.bochs runs it, ci.verdict
judges it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Optional

# Both flavours boot with the same arguments. earlyprintk with nokaslr makes the kernel's first code say a
# line before it unpacks itself: that line is "kernel entry" on the host's clock. COM1 is the log's.
KERNEL_ARGS = ("console=ttyS1,115200 earlyprintk=ttyS1,115200 nokaslr tsc=reliable no_timer_check panic=-1"
               " rdinit=/init")
# Bochs executes some 30 million instructions a second. The kernel leaves out what takes it long and what no
# test looks at; idle=halt because of MWAIT, with which two of five boots on several CPUs hung. vdso32=0 has
# 32-bit programs enter a 64-bit kernel by INT 80: Bochs's SYSRET leaves SS's attributes as they are, as AMD's
# CPUs do, so a program may come back to a 16-bit stack; on an Intel model Linux does not expect that.
BOCHS_ARGS = ("mitigations=off lpj=100000 random.trust_cpu=on audit=0 nowatchdog cryptomgr.notests"
              " initcall_blacklist=load_system_certificate_list,init_kprobe_trace idle=halt vdso32=0")
# Bochs's models: one that has VMX with EPT, VPID and unrestricted guest, and one that has SVM.
BOCHS_INTEL, BOCHS_AMD = "corei7_haswell_4770", "trinity_apu"


@dataclass(frozen=True)
class Nmis:
    """A QMP action: once the console says `after`, inject-nmi, at least `every` seconds apart: `count` times,
    or as many as go until the console says `until`.
    """
    every: float
    after: str
    count: int = 0
    until: str = ""


@dataclass(frozen=True)
class Machine:
    """One emulated PC and what it boots."""
    name: str
    flavour: str = "braid"  # braid; bare: GRUB loads the kernel itself; alone: braid.elf without any module
    cpus: int = 4
    memory: int = 1024  # MiB
    cpu: str = "EPYC,+svm,+npt"  # QEMU's -cpu, or Bochs's model
    emulator: str = "qemu"  # or bochs
    kernel: str = "vmlinuz"  # in build/
    busybox: str = "/bin/busybox"  # static, for the kernel's architecture; a path, in build/ if relative
    options: str = ""  # Braid's boot options
    kernel_args: str = ""  # behind KERNEL_ARGS
    first_args: str = ""  # before them: of two earlyprintk= Linux takes the first
    command: str = "true"  # what the guest's shell runs
    loops: int = 100  # how often /pal/demo goes round
    extra: Optional[Path] = None  # a directory that the guest finds as /extra
    deadline: float = 120.0  # seconds from power-on until it counts as hung
    actions: tuple[Nmis, ...] = ()


@dataclass(frozen=True)
class Expect:
    """What must be seen for a pass. Patterns are regular expressions, searched in each line."""
    result: Optional[int] = 0  # the guest's RESULT; None: Braid stops the machine
    guest: bool = True  # with result None: may a guest have run before?
    console: tuple[str, ...] = ()
    log: tuple[str, ...] = ()
    not_log: tuple[str, ...] = ()
    # Of the log, too: the last group is a number that counts up from 1 without a gap, for each value of the
    # groups before it.
    series: tuple[str, ...] = ()
    objections: tuple[str, ...] = ()  # of the emulator: these, and no others
    frames_lost: Optional[int] = 0  # None: not looked at


def on_bochs(machine: Machine, model: str) -> Machine:
    """The same machine, on Bochs with that CPU."""
    kernel = "vmlinuz-cloud" if machine.kernel == Machine.kernel else machine.kernel
    return replace(machine, emulator="bochs", cpu=model, memory=256, kernel=kernel,
                   kernel_args=f"{BOCHS_ARGS} {machine.kernel_args}".strip())


VENDORS = ("amd", "intel")


def of_vendor(machine: Machine, vendor: str) -> Machine:
    """The same machine with a CPU of that vendor, for a person to watch: QEMU's is AMD's, Bochs's Intel's."""
    if vendor == "amd":
        return machine
    return replace(on_bochs(machine, BOCHS_INTEL), memory=machine.memory, deadline=4 * machine.deadline)
