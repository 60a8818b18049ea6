"""Captures as the older system makes them, for tests: a boot, rounds of a PAL's life, and the ends that its
diary describes (behaviours 1 to 5). Made here; numbers and addresses are random.
"""
from __future__ import annotations

import random

PASS, FAULT_CODE, FAULT_DATA, PAGES, PAGES_CUT, RELEASED, RELEASED_DUMP, ZEROED, RUN, RUN_ERROR = ENDS = (
    "pass", "1A", "1B", "2", "2 cut", "3", "3 dump", "4", "5", "5 error")
BEHAVIOUR = {end: end[:1] for end in ENDS}      # "p" for a pass
FATAL = "TV[0]:appmain.c:tv_app_handleintercept_hwpgtblviolation:587: FATAL ERROR: " \
        "Unexpected return value from page fault handling"
DUMP = "CPU(0x00): Unhandled intercept: 0x00000002\n\tCPU(0x00): EFLAGS=0x00210206\n" \
       "\tSS:ESP =0x0068:0xd9aedf50\n"
ERROR = "\nVM-ENTRY error: reason=0x80000021, qualification=0x0000000000000000\nGuest State follows:\n"


class Older:
    """One machine; the same seed makes the same capture."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.lines: list[str] = []

    def capture(self, end: str, rounds: int) -> bytes:
        """So many whole rounds, and then this end."""
        self._boot()
        for _ in range(rounds):
            self._register()
            self._enter()
            self._leave()
            self._unregister()
        tail = self._end(end)
        verdict = "pass" if end == PASS else "fail"
        passed = rounds + (end in (FAULT_DATA,))
        return "\n".join([verdict, str(passed), "", *self.lines, tail]).encode()

    def _end(self, end: str) -> str:
        if end in (PASS, ZEROED):
            return DUMP if end == ZEROED else ""
        if end == FAULT_DATA:
            self._register()
            self._enter()
            self._leave()
            self._unregister()
            self._fault(0x000, 2)
            self._say(3, "scode.c:hpt_scode_npf:1193",
                      "EU_CHK( hpt_error_wasInsnFetch(vcpu, errorcode)) failed")
            return FATAL + "\n"
        self._register()
        if end == FAULT_CODE:
            self._fault(0x006, 4)
            self._say(0, "scode.c:scode_in_list:199",
                      f"no matching scode found for gvaddr {self._address()}!")
            self._say(3, "scode.c:hpt_scode_npf:1229", "incorrect regular code EPT configuration!")
            return FATAL + "\n"
        if end in (PAGES, PAGES_CUT):
            return "\nVM-ENTRY erro" if end == PAGES_CUT else ""
        self._enter()
        if end in (RUN, RUN_ERROR):
            return ERROR if end == RUN_ERROR else "\n"
        self._leave()
        return "\nCPU(0x0" if end == RELEASED else DUMP + "GDTR base:limit=0xfffffe0000077000:0x007f"

    def _say(self, level: int, site: str, message: str) -> None:
        self.lines.append(f"TV[{level}]:{site}:".ljust(51) + message)

    def _address(self) -> str:
        return f"0x{self.random.randrange(1 << 20) << 12 | 6:x}"

    def _boot(self) -> None:
        self.lines += ["extensible hypervisor v6.1.0", "Build revision: 050a", "", "INIT(early): 3 modules"]
        for cpu in range(4):
            self.lines += [f"CPU(0x{cpu:02x}): VMCLEAR success.", f"CPU(0x{cpu:02x}): VMPTRLD success."]
        for _ in range(self.random.randrange(30, 60)):
            self.lines.append(f"CPU(0x00): INT 15(e820): AX=0xe820, DI={self._address()}")
        for cpu in range(4):
            self._say(0, "scode.c:scode_register:508", f"cpu {cpu} setting root pm from {self._address()}")

    def _register(self) -> None:
        cpu, random_ = self.random.randrange(4), self.random
        self._say(0, "scode.c:scode_register:525", "*** scode register ***")
        self._say(0, "scode.c:scode_register:529",
                  f"CPU(0x{cpu:02x}): add to whitelist, scode_info {self._address()}")
        for section in range(4):
            self._say(0, "pt.c:scode_lend_section:209",
                      f"Mapping from {random_.randrange(1 << 32):016x}, size 4096")
            self._say(0, "pt.c:scode_lend_section:236",
                      f"got pme {random_.randrange(1 << 32):016x}, level 1, type 2")
            if section == 0 or random_.random() < 0.2:
                self._pages(1)
        self._say(2, "scode.c:scode_register:623", "skipping scode_clone_gdt")
        self._say(0, "scode.c:scode_register:647", "generated pme for return gva address 4: lvl:1 5")
        self._pages(2)

    def _pages(self, count: int) -> None:
        for used in range(4, 4 + count):
            self._say(0, "pages.c:pagelist_get_page:72", f"num_used:{used} num_alocd:127")

    def _fault(self, offset: int, code: int) -> None:
        page, cpu = self.random.randrange(1 << 20) << 12 | offset, self.random.randrange(4)
        self._say(0, "appmain.c:tv_app_handleintercept_hwpgtblviolation:584",
                  f"CPU(0x{cpu:02x}): gva=0x{page:x}, gpa=0x{page & 0xfffffff:x}, code=0x{code:x}")
        self._say(0, "scode.c:hpt_scode_npf:1190",
                  f"CPU({cpu:02}): nested page fault!(rip 0x{page:x}, errorcode {code})")

    def _enter(self) -> None:
        self._fault(0x006, 4)
        self._say(0, "scode.c:hpt_scode_switch_scode:921", "got pal_running lock!")
        self._say(0, "scode.c:scode_marshall:831", "copying param 0")
        self._say(0, "scode.c:hpt_scode_switch_scode:949",
                  f"host stack pointer before running scode is {self._address()}")
        self._say(0, "scode.c:hpt_scode_switch_scode:954", "change NPT permission to run PAL!")

    def _leave(self) -> None:
        self._fault(0x004, 4)
        self._say(0, "scode.c:hpt_scode_switch_regular:1134", "change NPT permission to exit PAL!")
        self._say(0, "scode.c:hpt_scode_switch_regular:1147",
                  f"stack pointer before exiting scode is {self._address()}")
        self._say(0, "scode.c:hpt_scode_switch_regular:1154", "released pal_running lock!")

    def _unregister(self) -> None:
        self._say(0, "scode.c:scode_unregister:706", "*** scode unregister ***")
        self._say(1, "scode.c:scode_unregister:723", "  npf total: 0 count: 0")
        for section in (1, 2, 3):
            self._say(0, "scode.c:scode_unregister:740", f"zeroing section {section}")
