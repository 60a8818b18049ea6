"""The ELF that belongs to a capture: its build-id, and the call sites in its section braid_log
(log/FORMAT.md, last chapter).

This module does I/O: it reads ELF files. Everything behind Formats is pure. A broken ELF gives ElfError
with one clear line.
"""
from __future__ import annotations

import os
import struct
from glob import glob
from typing import Callable, Iterable, Optional, Sequence

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile

from . import wire
from .events import LEVELS, Note
from .formats import Site
from .places import Places, build_id
from .problem import Problem

ENTRY = struct.Struct("<QQQIBB10s24s")
SECTION = "braid_log"
SEARCH = ("build/*.elf", "build/*/*.elf")
RAW_IDS = "give its ELF with --elf; until then ids and raw arguments are shown"


class ElfError(Problem):
    """The ELF cannot serve; the message says why, with its name."""


class Formats:
    """The call sites of one build. site() takes an id from the wire and is None for one that the ELF does
    not have.
    """

    def __init__(self, path: str, build: bytes, table: bytes, ranges: list[tuple[int, bytes]]) -> None:
        self.path = path
        self.build = build
        self._table = table
        self._ranges = ranges       # (address, bytes) of .rodata, for strings that stand there
        self._places = Places(path, build)
        self._sites: dict[int, Optional[Site]] = {}

    def matches(self, build: bytes) -> bool:
        """SYNC carries 8 bytes of the build-id, the banner all of them."""
        size = min(len(build), len(self.build))
        return size > 0 and build[:size] == self.build[:size]

    def site(self, ident: int) -> Optional[Site]:
        try:
            return self._sites[ident]
        except KeyError:
            site = self._parse(ident)
            if site is not None:        # ids come from the wire: remember only those that exist
                self._sites[ident] = site
            return site

    def _parse(self, ident: int) -> Optional[Site]:
        at = ident * ENTRY.size
        if not 0 < at <= len(self._table) - ENTRY.size:
            return None
        fmt, file, function, line, level, count, types, zero = ENTRY.unpack_from(self._table, at)
        texts = [self._string(pointer) for pointer in (fmt, file, function)]
        types = types[:count]
        if level >= len(LEVELS) or count > wire.MAX_ARGS or any(zero):
            return None     # not an entry: the strings begin here
        if any(not wire.TYPE_S32 <= t <= wire.TYPE_CHAR for t in types):
            return None
        if texts[0] is None or texts[1] is None or texts[2] is None:
            return None
        return Site(texts[0], texts[1], texts[2], line, level, types, self._places.name)

    def _string(self, pointer: int) -> Optional[str]:
        for address, data in [(0, self._table)] + self._ranges:
            at = pointer - address
            if 0 <= at < len(data):
                end = data.find(b"\0", at)
                return data[at:end].decode("utf-8", "backslashreplace") if end >= 0 else None
        return None


def load(path: str) -> Formats:
    """Reads an ELF's build-id and call sites. Raises ElfError."""
    try:
        with open(path, "rb") as stream:
            return _read(path, ELFFile(stream))
    except OSError as error:
        raise ElfError(f"{path}: {error.strerror or error}") from None
    except ElfError:
        raise
    except Exception as error:      # pyelftools raises whatever a broken file leads it to, not only ELFError
        reason = str(error) if isinstance(error, ELFError) else type(error).__name__
        raise ElfError(f"{path} is not a whole ELF file ({reason})") from None


def _read(path: str, elf: ELFFile) -> Formats:
    build = build_id(elf)
    ranges = []
    for section in elf.iter_sections():
        if section.name.startswith(".rodata") and section["sh_type"] == "SHT_PROGBITS":
            ranges.append((int(section["sh_addr"]), bytes(section.data())))
    table = elf.get_section_by_name(SECTION)
    if table is None:
        raise ElfError(f"{path} has no section {SECTION}: it is no build of Braid, or it was stripped")
    if not build:
        raise ElfError(f"{path} has no build-id: link it with --build-id")
    return Formats(path, build, bytes(table.data()), ranges)


def search(patterns: Iterable[str] = SEARCH) -> list[str]:
    """ELF files to try, the newest first."""
    paths = [p for pattern in patterns for p in glob(pattern)]
    return sorted(set(paths), key=lambda p: -os.path.getmtime(p) if os.path.exists(p) else 0.0)


Lookup = Callable[[int], Optional[Site]]


class Finder:
    """Finds the ELF of a build: among those given, or, if none is given, by searching build/. An ELF that
    is given and is of another build is refused; `refused` then says so.
    """

    def __init__(self, given: Sequence[str] = (), patterns: Sequence[str] = SEARCH) -> None:
        """Reads the given ones at once. Raises ElfError."""
        self.given = [load(path) for path in given]
        self.refused = ""
        self._patterns = patterns

    def choose(self, build: bytes, sure: bool = True) -> tuple[Optional[Lookup], Optional[Note]]:
        """The call sites of this build. Without them ids are shown, and the note says what would help. If it
        is not `sure` that this is the build, nothing is said, or refused, where they are not found.
        """
        tried = []
        for formats in self.given:
            if formats.matches(build):
                return formats.site, None
            tried.append(f"{formats.path} has build-id {formats.build.hex()}")
        for path in [] if self.given else search(self._patterns):
            try:
                formats = load(path)
            except ElfError:
                continue
            if formats.matches(build):
                return formats.site, None
            tried.append(f"{path} has build-id {formats.build.hex()}")
        if not sure:
            return None, None
        made = f"the capture was made by {build.hex()}"
        if self.given:
            self.refused = f"{', '.join(tried)}, {made}: give its ELF with --elf"
            return None, Note(text=self.refused, refused=True)
        found = ", ".join(tried[:3]) or "no ELF in " + " ".join(self._patterns)
        return None, Note(text=f"{found}, {made}: {RAW_IDS}")

    def unnamed(self) -> tuple[Optional[Lookup], Optional[Note]]:
        """For a capture that never names its build."""
        if self.given:
            text = f"the capture does not name its build: {self.given[0].path} is taken on trust"
            return self.given[0].site, Note(text=text)
        return None, Note(text=f"the capture does not name its build: {RAW_IDS}")
