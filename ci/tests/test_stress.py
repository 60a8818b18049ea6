"""The campaign file, the table, and what becomes of a boot whose worker dies."""

from __future__ import annotations

import argparse
import io
import sqlite3
import sys
import time
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from ci import stress, stress_boot
from ci.session import Session
from ci.stress_db import VERSION, CampaignError, Campaigns, Job, Outcome
from ci.stress_table import change, rows, totals
from ci.stress_workers import StressError, Threads
from ci.verdict import Seen, Verdict

MACHINE = {"cpus": 4, "memory": 1024, "options": "", "log": "sync", "loops": 3, "storm": "all",
           "core": "hypervisor"}
JOB = Job(1, 7, 4, 1024, "", "sync", 3, "all", "hypervisor")


def begin(campaigns: Campaigns, boots: int = 3, seed: int = 1) -> tuple[int, bool]:
    return campaigns.begin({"build": "00"}, [MACHINE, {**MACHINE, "cpus": 1}], boots, seed)


def test_a_campaign_goes_on_where_it_was(tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    number, goes_on = begin(campaigns)
    jobs = campaigns.pending(number)
    assert not goes_on and [job.cpus for job in jobs] == [4, 1, 4] and len({job.seed for job in jobs}) == 3
    outcome = Outcome("fail", "why", "sign", 1.0, 2.0, None, {"nmis_sent": 5}, "there")
    campaigns.record(jobs[0].boot, outcome)
    campaigns.close()
    campaigns = Campaigns(tmp_path / "c.sqlite")
    assert begin(campaigns) == (number, True)
    assert campaigns.pending(number) == jobs[1:]
    assert campaigns.results(number) == [(jobs[0].boot, outcome)]
    assert campaigns.job(jobs[0].boot) == jobs[0]  # the same seed and machine


def test_other_parameters_or_a_finished_one_make_a_new_campaign(tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    first, _ = begin(campaigns)
    assert begin(campaigns, seed=2) == (first + 1, False)
    assert campaigns.before(first + 1) is None
    campaigns.finish(first + 1)
    third, goes_on = begin(campaigns, seed=2)
    assert not goes_on and campaigns.before(third) == first + 1
    seeds = [{job.seed for job in campaigns.pending(number)} for number in (first + 1, third)]
    assert not seeds[0] & seeds[1]


def test_an_unfinished_campaign_goes_on_behind_another(tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    first, _ = begin(campaigns)
    second, _ = begin(campaigns, seed=2)
    campaigns.finish(second)
    assert begin(campaigns) == (first, True)


@pytest.fixture(name="here")
def fixture_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where `make stress` works, with a build."""
    monkeypatch.setattr(stress, "HERE", tmp_path)
    monkeypatch.setattr(stress, "build_id", lambda: "00")
    monkeypatch.setattr(sys, "argv", ["stress", "--boots", "3"])
    return tmp_path


def test_a_full_disk_is_a_line_and_loses_nothing(here: Path, monkeypatch: pytest.MonkeyPatch,
                                                 capsys: pytest.CaptureFixture[str]) -> None:
    record = Campaigns.record

    def until_full(campaigns: Campaigns, boot: int, outcome: Outcome) -> None:
        if boot > 1:
            raise sqlite3.OperationalError("database or disk is full")
        record(campaigns, boot, outcome)

    workers = Instant(Outcome("pass"), Outcome("pass"))
    monkeypatch.setattr(stress, "workers_for", lambda given: workers)
    monkeypatch.setattr(Campaigns, "record", until_full)
    assert stress.main() == 2 and workers.closed
    said = capsys.readouterr().err
    assert "disk is full; once that is mended" in said and said.count("\n") == 1
    campaigns = Campaigns(here / "campaign.sqlite")
    assert [boot for boot, _ in campaigns.results(1)] == [1] and len(campaigns.pending(1)) == 2


@pytest.mark.parametrize("build, warns", [("00", False), ("01", True)])
def test_again_of_another_build(here: Path, monkeypatch: pytest.MonkeyPatch, build: str, warns: bool,
                                capsys: pytest.CaptureFixture[str]) -> None:
    begin(Campaigns(here / "campaign.sqlite"))  # of build 00
    monkeypatch.setattr(stress, "build_id", lambda: build)
    monkeypatch.setattr(stress, "run_job", lambda job, where: Outcome("pass"))
    monkeypatch.setattr(sys, "argv", ["stress", "--again", "2"])
    assert stress.main() == 0
    assert ("boot 2 was of another build" in capsys.readouterr().out) == warns


def test_a_lost_boot_runs_again(tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    number, _ = begin(campaigns, 1)
    job, = campaigns.pending(number)
    campaigns.record(job.boot, Outcome("lost"))
    assert campaigns.pending(number) == [job]


def test_bad_files_are_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    Campaigns(path).close()
    other = sqlite3.connect(path)
    other.execute(f"PRAGMA user_version = {VERSION + 1}")
    other.close()
    with pytest.raises(CampaignError, match=f"version {VERSION + 1}, not {VERSION}; move it away"):
        Campaigns(path)
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(CampaignError, match="move it away"):
        Campaigns(path)
    assert path.read_bytes().startswith(b"no database")
    strange = sqlite3.connect(tmp_path / "d.sqlite")
    strange.execute("CREATE TABLE mine (x)")
    strange.close()
    with pytest.raises(CampaignError, match="not a campaign file"):
        Campaigns(tmp_path / "d.sqlite")


def some(name: str, count: int, first: int) -> list[tuple[int, Outcome]]:
    outcome = Outcome("pass") if name == "pass" else Outcome("hang", signature=name)
    return [(first + i, outcome) for i in range(count)]


def test_the_table() -> None:
    before = some("pass", 90, 1) + some("old", 5, 91) + some("both", 5, 96)
    found = rows(some("new", 2, 201) + some("pass", 95, 203) + some("both", 3, 298), before)
    assert [(row.signature, row.count, row.example) for row in found] == \
        [("pass", 95, 203), ("both", 3, 298), ("new", 2, 201), ("old", 0, 0)]
    assert [row.change for row in found] == ["same, was 90/100", "same, was 5/100", "NEW", "gone, was 5/100"]
    low, high = found[2].interval  # 2 of 100: 0.55% to 7.0% by Wilson
    assert abs(low - 0.0055) < 0.0005 and abs(high - 0.0700) < 0.0005


def test_change_needs_intervals_that_do_not_touch() -> None:
    assert change(30, 100, 5, 100) == "more, was 5/100"
    assert change(5, 100, 30, 100) == "less, was 30/100"
    assert change(8, 100, 5, 100) == "same, was 5/100"
    assert change(8, 100, 0, 0) == ""


def test_totals() -> None:
    assert totals([(1, Outcome("pass", counts={"a": 1, "b": 2})), (2, Outcome("pass", counts={"a": 3}))]) == \
        {"a": 4, "b": 2}


class Instant:
    """Runs at once, by a script of what each call gives."""

    def __init__(self, *script: object) -> None:
        self._script = list(script)
        self.closed = False

    def room(self) -> int:
        return 1

    def run(self, job: Job, where: str) -> Future[Outcome]:
        future: Future[Outcome] = Future()
        said = self._script.pop(0)
        if isinstance(said, Outcome):
            future.set_result(said)
        elif isinstance(said, Exception):
            future.set_exception(said)
        else:
            raise KeyboardInterrupt
        return future

    def close(self) -> None:
        self.closed = True


def test_a_boot_whose_worker_dies_runs_again_once(tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    number, _ = begin(campaigns, 1)
    screen = Console(file=io.StringIO(), width=200)
    dies_once = Instant(RuntimeError("killed"), Outcome("pass"))
    stress.work(campaigns, campaigns.pending(number), dies_once, screen)
    assert campaigns.results(number)[0][1].verdict == "pass"
    number, _ = begin(campaigns, 1, seed=2)
    stress.work(campaigns, campaigns.pending(number), Instant(Outcome("lost"), Outcome("lost")), screen)
    assert campaigns.results(number)[0][1].verdict == "lost" and campaigns.pending(number)


def test_an_interruption_ends_the_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workers, campaigns = Instant(Outcome("pass"), None), Campaigns(tmp_path / "c.sqlite")
    monkeypatch.setattr(stress, "build_id", lambda: "00")
    monkeypatch.setattr(stress, "workers_for", lambda given: workers)
    with pytest.raises(KeyboardInterrupt):
        stress.campaign(stress.arguments(["--boots", "3"]), campaigns, Console(file=io.StringIO()))
    assert workers.closed and len(campaigns.results(1)) == 1 and len(campaigns.pending(1)) == 2


def test_closed_threads_end_their_boots(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = tmp_path / "python"
    fake.write_text("#!/bin/sh\nexec sleep 60\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    threads = Threads(1)
    future = threads.run(JOB, str(tmp_path))
    while not stress_boot.RUNNING:
        time.sleep(0.01)
    threads.close()
    assert future.result(timeout=10).verdict == "lost"


@pytest.mark.parametrize("code, says", [("import os; os.kill(os.getpid(), 9)", "SIGKILL"),
                                        ("raise SystemExit('no room')", "status 1: no room")])
def test_how_a_worker_ended_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str,
                                    says: str) -> None:
    fake = tmp_path / "python"
    fake.write_text(f"#!/bin/sh\nexec {sys.executable} -c \"{code}\"\n")
    fake.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(fake))
    outcome = stress_boot.run_job(JOB, str(tmp_path))
    assert outcome.verdict == "lost" and outcome.why.endswith(says)


def autopsy(tmp_path: Path, **seen: Any) -> stress_boot.Autopsy:
    made = stress_boot.Autopsy(JOB, tmp_path)
    for name, value in seen.items():
        setattr(made, name, value)
    return made


def test_decide(tmp_path: Path) -> None:
    seen = Seen(console=["x"], log=[], result=0, guest_started=True, shutdown="host-qmp-quit")
    over = autopsy(tmp_path, shutdown="guest-shutdown")
    assert stress_boot.decide(seen, over, []).passed
    assert stress_boot.decide(replace(seen, frames_lost=1), over, []) == Verdict("fail", "1 log frames lost")
    failed = stress_boot.decide(replace(seen, result=1), over, ["FAIL storm: 7 NMIs"])
    assert failed == Verdict("fail", "FAIL storm: 7 NMIs")
    none = replace(seen, result=None)
    assert stress_boot.decide(none, autopsy(tmp_path, timed_out=True), []).kind == "hang"
    assert stress_boot.decide(none, autopsy(tmp_path, shutdown="guest-reset"), []).kind == "reset"
    assert "panic" in stress_boot.decide(none, autopsy(tmp_path, panicked=True), []).why


class Machine:
    """A QEMU and its QMP that fall silent after `looks` looks, and may refuse the dump."""

    def __init__(self, looks: int, *errors: str) -> None:
        self.qmp, self.errors, self.shutdown = self, list(errors), "guest-reset"
        self._looks = looks
        self.commands: list[str] = []

    def alive(self) -> bool:
        self._looks -= 1
        return self._looks > 0

    def poll(self) -> None:
        pass

    def command(self, name: str, **arguments: object) -> None:
        self.commands.append(name)


@pytest.mark.parametrize("qemu, says", [(Machine(3), "did not answer in time"),
                                        (Machine(3, "disk full"), "disk full")])
def test_no_core_is_told_and_the_rest_goes_on(tmp_path: Path, qemu: Machine, says: str) -> None:
    session: Any = Session(stress_boot.machine(JOB), tmp_path)
    session.qemu = qemu
    made = autopsy(tmp_path)
    made.look(session)
    made.look(session)  # of no effect: it is over
    assert qemu.commands == ["set-action", "stop", "dump-guest-memory", "quit"]
    assert says in made.complaint and made.shutdown == "guest-reset"


def test_signatures_without_numbers(tmp_path: Path) -> None:
    assert stress_boot.signature(Verdict("fail", "7 NMIs counted, 12 sent"), tmp_path / "absent") == \
        "fail: N NMIs counted, N sent"


@pytest.mark.parametrize("words", [["--storm", "rain"], ["--cpus", "0"], ["--cpus", "4,33"],
                                   ["--boots", "0"], ["--logs", "sync,late"], ["--options", "log=async"]])
def test_bad_parameters(words: list[str]) -> None:
    with pytest.raises(SystemExit):
        stress.arguments(words)


def test_parameters() -> None:
    given = stress.arguments(["--cpus", "1,2", "--storm", "nmi,log"])
    assert given.cpus == [1, 2] and given.storm == "nmi,log"


def test_turns() -> None:
    assert stress.turns([1, 2, 4], ["sync", "async"]) == [
        (1, "sync"), (2, "async"), (4, "sync"), (1, "async"), (2, "sync"), (4, "async")]
    assert stress.turns([2, 4], ["sync", "async"]) == [(2, "sync"), (4, "async"), (2, "async"), (4, "sync")]
    assert stress.turns([4], ["sync"]) == [(4, "sync")]


def test_nmis_from_outside() -> None:
    with_nmis = stress_boot.machine(JOB)
    assert with_nmis.actions and with_nmis.command.startswith("EXTERNAL=") and "log=sync" in with_nmis.options
    without = stress_boot.machine(replace(JOB, storm="register,log"))
    assert not without.actions and without.command.startswith("/pal/storm")
    counted = {"nmis_sent": 100, "nmis_counted": 150, "nmis_injected": 60}
    assert not stress_boot.outside(counted)
    assert stress_boot.outside({**counted, "nmis_counted": 161}) == \
        "61 NMIs came from outside, and 60 were injected"


def test_no_scheduler() -> None:
    pytest.importorskip("distributed", reason="python3-distributed is not installed")
    with pytest.raises(StressError, match="no Dask scheduler answers at nonsense://"):
        stress.workers_for(argparse.Namespace(scheduler="nonsense://x", jobs=1))


def test_one_runner_at_a_time(tmp_path: Path) -> None:
    with stress.alone(tmp_path), pytest.raises(StressError, match="at work"), stress.alone(tmp_path):
        pass
