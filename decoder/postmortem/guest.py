"""One CPU's guest, out of the hypervisor's memory: registers, control registers, what is due, its view.

SVM keeps the guest's state in the VMCB, whose layout is the architecture's (APM vol. 2, appendix B). VMX
keeps it in a VMCS, whose layout is the CPU's own secret: there only what struct vcpu has is known.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator

from ..elf import ElfError
from .cpus import Reader, vendor_of
from .debug import Debug
from .exits import name
from .memory import Memory

GPR = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
VMCB = {"efer": 0x4D0, "cr4": 0x548, "cr3": 0x550, "cr0": 0x558, "dr7": 0x560, "dr6": 0x568, "cr2": 0x640,
        "injected": 0xA8, "interrupted": 0x88, "nested_cr3": 0xB0}
EXIT = ("vcpu.exit.code", "vcpu.exit.info1", "vcpu.exit.info2")
NMI = {0: "open", 1: "in its handler", 2: "at the handler's IRET"}


@dataclass
class Guest:
    """`control`: CR0 and its like, as far as they can be read; `root` of the nested tables."""

    cpu: int
    vendor: str
    phase: str
    registers: dict[str, int] = field(default_factory=dict)
    control: dict[str, int] = field(default_factory=dict)
    root: int = 0
    exit: str = ""
    nmi: str = ""


def guest(memory: Memory, debug: Debug, index: int) -> Guest:
    """Raises ElfError."""
    reader = Reader(memory, debug)
    count = reader.word("cpu_count")
    if index >= count:
        raise ElfError(f"there is no cpu{index}: this machine has {count}")
    try:
        size, fields = debug.structs["cpu"]
        phases = debug.enums["cpu_phase"]
        base = reader.address("cpus") + index * size

        def get(member: str) -> int:
            return reader.at(base + fields[member].offset, fields[member].size)
        phase = phases.get(get("phase"), "?").split("_", 1)[-1].lower()
        out = Guest(index, vendor_of(reader, debug), phase)
        out.registers = {register: get(f"vcpu.gpr[{i}]") for i, register in enumerate(GPR)}
        out.registers.update(rip=get("vcpu.rip"), rflags=get("vcpu.rflags"))
        out.exit = name(out.vendor, *(get(member) for member in EXIT))
        out.nmi = NMI.get(get("vcpu.nmi_block"), "?")
        _, view = debug.structs["view"]
        out.root = reader.at(get("vcpu.view") + view["root"].offset, 8)
        state = get("vcpu.hw")
    except KeyError as error:
        why = f"the ELF's debug information lacks {error}: this decoder is of another time"
        raise ElfError(why) from None
    if out.vendor == "SVM":
        out.control = {register: reader.at(state + offset, 8) for register, offset in VMCB.items()}
    return out


def describe(one: Guest) -> Iterator[str]:
    """For people, a line each."""
    yield f"cpu{one.cpu}: {one.vendor or 'no backend'}, phase {one.phase}; last exit: {one.exit}"
    names = list(one.registers)
    for i in range(0, len(names), 4):
        yield "  " + "  ".join(f"{register:6} {one.registers[register]:#018x}" for register in names[i:i + 4])
    if one.control:
        yield "  " + "  ".join(f"{register} {value:#x}" for register, value in one.control.items())
    elif one.vendor == "VMX":
        yield "  control registers are in the VMCS, which only its CPU can read"
    yield f"  nested tables at {one.root:#x}; NMIs {one.nmi}"
