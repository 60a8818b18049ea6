"""What run.py has spin search: scenarios, which must hold, and variants, which must break what they name.

Each variant's scenario is also searched without its fault (its twin): so what the fault breaks there is known
to hold of the protocol there, and is not vacuous.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Case:
    name: str
    defines: str
    breaks: str = ""  # a variant: the property that it breaks
    level: str = "quick"
    endless: bool = False  # search for endless runs, too: more states, and twice the time


@dataclass(frozen=True)
class Variant:
    fault: str  # its name, and its -D
    breaks: str
    scenario: str = ""
    vendors: tuple[str, ...] = ("SVM", "VMX")

    def case(self, vendor: str) -> Case:
        return of(vendor, Case(self.fault, f"{self.fault} {self.scenario}", self.breaks,
                               endless=self.breaks == "livelock"))

    def twin(self, vendor: str) -> Case:
        return of(vendor, Case("twin: " + self.scenario, self.scenario, endless="BUTTONS" not in self.scenario))


def of(vendor: str, case: Case) -> Case:
    if vendor == "SVM":
        return case
    return Case(f"VMX: {case.name}", f"VMX {case.defines}", case.breaks, case.level, case.endless)


def both(name: str, defines: str, level: str = "quick", endless: bool = False) -> list[Case]:
    """The scenario for each vendor."""
    return [of(vendor, Case(name, defines, "", level, endless)) for vendor in ("SVM", "VMX")]


SVM, VMX = ("SVM",), ("VMX",)
BOOT = "INITIATORS=1 AP_WAITS=1 BOOTS=1"
SCENARIOS = [
    *both("two initiators", "", endless=True),
    *both("two initiators, two rounds each", "ROUNDS=2", endless=True),
    *both("two initiators, an NMI by ICR", "NMIS=1", endless=True),
    *both("two initiators, a button", "BUTTONS=1"),
    *both("INIT and one SIPI to a CPU that waits", BOOT + " SIPIS=1", endless=True),
    Case("two initiators, an NMI by ICR, the loads swapped", "NMIS=1 RELEASED_FIRST", endless=True),
    Case("one initiator, an NMI by ICR, a button", "INITIATORS=1 NMIS=1 BUTTONS=1"),
    Case("one initiator, an NMI by ICR, another event goes first", "INITIATORS=1 NMIS=1 EVENTS=1", endless=True),
    Case("one initiator, two buttons, a bus that takes its time", "INITIATORS=1 BUTTONS=2 BUS=1"),
    Case("one initiator, an NMI by ICR, another event first, a slow bus",
         "INITIATORS=1 NMIS=1 EVENTS=1 BUS=1", endless=True),
    Case("the doorbell rung again, a button, a bus that takes its time",
         "INITIATORS=1 AGAIN=1 BUTTONS=1 BUS=1"),
    Case("a CPU waits for SIPI throughout", "INITIATORS=1 ROUNDS=2 AP_WAITS=1 BUTTONS=1"),
    Case("INIT and one SIPI to a CPU that runs", "INITIATORS=1 BOOTS=1 SIPIS=1", endless=True),
    Case("VMX: one initiator, an NMI by ICR, another event goes first, a button",
         "VMX INITIATORS=1 NMIS=1 EVENTS=1 BUTTONS=1"),
]
VARIANTS = [
    Variant("RESUME_FLAG", "hang", "ROUNDS=2"),
    Variant("PARK_CLOSED", "hang", "", SVM),
    Variant("NO_REWIND", "hang"),
    Variant("NO_LAST_LOOK", "hang"),
    Variant("RING_FIRST", "hang", "NMIS=1"),
    Variant("SIPI_EARLY", "exclusion", BOOT),
    Variant("END_READS_EARLY", "hang", BOOT),
    Variant("TWO_WORDS", "hang", BOOT + " SIPIS=1"),
    Variant("COUNTING", "nmi", "BUTTONS=1"),
    Variant("GLOBAL_FLAG", "nmi"),
    Variant("SLOPPY_TIMEOUT", "nmi", "AGAIN=1"),
    Variant("NO_IRET_EXIT", "hang", "NMIS=2 ROUNDS=0", SVM),
    Variant("CLEARED_AFTER_EXIT", "icr", "NMIS=2 ROUNDS=0", SVM),
    Variant("LOG_LOCK", "hang", "NMIS=1"),
    Variant("SAMPLED_EARLY", "flush"),
    Variant("NO_NEXT", "turn", "ROUNDS=3"),
    Variant("POLLING", "livelock"),
    Variant("NO_ENTRY_REWIND", "hang", "", VMX),
    Variant("NO_EXIT_IRET", "hang", "", VMX),
    Variant("NO_WINDOW", "hang", "NMIS=2 ROUNDS=0", VMX),
    Variant("NO_TAKE_BACK", "icr", "INITIATORS=1 NMIS=1", VMX),
    Variant("CLOSE_LATE", "hang", "", VMX),
]
ALL = [
    Case("3 CPUs, two initiators", "CPUS=3", "", "all", endless=True),
    Case("VMX: 3 CPUs, two initiators", "VMX CPUS=3", "", "all"),
    *both("3 CPUs, one initiator, an NMI by ICR", "CPUS=3 INITIATORS=1 NMIS=1", "all"),
    *both("3 CPUs, one initiator, a button", "CPUS=3 INITIATORS=1 BUTTONS=1", "all"),
    *both("two initiators, an NMI by ICR, a button", "NMIS=1 BUTTONS=1", "all"),
    *both("two initiators, two rounds each, a button", "ROUNDS=2 BUTTONS=1", "all"),
    *both("two initiators, two NMIs by ICR", "NMIS=2", "all"),
    Case("one initiator, an NMI by ICR, another event goes first, a button",
         "INITIATORS=1 NMIS=1 EVENTS=1 BUTTONS=1", "", "all"),
    Case("two initiators, INIT and two SIPIs", "BOOTS=1", "", "all"),
]
LONG = [
    *both("two initiators, three rounds each, two NMIs by ICR", "ROUNDS=3 NMIS=2", "long"),
    *both("3 CPUs, two initiators, an NMI by ICR", "CPUS=3 NMIS=1", "long"),
    *both("3 CPUs, one initiator, INIT, one SIPI to a CPU that waits", "CPUS=3 SIPIS=1 " + BOOT, "long"),
    *both("3 CPUs, three initiators", "CPUS=3 INITIATORS=3", "long"),
]


def twins() -> list[Case]:
    """The variants' scenarios without their faults, each once, but those that SCENARIOS has."""
    seen = {frozenset(case.defines.split()) for case in SCENARIOS}
    found = []
    for variant in VARIANTS:
        for vendor in variant.vendors:
            twin = variant.twin(vendor)
            defines = frozenset(twin.defines.split())
            found += [twin] if defines not in seen else []
            seen.add(defines)
    return found


QUICK = SCENARIOS + twins() + [variant.case(vendor) for variant in VARIANTS for vendor in variant.vendors]
CASES = {"quick": QUICK, "all": ALL + QUICK, "long": LONG}
