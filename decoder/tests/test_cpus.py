"""Each CPU's state out of a dump, by the DWARF of an ELF that gcc makes here: the layout of struct cpu is
another one than the hypervisor's, and differs between two builds.
"""
from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile

from decoder.postmortem import cpus, main
from decoder.postmortem.debug import BOUNDS, Debug

from . import rings
from .encode import BUILD
from .rings import AT, Boot

# Compiled as core/quiesce.c. CPU 0 quiesces, CPU 1 is parked, CPU 2 is in its guest, CPU 3 waits for SIPI.
SOURCE = r"""
#include <stdatomic.h>
#include <stdint.h>
enum cpu_state { CPU_ABSENT, CPU_RUNNING, CPU_WAIT_SIPI };
enum cpu_phase { PHASE_BOOT, PHASE_GUEST, PHASE_PARKED, PHASE_WAIT_SIPI, PHASE_QUIESCING };
struct vcpu { uint64_t gpr[16]; uint64_t rip; };
struct cpu {
    char padding[PADDING];
    uint32_t apic_id, index;
    _Atomic uint32_t guest_start, guest_nmi, nmi_seen, rung;
    _Atomic uint64_t sampled_rip, parked, request, phase_since;
    struct vcpu vcpu;
    _Atomic uint32_t state, phase;
};
uint64_t stack[8] = {0};
int waiting(void);
static _Atomic uint32_t owner = 1, next = 2;
static _Atomic uint64_t released = 6;
_Atomic uint32_t panic_word = 4;
uint32_t cpu_count = 4;
#define MS 1000000
struct cpu cpus[32] = {
    {.apic_id = 0, .state = CPU_RUNNING, .phase = PHASE_QUIESCING, .phase_since = 50 * MS, .parked = 6},
    {.apic_id = 2, .state = CPU_RUNNING, .phase = PHASE_PARKED, .phase_since = 60 * MS,
     .parked = 7, .request = 7},
    {.apic_id = 4, .state = CPU_RUNNING, .phase = PHASE_GUEST, .phase_since = 10 * MS,
     .parked = 6, .request = 7, .rung = 1, .nmi_seen = 3, .sampled_rip = (uint64_t)waiting,
     .vcpu = {.rip = 0x1234}},
    {.apic_id = 6, .state = CPU_WAIT_SIPI, .phase = PHASE_WAIT_SIPI, .guest_start = 0x199},
};
enum cpu_state state_of(enum cpu_phase phase) { return phase == PHASE_BOOT ? CPU_ABSENT : CPU_RUNNING; }
int waiting(void)
{
    stack[0] = (uint64_t)owner + next + released;
    return state_of(cpus[0].phase) == CPU_RUNNING;
}
__asm__(".section .text\n.globl _start\n_start: call waiting\nafter: hlt\n.globl after");
"""
SCRIPT = """
SECTIONS { . = 0x7800000; image_start = .; .text : { *(.text*) } text_end = .; .rodata : { *(.rodata*) }
  .note.gnu.build-id : { build_id_note = .; *(.note.gnu.build-id) } .data : { *(.data*) *(.bss*) }
  /DISCARD/ : { *(.comment) *(.note.GNU-stack) *(.note.gnu.property) *(.eh_frame*) }
  braid_log 0 : { QUAD(0) QUAD(0) QUAD(0) QUAD(0) QUAD(0) QUAD(0) QUAD(0) QUAD(0) } }
"""


def make(where: Path, padding: int, debug: str = "-g") -> Path:
    if not shutil.which("gcc"):
        pytest.skip("no gcc to make an ELF with")
    (where / "core").mkdir(parents=True)
    (where / "core/quiesce.c").write_text(SOURCE)
    (where / "script.ld").write_text(SCRIPT)
    flags = "-O1 -ffreestanding -fno-pie -fcf-protection=none -nostdlib -static -no-pie -Wl,-T,script.ld"
    flags += " -Wl,--no-warn-rwx-segments"
    subprocess.run(["gcc", debug, f"-DPADDING={padding}", *flags.split(), f"-Wl,--build-id=0x{BUILD.hex()}",
                    "-o", "braid.elf", "core/quiesce.c"], cwd=where, check=True)
    return where / "braid.elf"


def pieces(elf: Path) -> list[tuple[int, bytes]]:
    """What the ELF loads, as memory."""
    with elf.open("rb") as stream:
        parts = [s for s in ELFFile(stream).iter_segments() if s["p_type"] == "PT_LOAD"]
        return [(int(s["p_paddr"]), bytes(s.data()).ljust(s["p_memsz"], b"\0")) for s in parts]


def dump(where: Path, elf: Path, symbols: dict[str, int]) -> Path:
    """CPU 2 is in the hypervisor's waiting(), called by _start; CPU 1 in assembly without a frame, called
    from there, too; the others are elsewhere.
    """
    memory = pieces(elf)
    frame = symbols["stack"]
    base, data = next((at, data) for at, data in memory if at <= frame < at + len(data))
    chain = struct.pack("<QQQQ", frame + 16, symbols["after"], 0, 0)
    memory.remove((base, data))
    memory.append((base, data[:frame - base] + chain + data[frame - base + len(chain):]))
    boot = Boot(4, build=BUILD)
    boot.ring(0).text(70_000_000, "the newest record")
    memory.append((AT, bytes(rings.area([Boot(0), boot], 1))))
    size = Debug(str(elf)).structs["cpu"][0]
    table = symbols["cpus"]
    saved = [(0xffff0000, 0, 0, 0), (symbols["after"], frame + 8, 1, table + size),
             (symbols["waiting"] + 4, 0, frame, table + 2 * size)]
    path = where / "vm.core"
    path.write_bytes(rings.core(memory, saved))
    return path


EXPECTED = """\
-- cpu0: apic 0, running, phase quiescing since 0.050000, for 0.020000 s at least
-- cpu0:   request 0, parked 6, rung 0, nmi_seen 0, guest_start 0x0, guest_nmi 0x0
-- cpu0:   waits for cpu2
-- cpu0:   guest rip 0x0 at its last exit
-- cpu0:   said 0.070000 cpu0        I the newest record
-- cpu1: apic 2, running, phase parked since 0.060000, for 0.010000 s at least
-- cpu1:   request 7, parked 7, rung 0, nmi_seen 0, guest_start 0x0, guest_nmi 0x0
-- cpu1:   waits for cpu0
-- cpu1:   guest rip 0x0 at its last exit
-- cpu1:   at after+0x0
-- cpu1:   from _start+0x5
-- cpu2: apic 4, running, phase guest since 0.010000, for 0.060000 s at least
-- cpu2:   request 7, parked 6, rung 1, nmi_seen 3, guest_start 0x0, guest_nmi 0x0
-- cpu2:   guest rip 0x1234 at its last exit, last NMI in the host at waiting+0x0 (core/quiesce.c:LINE)
-- cpu2:   at waiting+0x4 (core/quiesce.c:LINE)
-- cpu2:   from _start+0x5
-- cpu3: apic 6, wait sipi, phase wait sipi
-- cpu3:   request 0, parked 0, rung 0, nmi_seen 0, guest_start 0x199, guest_nmi 0x0
-- cpu3:   guest rip 0x0 at its last exit
-- quiesce 7: cpu0 holds the machine or wants to; not parked: cpu2; cpu1 goes next
-- waits: cpu0 -> cpu2; cpu1 -> cpu0
-- all of it waits for cpu2 (guest)
-- panic of cpu3
"""


@pytest.mark.parametrize("padding", [8, 4096])
def test_states_by_the_layout_of_the_build(padding: int, tmp_path: Path,
                                           capsys: pytest.CaptureFixture[str]) -> None:
    elf = make(tmp_path / "elf", padding)
    core = dump(tmp_path, elf, Debug(str(elf)).symbols)
    assert main(["--elf", str(elf), str(core)]) == 0
    out = capsys.readouterr().out
    assert "the newest record" in out
    states = [line.strip() for line in out[out.index("-- cpu0: apic"):].splitlines()]
    first = 1 + SOURCE.splitlines().index("int waiting(void)")
    numbers = [int(n) for n in re.findall(r"quiesce\.c:(\d+)\)", out)]
    assert len(numbers) == 2 and all(first <= n <= first + 4 for n in numbers)
    assert re.sub(r":\d+\)", ":LINE)", "\n".join(states)) + "\n" == EXPECTED
    assert main(["--json", "--elf", str(elf), str(core)]) == 0
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"cpustate"' in line]
    assert [(s["cpu"], s["phase"], s["waits_for"]) for s in told] == [
        (0, "quiescing", [2]), (1, "parked", [0]), (2, "guest", []), (3, "wait sipi", [])]


@pytest.mark.parametrize("damage, why", [
    ("overwritten", "overwritten since"), ("stripped", "was stripped"), ("absent", "does not hold")])
def test_why_there_are_no_states(damage: str, why: str, tmp_path: Path,
                                 capsys: pytest.CaptureFixture[str]) -> None:
    elf = make(tmp_path / "elf", 8, "-g0" if damage == "stripped" else "-g")
    memory = [(at, bytes(len(data)) if damage == "overwritten" else data) for at, data in pieces(elf)]
    if damage == "absent":      # the words, not the note
        memory = [(at, data[:data.find(BUILD) + len(BUILD)]) for at, data in memory if BUILD in data]
    boot = Boot(4, build=BUILD)
    core = tmp_path / "vm.core"
    core.write_bytes(rings.core(memory + [(AT, bytes(rings.area([Boot(0), boot], 1)))]))
    assert main(["--elf", str(elf), str(core)]) == 0
    notes = [line for line in capsys.readouterr().out.splitlines() if "CPU states" in line]
    assert len(notes) == 1 and why in notes[0], notes


def test_any_damage_to_the_elf_gives_states_or_a_line(tmp_path: Path,
                                                      capsys: pytest.CaptureFixture[str]) -> None:
    elf = make(tmp_path / "elf", 8)
    core = dump(tmp_path, elf, Debug(str(elf)).symbols)
    data = elf.read_bytes()
    damaged = tmp_path / "damaged.elf"
    for at in range(0, len(data), max(1, len(data) // 60)):
        damaged.write_bytes(data[:at] + bytes([data[at] ^ 0xFF]) + data[at + 1:])
        assert main(["--elf", str(damaged), str(core)]) in (0, 2)
    capsys.readouterr()


def test_gdb_reads_a_dead_machine(tmp_path: Path) -> None:
    if not shutil.which("gdb"):
        pytest.skip("no gdb")
    elf = make(tmp_path / "elf", 8)
    core = dump(tmp_path, elf, Debug(str(elf)).symbols)
    script = Path(__file__).resolve().parents[1] / "gdb_braid.py"
    commands = [f"file {elf}", f"core {core}", f"source {script}", "braid-log", "braid-log 1", "braid-cpus",
                "braid-log previous", "braid-log 9"]
    ended = subprocess.run(["gdb", "-q", "-nx", "-batch"] + [part for c in commands for part in ("-ex", c)],
                           capture_output=True, text=True, timeout=60, check=False)
    out, err = ended.stdout, ended.stderr
    if "No module named" in err:
        pytest.skip("gdb's Python lacks the libraries")
    assert out.count("the newest record") == 1 and out.count("epoch 4 (this boot)") == 2
    assert "cpu1: apic 2, running, phase parked" in out and "quiesce 7: cpu0" in out
    assert "cpu2:   at waiting+0x4" in out
    assert "no boot before this one" in err and "CPUs are 0 to 2" in err and "Traceback" not in err


def test_the_hypervisor_has_the_names_that_are_read() -> None:
    path = Path(__file__).resolve().parents[2] / "build/braid.elf"
    if not path.exists():
        pytest.skip("build/braid.elf is not made")
    debug = Debug(str(path))
    wanted = cpus.WORDS + ("apic_id", "phase", "phase_since", "state", "sampled_rip", "vcpu.rip", *cpus.EXIT)
    assert [name for name in wanted if name not in debug.structs["cpu"][1]] == []
    assert "CPU_RUNNING" in debug.enums["cpu_state"].values()
    assert {"PHASE_PARKED", "PHASE_QUIESCING"} <= set(debug.enums["cpu_phase"].values())
    names = ("owner", "next", "released", "panic_word", "cpu_count", "cpus", "build_id_note", *BOUNDS)
    assert [name for name in names if name not in debug.symbols] == []
