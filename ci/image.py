"""Make a machine's boot image: Debian's kernel, the guest's initramfs with the command laid over it, GRUB."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from ci.machine import KERNEL_ARGS, Machine

BUILD = Path(os.environ.get("BUILD", "build"))
INITRAMFS = BUILD / "initramfs.gz"


class ImageError(Exception):
    """The image could not be made; the text says why, for a person."""


def overlay(machine: Machine, where: Path) -> Path:
    """The initramfs, and behind it an archive of the command and the extra files: Linux unpacks both."""
    tree = where / "overlay"
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    (tree / "command").write_text(machine.command + "\n")
    if machine.extra:
        if not machine.extra.is_dir():
            raise ImageError(f"EXTRA={machine.extra} is not a directory")
        shutil.copytree(machine.extra, tree / "extra", symlinks=True)
    names = "\n".join(str(path.relative_to(tree)) for path in sorted(tree.rglob("*")))
    packed = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "+0:+0"], cwd=tree,
                            input=names.encode(), stdout=subprocess.PIPE, check=True).stdout
    base = INITRAMFS.read_bytes()
    out = where / "initramfs"
    out.write_bytes(base + b"\0" * (-len(base) % 4) + packed)
    shutil.rmtree(tree)
    return out


def build(machine: Machine, where: Path) -> Path:
    """Write where/boot.iso and return its path."""
    needs = [] if machine.flavour == "bare" else [BUILD / "braid.elf"]
    needs += [] if machine.flavour == "alone" else [BUILD / "vmlinuz", INITRAMFS]
    for need in needs:
        if not need.exists():
            raise ImageError(f"{need} is missing: make it with `make iso`")
    where.mkdir(parents=True, exist_ok=True)
    iso = where / "boot.iso"
    initramfs = overlay(machine, where) if machine.flavour != "alone" else Path("none")
    made = subprocess.run(
        [str(Path(__file__).parent / "iso.sh"), str(iso), machine.flavour, str(initramfs),
         f"{KERNEL_ARGS} {machine.kernel_args}".strip(), machine.options],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if made.returncode:
        raise ImageError(made.stdout.strip())
    initramfs.unlink(missing_ok=True)
    return iso


def main() -> int:
    """`make iso`: the demo's image, with Braid and without."""
    parser = argparse.ArgumentParser(prog="make iso", description=main.__doc__)
    parser.add_argument("command", help="what the guest's shell runs")
    parser.add_argument("--options", default="", help="Braid's boot options")
    given = parser.parse_args()
    for flavour in ("braid", "bare"):
        out = BUILD / f"{flavour}.iso"
        try:
            machine = Machine(flavour, flavour, options=given.options, command=given.command)
            build(machine, BUILD / "iso").replace(out)
        except ImageError as error:
            print(f"iso: {error}", file=sys.stderr)
            return 1
        print(out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
