"""Captures from files, directories and archives (tar, also compressed; a single compressed file). This is
triage's input I/O. What cannot be read is said in `problems`, and the rest is sorted all the same.
"""
from __future__ import annotations

import bz2
import gzip
import lzma
import os
import stat
import tarfile
import zlib
from dataclasses import dataclass, field
from typing import Callable, Iterator, NamedTuple

_OPENERS: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.decompress, ".xz": lzma.decompress, ".bz2": bz2.decompress,
}
_BROKEN = (tarfile.TarError, lzma.LZMAError, zlib.error, EOFError, OSError, ValueError)


class Item(NamedTuple):
    name: str
    folder: str         # the directory it lies in, also within an archive
    when: float         # seconds since 1970
    data: bytes
    given: bool         # named by the user, not found in a directory or archive


@dataclass
class Inputs:
    paths: list[str]
    problems: list[str] = field(default_factory=list)

    def items(self) -> Iterator[Item]:
        """One capture after another."""
        for path in self.paths:
            if os.path.isdir(path):
                for name in self._walk(path):
                    yield from self._file(name, given=False)
            else:
                yield from self._file(path, given=True)

    def _walk(self, top: str) -> list[str]:
        names = []
        for folder, folders, files in os.walk(top, onerror=self._problem):
            folders[:] = sorted(one for one in folders if not one.startswith("."))
            names += [os.path.join(folder, one) for one in sorted(files) if not is_document(one)]
        return names

    def _file(self, path: str, given: bool) -> Iterator[Item]:
        try:
            if not stat.S_ISREG(os.stat(path).st_mode):
                raise ValueError("not a file: give captures, directories, archives")
            if _is_archive(path):
                yield from self._archive(path)
                return
            with open(path, "rb") as file:
                data, when = file.read(), os.fstat(file.fileno()).st_mtime
            opener = _OPENERS.get(os.path.splitext(path)[1])
            folder = os.path.basename(os.path.dirname(os.path.abspath(path)))
            yield Item(os.path.basename(path), folder, when, opener(data) if opener else data, given)
        except _BROKEN as error:
            self.problems.append(f"{path}: {_reason(error)}")

    def _archive(self, path: str) -> Iterator[Item]:
        count = 0
        try:
            with tarfile.open(path) as archive:
                for member in archive:
                    folder, name = os.path.split(member.name)
                    if not member.isfile() or is_document(name):
                        continue
                    file = archive.extractfile(member)
                    if file is not None:
                        count += 1
                        yield Item(name, os.path.basename(folder), member.mtime, file.read(), False)
        except _BROKEN as error:
            what = f"broken behind {count} captures, which were sorted"
            self.problems.append(f"{path}: {what}: {_reason(error)}")

    def _problem(self, error: OSError) -> None:
        self.problems.append(f"{error.filename}: {_reason(error)}")


def _is_archive(path: str) -> bool:
    """An archive that holds something: a file of zeros is an empty one to tarfile."""
    if not tarfile.is_tarfile(path):
        return False
    with tarfile.open(path) as archive:
        return archive.next() is not None


def is_document(name: str) -> bool:
    """Nobody names a capture so: what lies beside captures to describe them."""
    return name.startswith((".", "README")) or name.endswith((".md", ".json", ".elf", ".iso"))


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__
