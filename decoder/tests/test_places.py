"""Names of code addresses: against an ELF whose lines are known, and against binutils' addr2line."""
from __future__ import annotations

import random
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from decoder.elf import load
from decoder.formats import Site
from decoder.places import Places
from decoder.wire import TYPE_POINTER

ROOT = Path(__file__).resolve().parents[2]
ELF = ROOT / "build" / "braid.elf"
BUILD = bytes(range(20))
SOURCE = """\
__attribute__((noreturn, noinline)) static void die(void) { for (;;) { __asm__ volatile("hlt"); } }
__attribute__((noinline)) void caller(void)
{
    die();
}
void _start(void)
{
    caller();
}
int data;
"""
LABELS = ".section .note.GNU-stack\n.text\n.globl label\nlabel: nop\nnop\nlabel.local: nop\n"


@pytest.fixture(scope="module", params=["-gdwarf-4", "-gdwarf-5"])
def places(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Places:
    if not shutil.which("gcc"):
        pytest.skip("no gcc to make an ELF with")
    folder = tmp_path_factory.mktemp("places")
    (folder / "code").mkdir()
    (folder / "code" / "panics.c").write_text(SOURCE)
    (folder / "labels.S").write_text(LABELS)
    flags = ["-O0", request.param, "-nostdlib", "-static", "-no-pie", "-fno-pie",
             f"-Wl,--build-id=0x{BUILD.hex()}"]
    subprocess.run(["gcc", *flags, "-o", "a.elf", "code/panics.c", "labels.S"], cwd=folder, check=True)
    return Places(str(folder / "a.elf"), BUILD)


def address(places: Places, name: str) -> int:
    places.name(0)
    assert places._symbols is not None
    return next(s.address for s in places._symbols if s.name == name)


def test_functions_lines_and_labels(places: Places) -> None:
    caller = address(places, "caller")
    assert places.name(caller) == "caller+0x0 (code/panics.c:3)"
    start = places.name(address(places, "_start"))
    assert start == "_start+0x0 (code/panics.c:7)"
    assert places.name(address(places, "label") + 2) == "label+0x2 (labels.S:6)"    # of no name of its own
    assert places.name(0x12) == "0x12" and places.name(1 << 64) == hex(1 << 64)


def test_a_call_that_does_not_return_is_not_the_next_function(places: Places) -> None:
    assert places._symbols is not None
    end = next(s.end for s in places._symbols if s.name == "caller")
    text = places.name(end, True)
    assert re.fullmatch(r"caller\+0x[0-9a-f]+ \(code/panics\.c:4\)", text)
    assert not places.name(end, False).startswith("caller")


def test_another_build_is_not_asked(places: Places) -> None:
    assert Places(places._path, b"\1" * 20).name(address(places, "caller")).startswith("0x")
    assert Places("/nonexistent", BUILD).name(16) == "0x10"


def test_formats(places: Places) -> None:
    at = address(places, "caller")
    site = Site("  from %pB, at %pS; %pX", "f", "g", 1, 0, bytes([TYPE_POINTER] * 3), places.name)
    text = site.message([at + 1, at, at])
    assert text == f"  from caller+0x1 (code/panics.c:3), at caller+0x0 (code/panics.c:3); {at:#x}X"
    assert Site("%pS", "f", "g", 1, 0, bytes([TYPE_POINTER])).message([255]) == "0xff"


def test_as_addr2line_says() -> None:
    if not ELF.exists() or not shutil.which("addr2line"):
        pytest.skip("no build/braid.elf, or no addr2line")
    places = load(str(ELF))._places
    places.name(0)
    assert places._symbols
    chance = random.Random(1)
    sized = [s for s in places._symbols if s.rank < 2]
    addresses = [chance.randrange(s.address, s.end) for s in chance.sample(sized, min(80, len(sized)))]
    command = ["addr2line", "-e", str(ELF), *map(hex, addresses)]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    mine = [places.name(a) for a in addresses]
    known = [(m, re.sub(r" \(discriminator.*", "", line)) for m, line in zip(mine, lines) if "?" not in line]
    assert len(known) > 40
    wrong = [(m, line) for m, line in known if Path(line).name != Path(m.split(" (")[-1][:-1]).name]
    assert not wrong
