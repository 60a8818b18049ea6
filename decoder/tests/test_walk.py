"""Page walks in each mode, over tables made here."""
from __future__ import annotations

import struct

import pytest

from decoder.postmortem.walk import NX, mode_of, walk

ROOT, NEXT, THIRD, LAST = 0x10000, 0x11000, 0x12000, 0x13000


class Tables:
    """Memory from ROOT on, of four pages."""

    def __init__(self) -> None:
        self.data = bytearray(0x4000)

    def put(self, at: int, entry: int, form: str = "<Q") -> None:
        struct.pack_into(form, self.data, at - ROOT, entry)

    def read(self, address: int, size: int) -> bytes:
        return bytes(self.data[address - ROOT:address - ROOT + size]) if address >= ROOT else b""


def test_long_mode_to_a_small_page() -> None:
    memory = Tables()
    address = 0xFFFF_8123_4567_89AB
    for table, shift, entry in ((ROOT, 39, NEXT | 7), (NEXT, 30, THIRD | 7), (THIRD, 21, LAST | 7),
                                (LAST, 12, 0x7_6543_2000 | 5 | NX)):
        memory.put(table + 8 * (address >> shift & 511), entry)
    found = walk(memory, ROOT | 0xFFF, address, "long")
    assert (found.address, found.size) == (0x7_6543_29AB, 4096)
    assert [line.split()[0] for line in found.lines] == ["PML4", "PDPT", "PD", "PT"]
    assert found.lines[-1].endswith("r-- user") and found.lines[0].endswith("rwx user")
    memory.put(THIRD + 8 * (address >> 21 & 511), 0x4000_0000 | 0x83)
    found = walk(memory, ROOT, address, "long")
    assert (found.address, found.size) == (0x4000_0000 | address & 0x1FFFFF, 2 << 20)
    memory.put(NEXT + 8 * (address >> 30 & 511), 0x8_0000_0000 | 0x83)
    assert walk(memory, ROOT, address, "long").address == 0x8_0000_0000 | address & 0x3FFFFFFF
    memory.put(NEXT + 8 * (address >> 30 & 511), 0x8_0000_0000 | 0x82)
    found = walk(memory, ROOT, address, "long")
    assert found.address is None and found.lines[-1].endswith("not present")
    assert walk(memory, ROOT, 0x8000_0000_0000, "long").lines == [
        "0x800000000000 is not canonical: bits 63:47 differ"]


def test_pae_with_a_root_that_is_no_page() -> None:
    memory = Tables()
    address = 0xC012_3456
    memory.put(ROOT + 0x20 + 8 * 3, NEXT | 1)
    memory.put(NEXT + 8 * (address >> 21 & 511), THIRD | 3)
    memory.put(THIRD + 8 * (address >> 12 & 511), 0x1_2345_6000 | 3)
    found = walk(memory, ROOT | 0x20, address, "pae")
    assert (found.address, found.size) == (0x1_2345_6456, 4096)
    assert found.lines[0].endswith("present") and found.lines[2].endswith("rwx supervisor")
    memory.put(NEXT + 8 * (address >> 21 & 511), 0x20_0000 | 0x83)
    assert walk(memory, ROOT | 0x20, address, "pae").address == 0x20_0000 | address & 0x1FFFFF


def test_32_bit_with_small_and_large_pages() -> None:
    memory = Tables()
    address = 0xC012_3456
    memory.put(ROOT + 4 * (address >> 22), NEXT | 7, "<I")
    memory.put(NEXT + 4 * (address >> 12 & 1023), 0x0765_4000 | 5, "<I")
    found = walk(memory, ROOT, address, "32")
    assert (found.address, found.size) == (0x0765_4456, 4096) and len(found.lines) == 2
    memory.put(ROOT + 4 * (address >> 22), 0x0040_0000 | 3 << 13 | 0x83, "<I")     # PSE-36
    found = walk(memory, ROOT, address, "32")
    assert (found.address, found.size) == (0x3_0040_0000 | address & 0x3FFFFF, 4 << 20)


def test_ept_has_rights_in_place_of_a_present_bit() -> None:
    memory = Tables()
    for table, entry in ((ROOT, NEXT | 7), (NEXT, THIRD | 7), (THIRD, LAST | 7), (LAST, 0x5000 | 4)):
        memory.put(table, entry)
    found = walk(memory, ROOT, 0x123, "ept")
    assert found.address == 0x5123 and found.lines[-1].endswith(" --x")
    memory.put(LAST, 0x5000)
    assert walk(memory, ROOT, 0x123, "ept").address is None


def test_a_table_that_the_dump_does_not_hold() -> None:
    memory = Tables()
    memory.put(ROOT, 0x9999_0000 | 7)
    found = walk(memory, ROOT, 0, "long")
    assert found.address is None and found.lines[-1] == "the entry at 0x99990000 is not in this memory"


@pytest.mark.parametrize("cr0, cr4, efer, mode", [
    (1, 0, 0, ""), (1 << 31, 0, 0, "32"), (1 << 31, 1 << 5, 0, "pae"), (1 << 31, 1 << 5, 1 << 10, "long"),
    (1 << 31, 1 << 5 | 1 << 12, 1 << 10, "")])
def test_modes(cr0: int, cr4: int, efer: int, mode: str) -> None:
    assert mode_of(cr0, cr4, efer) == mode
