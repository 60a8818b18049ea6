"""Code addresses -> `symbol+0xoff (file:line)`, for %pS and %pB (formats.py).

Read from the ELF's symbol table and DWARF line table when the first address asks for it: captures without a
backtrace do not pay. Does I/O, never raises: what the ELF cannot say is shown as a number.
"""
from __future__ import annotations

import os
from bisect import bisect_right
from functools import lru_cache
from typing import Iterator, NamedTuple, Optional, TypeVar

from elftools.elf.constants import SH_FLAGS
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import NoteSection, SymbolTableSection


class Symbol(NamedTuple):
    address: int
    rank: int           # of several names for one address the one with the least serves
    name: str
    end: int


class Line(NamedTuple):
    address: int
    place: str          # file:line; empty behind the end of a sequence


Entry = TypeVar("Entry", Symbol, Line)


class Places:
    """The names of one build's code."""

    def __init__(self, path: str, build: bytes) -> None:
        self._path = path
        self._build = build
        self._symbols: Optional[list[Symbol]] = None
        self._lines: list[Line] = []
        self.name = lru_cache(maxsize=4096)(self._name)

    def _name(self, address: int, returns: bool = False) -> str:
        """`returns`: a return address. Its place is that of the call, which may be the last of its function;
        the offset stays that of the address.
        """
        if self._symbols is None:
            self._symbols, self._lines = _read(self._path, self._build)
        at = address - 1 if returns else address
        symbol = _below(self._symbols, at)
        if symbol is None or at >= symbol.end:
            return f"{address:#x}"
        line = _below(self._lines, at)
        place = f" ({line.place})" if line is not None and line.place else ""
        return f"{symbol.name}+{address - symbol.address:#x}{place}"


def build_id(elf: ELFFile) -> bytes:
    """The GNU build-id; empty if there is none."""
    for section in elf.iter_sections():
        if isinstance(section, NoteSection):
            for note in section.iter_notes():
                if note["n_type"] == "NT_GNU_BUILD_ID":
                    return bytes.fromhex(note["n_desc"])
    return b""


def _below(table: list[Entry], address: int) -> Optional[Entry]:
    """The last entry that does not begin above the address."""
    i = bisect_right(table, address, key=lambda entry: entry.address)
    return table[i - 1] if i else None


def _read(path: str, build: bytes) -> tuple[list[Symbol], list[Line]]:
    symbols: list[Symbol] = []
    lines: list[Line] = []
    try:
        with open(path, "rb") as stream:
            elf = ELFFile(stream)
            if build_id(elf) == build:      # it may have been built anew since
                symbols = _symbols(elf)
                lines = sorted(_lines(elf), key=lambda line: (line.address, bool(line.place)))
    except Exception:       # pyelftools raises whatever a broken file leads it to
        pass                # what was read until then is right, and serves
    return symbols, lines


def _symbols(elf: ELFFile) -> list[Symbol]:
    """Functions, and the labels of assembly, which have no size: they reach to the next one."""
    found = []
    for table in elf.iter_sections():
        if not isinstance(table, SymbolTableSection):
            continue
        for one in table.iter_symbols():
            kind, index = one["st_info"]["type"], one["st_shndx"]
            if not isinstance(index, int) or kind not in ("STT_FUNC", "STT_NOTYPE") or not one.name:
                continue
            section = elf.get_section(index)
            if not section["sh_flags"] & SH_FLAGS.SHF_EXECINSTR or (kind == "STT_NOTYPE" and "." in one.name):
                continue    # data; a local label of NASM, which belongs to the one before
            rank = 2 * (kind != "STT_FUNC") + (one["st_info"]["bind"] == "STB_LOCAL")
            start = one["st_value"]
            end = start + one["st_size"] if one["st_size"] else section["sh_addr"] + section["sh_size"]
            found.append(Symbol(start, rank, one.name, end))
    found.sort()
    return [one for i, one in enumerate(found) if not i or found[i - 1].address != one.address]


def _lines(elf: ELFFile) -> Iterator[Line]:
    if not elf.has_dwarf_info():
        return
    dwarf = elf.get_dwarf_info()
    for unit in dwarf.iter_CUs():
        program = dwarf.line_program_for_CU(unit)
        if program is None:
            continue
        paths = _paths(program)
        for entry in program.get_entries():
            state = entry.state
            if state is None:
                continue
            known = not state.end_sequence and state.file < len(paths)
            yield Line(state.address, f"{paths[state.file]}:{state.line}" if known else "")


def _paths(program: object) -> list[str]:
    """The paths of a line program, as its entries number them. Those below the folder of the build are shown
    without it.
    """
    header = program.header     # type: ignore[attr-defined]
    new = header["version"] >= 5
    folders = [_text(one) for one in header["include_directory"]]
    names = [(_text(one.name), one.dir_index) for one in header["file_entry"]]
    if not new:     # both are numbered from 1; folder 0 is that of the build, which the unit names
        folders, names = ["."] + folders, [("?", 0)] + names
    paths = []
    for name, index in names:
        path = os.path.join(folders[index], name) if 0 < index < len(folders) else name
        root = folders[0] if new and folders else ""
        paths.append(os.path.normpath(os.path.relpath(path, root) if _inside(path, root) else path))
    return paths


def _inside(path: str, root: str) -> bool:
    return os.path.isabs(path) and os.path.isabs(root) and path.startswith(root + "/")


def _text(value: object) -> str:
    value = getattr(value, "DW_LNCT_path", value)
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)
