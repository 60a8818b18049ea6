"""Page tables out of a machine's memory, level by level: the guest's own in 32-bit, PAE and long mode, and
nested ones (SVM's, which have the format of ordinary ones, and EPT). SDM vol. 3, chapters 4 and 29.3; APM
vol. 2, chapter 5. Pure functions of memory.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional

from .memory import Memory

PRESENT, WRITE, USER, LARGE, NX = 1, 2, 4, 1 << 7, 1 << 63
ADDRESS = 0x000F_FFFF_FFFF_F000
MASK_32 = 0xFFFF_FFFF
CR0_PG, CR4_PAE, CR4_LA57, EFER_LMA = 1 << 31, 1 << 5, 1 << 12, 1 << 10
MODES = ("32", "pae", "long", "ept")
NAMES = {4: "PML4", 3: "PDPT", 2: "PD", 1: "PT"}


@dataclass
class Walk:
    """`lines`: a line for each level; `address` is where it leads, None if nowhere."""

    lines: list[str] = field(default_factory=list)
    address: Optional[int] = None
    size: int = 0


def mode_of(cr0: int, cr4: int, efer: int) -> str:
    """The mode of a guest's paging: 32, pae, long, or empty where it is off or has five levels."""
    if not cr0 & CR0_PG or cr4 & CR4_LA57:
        return ""
    return "long" if efer & EFER_LMA else "pae" if cr4 & CR4_PAE else "32"


def walk(memory: Memory, root: int, address: int, mode: str) -> Walk:
    """`root`: CR3, or a nested table's root; `mode`: one of MODES."""
    out = Walk()
    if mode == "32":
        return _walk_32(memory, root & MASK_32 & ~0xFFF, address & MASK_32, out)
    if mode == "long" and address >> 47 not in (0, 0x1FFFF):
        out.lines.append(f"{address:#x} is not canonical: bits 63:47 differ")
        return out
    top = 3 if mode == "pae" else 4
    table = root & MASK_32 & ~0x1F if mode == "pae" else root & ADDRESS
    for level in range(top, 0, -1):
        shift = 12 + 9 * (level - 1)
        at = table + 8 * (address >> shift & (3 if mode == "pae" and level == 3 else 511))
        entry = _load(memory, at, 8, out)
        if entry is None:
            return out
        leaf = level == 1 or (level < 4 and bool(entry & LARGE))
        there = entry & 7 if mode == "ept" else entry & PRESENT
        rights = _ept(entry) if mode == "ept" else _rights(entry, pdpte=mode == "pae" and level == 3)
        out.lines.append(f"{NAMES[level]:4} at {at:#x}: {entry:#018x} {rights if there else 'not present'}")
        if not there:
            return out
        if leaf:
            return _end(out, entry & ADDRESS, address, 1 << shift)
        table = entry & ADDRESS
    return out


def _walk_32(memory: Memory, table: int, address: int, out: Walk) -> Walk:
    for name, shift in (("PD", 22), ("PT", 12)):
        at = table + 4 * (address >> shift & 1023)
        entry = _load(memory, at, 4, out)
        if entry is None:
            return out
        rights = _rights(entry) if entry & PRESENT else "not present"
        out.lines.append(f"{name:4} at {at:#x}: {entry:#010x} {rights}")
        if not entry & PRESENT:
            return out
        if shift == 22 and entry & LARGE:       # bits 20:13 are bits 39:32 of its address (PSE-36)
            return _end(out, entry & 0xFFC0_0000 | (entry >> 13 & 0xFF) << 32, address, 1 << 22)
        if shift == 12:
            return _end(out, entry & MASK_32, address, 1 << 12)
        table = entry & MASK_32 & ~0xFFF
    return out


def _end(out: Walk, base: int, address: int, size: int) -> Walk:
    out.address, out.size = base & ~(size - 1) | address & size - 1, size
    return out


def _load(memory: Memory, at: int, size: int, out: Walk) -> Optional[int]:
    data = memory.read(at, size)
    if len(data) < size:
        out.lines.append(f"the entry at {at:#x} is not in this memory")
        return None
    return int.from_bytes(data, "little")


def _rights(entry: int, pdpte: bool = False) -> str:
    if pdpte:
        return "present"
    text = ("rw" if entry & WRITE else "r-") + ("-" if entry & NX else "x")
    return text + (" user" if entry & USER else " supervisor")


def _ept(entry: int) -> str:
    return "".join(letter if entry >> bit & 1 else "-" for bit, letter in enumerate("rwx"))
