"""A live input that may go away and come back: a port, a socket, or a file that grows. I/O.

listen() yields bytes, b"" for each silent second, and a str where there is something to tell the user.
"""
from __future__ import annotations

import os
import stat
import time
from typing import Iterator, Union

from .rawfile import MAGIC
from .source import CHUNK, MAY_COME, SILENCE, WAIT, SourceError, open_source

RETRY = 0.5     # seconds between two attempts to open it again


def listen(name: str, baud: int) -> Iterator[Union[bytes, str]]:
    """Ends only with stdin. SourceError for a name that can never be opened."""
    waiting = False
    while True:
        try:
            if _is_regular(name):
                chunks = _growing(name)
            else:
                source = open_source(name, baud)
                chunks = source.chunks()
        except SourceError as error:
            if not error.may_come:
                raise
            if not waiting:
                yield f"{error} Waiting for it."
            waiting = True
            time.sleep(RETRY)
            continue
        if waiting:
            yield f"{name} is there"
        try:
            yield from chunks
        except SourceError as error:        # of a port whose adapter was pulled
            if not error.may_come:
                raise
            yield str(error)
        if name == "-":
            return
        if not _is_regular(name):
            source.close()
        yield f"{name} went away at {time.strftime('%H:%M:%S')}, waiting for it to come back"
        waiting = True
        time.sleep(RETRY)


def _is_regular(name: str) -> bool:
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return False


def _growing(name: str) -> Iterator[bytes]:
    """A file's bytes, and those that come; ends when the file is another one, or shorter than it was."""
    try:
        with open(name, "rb", buffering=0) as stream:
            silent = 0.0
            while True:
                data = stream.read(CHUNK)
                if data:
                    if stream.tell() == len(data) and data.startswith(MAGIC):
                        raise SourceError(f"{name} is what --raw keeps: decode it, or follow the port itself")
                    silent = 0.0
                    yield data
                    continue
                if _replaced(name, os.fstat(stream.fileno()), stream.tell()):
                    return
                time.sleep(WAIT)
                silent += WAIT
                if silent >= SILENCE:
                    silent = 0.0
                    yield b""
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}", error.errno in MAY_COME) from None


def _replaced(name: str, mine: os.stat_result, at: int) -> bool:
    try:
        now = os.stat(name)
    except OSError:
        return True
    return (now.st_dev, now.st_ino) != (mine.st_dev, mine.st_ino) or now.st_size < at
