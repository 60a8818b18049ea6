"""What a machine that hangs still says: its memory, and `decoder postmortem`'s reading of it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Mapping

from ci import image
from ci.qemu import Qemu
from decoder.postmortem.live import BRAID

SECONDS = 60.0  # until a dump or its reading counts as failed


def postmortem(core: Path) -> str:
    """What a user sees of a core; a line that says why, if nothing."""
    elf = str(image.BUILD / "braid.elf")
    command = [sys.executable, "-m", "decoder", "postmortem", "--elf", elf, str(core)]
    try:
        ended = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                               stderr=subprocess.STDOUT, errors="replace", timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return f"decoder postmortem took more than {SECONDS:.0f} s\n"
    return ended.stdout if ended.returncode == 0 else f"status {ended.returncode}: {ended.stdout[-300:]}"


def dump(qemu: Qemu, core: Path, part: Mapping[str, int] = BRAID) -> str:
    """Ends the machine. Its memory goes to `core`, the hypervisor's or all ({}). Says why, if there is none.
    Waits at most SECONDS.
    """
    core.unlink(missing_ok=True)
    qemu.qmp.command("stop")
    qemu.qmp.command("dump-guest-memory", paging=False, protocol=f"file:{core.resolve()}", **part)
    qemu.qmp.command("quit")  # obeyed behind the dump: QEMU's end tells that it is over
    end = time.monotonic() + SECONDS
    while qemu.alive() and time.monotonic() < end:
        qemu.poll()
        time.sleep(0.05)
    qemu.poll()
    if core.exists() and core.stat().st_size >= BRAID["length"]:
        return ""
    refused = "; ".join(qemu.qmp.errors)
    return f"no core: QEMU refused: {refused}" if refused else "no core: QEMU did not answer in time"


def autopsy(qemu: Qemu, where: Path) -> None:
    """Ends the machine, and leaves vm.core and postmortem.txt in `where`. Waits at most 2 x SECONDS."""
    core = where / "vm.core"
    why = dump(qemu, core)
    (where / "postmortem.txt").write_text(f"{why}\n" if why else postmortem(core))
