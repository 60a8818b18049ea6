"""Make a machine's boot image: Debian's kernel, the guest's initramfs with its command, GRUB."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from ci.machine import KERNEL_ARGS, Machine

BUILD = Path(os.environ.get("BUILD", "build"))
ROOT = Path(__file__).parent.parent


class ImageError(Exception):
    """The image could not be made; the text says why, for a person."""


def initramfs(machine: Machine, out: Path) -> Path:
    """The guest's root with the machine's command and extra files."""
    if machine.extra and not machine.extra.is_dir():
        raise ImageError(f"EXTRA={machine.extra} is not a directory")
    extra = ["-x", str(machine.extra)] if machine.extra else []
    _run([str(ROOT / "pal/initramfs.sh"), "-p", str(BUILD / "pal"), "-o", str(out), "-c", machine.command,
          "-l", str(machine.loops), "-b", str(BUILD / machine.busybox), *extra])
    return out


def _run(command: list[str]) -> None:
    made = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    if made.returncode:
        raise ImageError(made.stdout.strip() or f"{command[0]} ended with {made.returncode}")


def build(machine: Machine, where: Path) -> Path:
    """Write where/boot.iso and return its path."""
    needs = [] if machine.flavour == "bare" else [BUILD / "braid.elf"]
    needs += [] if machine.flavour == "alone" else [BUILD / machine.kernel]
    for need in needs:
        if not need.exists():
            raise ImageError(f"{need} is missing: make it with `make iso`")
    where.mkdir(parents=True, exist_ok=True)
    iso = where / "boot.iso"
    root = initramfs(machine, where / "initramfs") if machine.flavour != "alone" else Path("none")
    arguments = f"{machine.first_args} {KERNEL_ARGS} {machine.kernel_args}".strip()
    _run([str(ROOT / "ci/iso.sh"), str(iso), machine.flavour, str(BUILD / machine.kernel), str(root),
          arguments, machine.options])
    root.unlink(missing_ok=True)
    return iso


def main() -> int:
    """`make iso`: the demo's image, with Braid and without."""
    parser = argparse.ArgumentParser(prog="make iso", description=main.__doc__)
    parser.add_argument("command", help="what the guest's shell runs; empty: the loop of pal_demo")
    parser.add_argument("--loops", type=int, default=100, help="of pal_demo")
    parser.add_argument("--options", default="", help="Braid's boot options")
    given = parser.parse_args()
    for flavour in ("braid", "bare"):
        out = BUILD / f"{flavour}.iso"
        try:
            machine = Machine(flavour, flavour, options=given.options, command=given.command,
                              loops=given.loops)
            build(machine, BUILD / "iso").replace(out)
        except ImageError as error:
            print(f"iso: {error}", file=sys.stderr)
            return 1
        print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
