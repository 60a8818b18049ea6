"""What a test machine is: data only. ci.image makes its boot image, ci.qemu runs it, ci.verdict judges it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Optional

# Both flavours boot with the same arguments. earlyprintk with nokaslr makes the kernel's first code say a
# line before it unpacks itself: that line is "kernel entry" on the host's clock. COM1 is the log's.
KERNEL_ARGS = ("console=ttyS1,115200 earlyprintk=ttyS1,115200 nokaslr tsc=reliable no_timer_check panic=-1"
               " rdinit=/init")


@dataclass(frozen=True)
class Nmis:
    """A QMP action: once the console says `after`, `count` inject-nmi, at least `every` seconds apart."""
    count: int
    every: float
    after: str


@dataclass(frozen=True)
class Machine:
    """One emulated PC and what it boots."""
    name: str
    flavour: str = "braid"  # braid; bare: GRUB loads the kernel itself; alone: braid.elf without any module
    cpus: int = 4
    memory: int = 1024  # MiB
    cpu: str = "EPYC,+svm,+npt"  # QEMU's -cpu
    options: str = ""  # Braid's boot options
    kernel_args: str = ""  # beside KERNEL_ARGS
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
    frames_lost: Optional[int] = 0  # None: not looked at
