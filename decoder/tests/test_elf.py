"""Call sites from an ELF, and what a wrong or broken ELF gets. The ELFs are made by gcc."""
from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from decoder import Decoder, ElfError, Finder, Note, Record
from decoder.elf import load

from . import encode
from .encode import BUILD, Cpu

# Strings both ways that the format allows: in the section itself, and in .rodata
SOURCE = """
.section braid_log,"",@progbits
sites: .zero 64
    .quad inside, file, function
    .long 42
    .byte 1, 2, 1, 6, 0,0,0,0,0,0,0,0
    .zero 24
    .quad outside, file, function
    .long 43
    .byte 4, 0, 0,0,0,0,0,0,0,0,0,0
    .zero 24
inside: .asciz "zeroing section %d of %s"
file: .asciz "tv/scode.c"
function: .asciz "scode_register"
.section .rodata
outside: .asciz "done"
.text
.globl _start
_start: hlt
"""


@pytest.fixture(scope="module")
def elf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_elf(tmp_path_factory.mktemp("elf") / "braid.elf", BUILD)


def make_elf(path: Path, build: bytes) -> Path:
    if not shutil.which("gcc"):
        pytest.skip("no gcc to make an ELF with")
    source = path.with_suffix(".S")
    source.write_text(SOURCE)
    flags = ["-nostdlib", "-static", "-no-pie", f"-Wl,--build-id=0x{build.hex()}"]
    subprocess.run(["gcc", *flags, "-o", str(path), str(source)], check=True)
    return path


def capture() -> bytes:
    cpu = Cpu(2, 1)
    frames = cpu.records(0, 1000, [encode.record(1, 1000, ("s", -3), ("t", "pal"))])
    frames += cpu.records(0, 1001, [encode.record(2, 1001)])
    frames += cpu.records(0, 1002, [encode.record(3, 1002, ("u", 5))])
    return encode.banner(2, 4) + b"".join(frames)


def test_sites(elf: Path) -> None:
    formats = load(str(elf))
    assert formats.build == BUILD
    one, two = formats.site(1), formats.site(2)
    assert one is not None and two is not None
    assert (one.format, one.file, one.function, one.line, one.level) == (
        "zeroing section %d of %s", "tv/scode.c", "scode_register", 42, 1)
    assert one.types == bytes([1, 6])
    assert (two.format, two.level, two.types) == ("done", 4, b"")
    assert [formats.site(i) for i in (0, 3, 4, 5, 1 << 60, -1)] == [None] * 6


def test_records_become_messages(elf: Path) -> None:
    events = Decoder(str(elf)).feed(capture())
    records = [e for e in events if isinstance(e, Record)]
    assert [r.message for r in records] == ["zeroing section -3 of pal", "done", "#3 05"]
    assert (records[0].args, records[0].file, records[0].line) == ((-3, b"pal"), "tv/scode.c", 42)
    assert not [e for e in events if isinstance(e, Note)]


def test_cut_record_shows_the_arguments_that_came(elf: Path) -> None:
    cpu = Cpu(2, 1)
    frames = cpu.records(0, 1000, [encode.record(1, 1000, ("s", 7), ("t", "pal_demo"))])
    messages = []
    for size in range(1, len(frames[1])):
        decoder = Decoder(str(elf))
        events = decoder.feed(encode.banner(2, 4) + frames[0] + frames[1][:size]) + decoder.finish()
        messages += [e.message for e in events if isinstance(e, Record)]
    assert messages[0] == "zeroing section <cut>"
    assert "zeroing section 7 of <cut>" in messages and "zeroing section 7 of pal_d" in messages
    assert messages[-1] == "zeroing section 7 of pal_demo"


def test_a_wrong_elf_is_refused_by_name(elf: Path, tmp_path: Path) -> None:
    other = make_elf(tmp_path / "other.elf", b"\xee" * 20)
    decoder = Decoder(str(other))
    events = decoder.feed(capture())
    note = next(e for e in events if isinstance(e, Note))
    assert note.refused and decoder.finder.refused == note.text
    assert "other.elf has build-id eeee" in note.text and f"made by {BUILD[:8].hex()}" in note.text
    assert [e.message for e in events if isinstance(e, Record)] == ["#1 05 06 70 61 6c", "#2", "#3 05"]
    assert not Finder([str(other), str(elf)]).choose(BUILD)[1]


@pytest.mark.parametrize("at", [0, 7, 8, 39])
@pytest.mark.parametrize("given", [True, False])
def test_a_banner_alone_refuses_no_elf(elf: Path, given: bool, at: int) -> None:
    """One bit of its build-id was flipped; the SYNC's, which a CRC guards, is right."""
    wire = bytearray(capture())
    wire[wire.index(b"build=") + 6 + at] ^= 1
    decoder = Decoder(Finder([str(elf)] if given else [], patterns=[str(elf)]))
    assert not [e for e in decoder.feed(encode.banner(2, 4, build=b"\xee" * 20)) if isinstance(e, Note)]
    events = decoder.feed(bytes(wire))
    messages = [e.message for e in events if isinstance(e, Record)]
    assert messages == ["zeroing section -3 of pal", "done", "#3 05"]
    assert not [e for e in events if isinstance(e, Note)] and not decoder.finder.refused


def test_search_finds_the_right_one(elf: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.elf").write_bytes(b"\x7fELF")
    make_elf(tmp_path / "a.elf", b"\xee" * 20)
    finder = Finder(patterns=[str(tmp_path / "*.elf")])
    lookup, note = finder.choose(BUILD[:8])
    assert lookup is None and note is not None and not note.refused and "a.elf" in note.text
    shutil.copy(elf, tmp_path / "b.elf")
    lookup, note = finder.choose(BUILD[:8])
    assert lookup is not None and note is None


@pytest.mark.parametrize("content", [b"", b"\x7fELF", b"text", b"\x7fELF\x02\x01\x01" + bytes(57)])
def test_broken_elfs_give_one_line(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "broken.elf"
    path.write_bytes(content)
    with pytest.raises(ElfError, match="broken.elf"):
        load(str(path))
    with pytest.raises(ElfError, match="No such file"):
        load(str(tmp_path / "absent.elf"))


def test_any_damage_to_an_elf_gives_an_error_or_sites(elf: Path, tmp_path: Path) -> None:
    data = elf.read_bytes()
    path = tmp_path / "damaged.elf"
    for at in range(0, len(data), max(1, len(data) // 150)):
        path.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:])
        try:
            formats = load(str(path))
            for ident in range(5):
                formats.site(ident)
        except ElfError:
            pass
