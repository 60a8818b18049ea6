"""What the hypervisor's ELF knows of its own memory: symbols, and where the fields of its structures are.
All offsets come from the DWARF of the build at hand; none is written down here.

This module does I/O: it reads an ELF file. Errors are ElfError with one clear line.
"""
from __future__ import annotations

from bisect import bisect_right
from typing import Any, NamedTuple

from elftools.elf.elffile import ELFFile

from ..elf import ElfError

UNIT = "core/quiesce.c"     # a unit that knows struct cpu, its enums and the quiesce's words
VIEWS = "core/view.c"       # and one that knows struct view; without it, no nested walks
BOUNDS = ("image_start", "text_end")    # of the hypervisor's code
MAX_ARRAY = 64              # longer ones are not taken apart
WRAPPERS = ("DW_TAG_typedef", "DW_TAG_const_type", "DW_TAG_volatile_type", "DW_TAG_atomic_type")


class Field(NamedTuple):
    offset: int
    size: int


class Debug:
    """`structs`: by tag, their size and fields (`vcpu.rip` for a field of a field); `enums`: by tag, names by
    value; `symbols`: addresses by name.
    """

    def __init__(self, path: str) -> None:
        """Raises ElfError."""
        self.structs: dict[str, tuple[int, dict[str, Field]]] = {}
        self.enums: dict[str, dict[int, str]] = {}
        self.symbols: dict[str, int] = {}
        try:
            with open(path, "rb") as stream:
                self._read(path, ELFFile(stream))
        except OSError as error:
            raise ElfError(f"{path}: {error.strerror or error}") from None
        except ElfError:
            raise
        except Exception as error:      # pyelftools raises whatever broken DWARF leads it to
            raise ElfError(f"{path}: its debug information cannot be read ({type(error).__name__})") from None

    def _read(self, path: str, elf: Any) -> None:
        table = elf.get_section_by_name(".symtab")
        if table is None or not elf.has_dwarf_info():
            raise ElfError(f"{path} was stripped: without debug information no CPU states are shown")
        code = []
        for symbol in table.iter_symbols():
            kind = symbol["st_info"]["type"]
            if symbol["st_shndx"] == "SHN_UNDEF" or kind in ("STT_FILE", "STT_SECTION"):
                continue
            self.symbols.setdefault(symbol.name, symbol["st_value"])
            if symbol.name not in BOUNDS and kind in ("STT_FUNC", "STT_NOTYPE"):
                code.append((int(symbol["st_value"]), kind == "STT_FUNC"))
        self._code = sorted(code)
        found = 0
        for unit in elf.get_dwarf_info().iter_CUs():
            top = unit.get_top_DIE()
            if top.get_full_path().endswith((UNIT, VIEWS)):
                self._unit(top)
                found += top.get_full_path().endswith(UNIT)
        if not found:
            raise ElfError(f"{path} has no debug information of {UNIT}: no CPU states are shown")

    def _unit(self, top: Any) -> None:
        for die in top.iter_children():
            name = _name(die)
            if die.tag == "DW_TAG_structure_type" and name and "DW_AT_byte_size" in die.attributes:
                self.structs[name] = (_number(die, "DW_AT_byte_size"), _fields(die))
            elif die.tag == "DW_TAG_enumeration_type" and name:
                values = {_number(one, "DW_AT_const_value"): _name(one) for one in die.iter_children()}
                self.enums[name] = values
            elif die.tag == "DW_TAG_variable" and "DW_AT_location" in die.attributes:
                where = die.attributes["DW_AT_location"].value
                if len(where) == 9 and where[0] == 3:       # DW_OP_addr: other units may have the same name
                    self.symbols[name] = int.from_bytes(bytes(where[1:]), "little")

    def in_code(self, address: int) -> bool:
        start, end = [self.symbols.get(name, 0) for name in BOUNDS]
        return start <= address < end

    def frameless(self, address: int) -> bool:
        """Is this a routine of assembly? They keep no frame; those that wait keep nothing on the stack."""
        at = bisect_right(self._code, (address, True)) - 1
        return at >= 0 and not self._code[at][1]


def _name(die: Any) -> str:
    value = die.attributes.get("DW_AT_name")
    return str(value.value.decode()) if value is not None else ""


def _number(die: Any, attribute: str) -> int:
    return int(die.attributes[attribute].value)


def _resolve(die: Any) -> Any:
    """The type of a member behind typedefs, const, volatile and _Atomic."""
    kind = die.get_DIE_from_attribute("DW_AT_type")
    while kind.tag in WRAPPERS:
        kind = kind.get_DIE_from_attribute("DW_AT_type")
    return kind


def _fields(struct: Any, base: int = 0, prefix: str = "") -> dict[str, Field]:
    found = {}
    for die in struct.iter_children():
        if die.tag != "DW_TAG_member" or "DW_AT_data_member_location" not in die.attributes:
            continue
        name = prefix + _name(die)
        offset = base + _number(die, "DW_AT_data_member_location")
        kind = _resolve(die)
        if kind.tag == "DW_TAG_structure_type":
            found.update(_fields(kind, offset, name + "."))
        elif "DW_AT_byte_size" in kind.attributes:
            found[name] = Field(offset, _number(kind, "DW_AT_byte_size"))
        elif kind.tag == "DW_TAG_pointer_type":
            found[name] = Field(offset, 8)
        elif kind.tag == "DW_TAG_array_type":
            size = _resolve(kind).attributes.get("DW_AT_byte_size")
            bounds = [one.attributes.get("DW_AT_upper_bound") for one in kind.iter_children()]
            last = bounds[0].value if len(bounds) == 1 and bounds[0] is not None else MAX_ARRAY
            if size is not None and last < MAX_ARRAY:
                for i in range(last + 1):
                    found[f"{name}[{i}]"] = Field(offset + i * size.value, size.value)
    return found
