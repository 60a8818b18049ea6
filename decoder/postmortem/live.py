"""A live machine's memory, through QEMU's control socket (QMP): QEMU writes a core of what belongs to Braid,
stopping the machine for the moment that this takes. Does I/O; errors are DumpError with one clear line.
"""
from __future__ import annotations

import json
import socket
import tempfile
from pathlib import Path
from typing import Any

from .memory import Dump, DumpError

PREFIX = "qmp:"
SECONDS = 30
BRAID = {"begin": 0x7800000, "length": 0x1000000}   # image, pool and rings (core/memory.h)


def dump(name: str) -> Dump:
    """`name`: qmp: and the path of the socket."""
    path = name[len(PREFIX):]
    with tempfile.TemporaryDirectory(prefix="braid-") as folder:
        core = Path(folder) / "vm.core"
        try:
            with socket.socket(socket.AF_UNIX) as control:
                control.settimeout(SECONDS)
                control.connect(path)
                with control.makefile("rwb") as stream:
                    _converse(stream, str(core))
        except socket.timeout:
            why = f"no answer within {SECONDS} s: is another program connected to it?"
            raise DumpError(f"{path}: {why}") from None
        except OSError as error:
            raise DumpError(f"{path}: {error.strerror or error}") from None
        except ValueError as error:
            raise DumpError(f"{path}: {error}") from None
        out = Dump(str(core))       # mapped: it stays when the file goes
    out.path = name
    return out


def _converse(stream: Any, core: str) -> None:
    if "QMP" not in _line(stream):
        raise ValueError("this is no QMP socket")
    _command(stream, "qmp_capabilities")
    _command(stream, "dump-guest-memory", paging=False, protocol=f"file:{core}", **BRAID)


def _command(stream: Any, name: str, **arguments: object) -> None:
    stream.write(json.dumps({"execute": name, "arguments": arguments}).encode() + b"\n")
    stream.flush()
    while True:
        answer = _line(stream)
        if "error" in answer:
            raise ValueError(f"QEMU refuses {name}: {answer['error'].get('desc')}")
        if "return" in answer:
            return                  # anything else is an event


def _line(stream: Any) -> dict[str, Any]:
    line = stream.readline()
    if not line:
        raise ValueError("the socket was closed: has QEMU ended?")
    try:
        answer = json.loads(line)
    except ValueError:
        raise ValueError("this is no QMP socket") from None
    return answer if isinstance(answer, dict) else {}
