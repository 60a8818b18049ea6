"""Each way in which a run can end gets its own name."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ci.machine import Expect
from ci.verdict import Seen, judge

GOOD = Seen(console=["BRAID-INIT", "RESULT 0"], log=["registered"], result=0, guest_started=True,
            shutdown="guest-shutdown")


@pytest.mark.parametrize("seen, expect, kind, why", [
    (GOOD, Expect(), "pass", ""),
    (replace(GOOD, result=3), Expect(result=3), "pass", ""),
    (replace(GOOD, result=3), Expect(), "fail", "ended with 3, not 0"),
    (replace(GOOD, result=None, timed_out=True), Expect(), "hang", "RESULT 0"),
    (replace(GOOD, timed_out=True, shutdown=None), Expect(), "hang", "powered off"),
    (replace(GOOD, result=None, shutdown="guest-reset"), Expect(), "reset", "guest-reset"),
    (replace(GOOD, shutdown="guest-reset"), Expect(), "reset", "guest-reset"),
    (replace(GOOD, objections=["VMENTER FAIL: RFLAGS[1] cleared"]), Expect(), "fail", "RFLAGS"),
    (replace(GOOD, objections=["VMENTER FAIL: RFLAGS"]), Expect(objections=("FAIL: RFLAGS",)), "pass", ""),
    (replace(GOOD, objections=["a: x", "b: x"]), Expect(objections=("a:",)), "fail", "objects: b: x"),
    (GOOD, Expect(objections=("FAIL",)), "fail", "does not object: /FAIL/"),
    (replace(GOOD, result=None, panic="Kernel panic: x"), Expect(), "reset", "Kernel panic: x"),
    (GOOD, Expect(log=("^reg", "absent")), "fail", "log has no /absent/"),
    (GOOD, Expect(console=("absent",)), "fail", "console has no /absent/"),
    (GOOD, Expect(not_log=("regist",)), "fail", "log has /regist/"),
    (replace(GOOD, log=["cpu0 1", "cpu1 1", "cpu0 2"]), Expect(series=(r"(cpu.) (\d)",)), "pass", ""),
    (replace(GOOD, log=["cpu0 1", "cpu1 1", "cpu0 3"]), Expect(series=(r"(cpu.) (\d)",)), "fail", "'cpu0 3'"),
    (GOOD, Expect(series=(r"cpu (\d)",)), "fail", "log has no"),
    (replace(GOOD, frames_lost=2), Expect(), "fail", "2 log frames lost"),
    (replace(GOOD, frames_lost=2), Expect(frames_lost=None), "pass", ""),
    (replace(GOOD, not_injected=9), Expect(), "fail", "last 9 NMIs"),
    (GOOD, Expect(result=None, guest=False), "fail", "none should have been"),
    (GOOD, Expect(result=None), "fail", "Braid should have stopped"),
    (replace(GOOD, result=None), Expect(result=None, log=("reg",)), "pass", ""),
    (Seen(console=[], log=["no SVM"]), Expect(result=None, guest=False, log=("SVM",)), "pass", ""),
    (Seen(console=[], log=[], timed_out=True), Expect(result=None, log=("SVM",)), "fail", "/SVM/"),
])
def test_judge(seen: Seen, expect: Expect, kind: str, why: str) -> None:
    verdict = judge(seen, expect)
    assert verdict.kind == kind and why in verdict.why
