"""`make stress SCHEDULER=...`: a Dask cluster on the loopback, with boots that only say that they ran."""

from __future__ import annotations

import argparse
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator

import pytest
from rich.console import Console

from ci import image, stress, stress_workers
from ci.stress_db import Campaigns

pytest.importorskip("distributed", reason="python3-distributed is not installed")
SECONDS = 20  # that a test may take
BOOTS = 6
# In the place of Python: `python -m ci.stress_boot DIR`. It notes the boot and the worker, and passes, unless
# the boot is held.
FAKE = """#!/bin/sh
boot=${3##*-}
echo "$boot $PPID" >> %(where)s/started
while [ -e %(where)s/hold-$boot ]; do sleep 0.05; done
echo '{"verdict": "pass", "counts": {"demo": 1}}'
"""


class Cluster:
    """A scheduler and two workers, each a process of its own."""

    def __init__(self, where: Path) -> None:
        self.where, self._file = where, where / "scheduler.json"
        self.processes: list[subprocess.Popen[bytes]] = []
        self.address = ""

    def start(self) -> None:
        fake, preload = self.where / "python", self.where / "preload.py"
        fake.write_text(FAKE % {"where": self.where})
        fake.chmod(0o755)
        preload.write_text(f"import sys\nsys.executable = {str(fake)!r}\n")
        self._start("scheduler", "--port", "0", "--host", "127.0.0.1")
        for _ in range(2):
            self._start("worker", "--nthreads", "1", "--no-nanny", "--memory-limit", "0",
                        "--local-directory", str(self.where), "--preload", str(preload))
        self.await_(lambda: (self.where / "said").read_text().count("Registered to:") >= 2)
        self.address = str(json.loads(self._file.read_text())["address"])

    def _start(self, what: str, *words: str) -> None:
        command = ["setpriv", "--pdeathsig", "KILL", sys.executable, "-m", f"distributed.cli.dask_{what}",
                   "--scheduler-file", str(self._file), "--no-dashboard", "--dashboard-address", ":0", *words]
        with (self.where / "said").open("ab") as said:
            self.processes.append(subprocess.Popen(command, cwd=image.ROOT, stdin=subprocess.DEVNULL,
                                                   stdout=said, stderr=said))

    def end(self) -> None:
        for process in reversed(self.processes):
            process.kill()
            process.wait()

    def forget(self) -> None:
        """What was begun, and what is held."""
        for path in (self.where / "started", *self.where.glob("hold-*")):
            path.unlink(missing_ok=True)

    def hold(self, boot: int) -> None:
        (self.where / f"hold-{boot}").touch()

    def release(self, boot: int) -> None:
        (self.where / f"hold-{boot}").unlink()

    def started(self) -> list[tuple[int, int]]:
        """Each boot that was begun, with the worker's process."""
        path = self.where / "started"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(line.split()[0]), int(line.split()[1])) for line in lines]

    def at_work(self) -> bool:
        """Does a worker run a boot?"""
        tasks = (Path(f"/proc/{worker.pid}/task/").glob("*/children") for worker in self.processes[1:])
        return any(path.read_text().split() for paths in tasks for path in paths)

    def await_(self, seen: Callable[[], bool]) -> None:
        while not seen():
            time.sleep(0.05)


@contextmanager
def in_time(where: Path) -> Iterator[None]:
    """Whatever the cluster does, the test ends."""
    def late(*_: object) -> None:
        raise TimeoutError(f"more than {SECONDS} s; the cluster said: {(where / 'said').read_text()}")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """For all tests: it takes seconds to start. The later ones end parts of it."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        with in_time(made.where):
            made.start()
        yield made
    finally:
        made.end()


@pytest.fixture
def cluster(one: Cluster, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    monkeypatch.setattr(stress, "build_id", lambda: "00")
    one.forget()
    with in_time(one.where):
        yield one


def given(cluster: Cluster) -> argparse.Namespace:
    return stress.arguments(["--boots", str(BOOTS), "--scheduler", cluster.address])


def test_an_interruption_ends_the_boots(cluster: Cluster, tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    for boot in (2, 3):
        cluster.hold(boot)

    def interrupt() -> None:
        cluster.await_(lambda: {2, 3} <= set(dict(cluster.started())))
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        stress.campaign(given(cluster), campaigns, Console(file=io.StringIO()))
    assert [boot for boot, _ in campaigns.results(1)] == [1]
    cluster.await_(lambda: not cluster.at_work())
    for boot in (2, 3):
        cluster.release(boot)
    assert stress.campaign(given(cluster), campaigns, Console(file=io.StringIO())) == 0
    assert Counter(boot for boot, _ in cluster.started()) == {1: 1, 2: 2, 3: 2, 4: 1, 5: 1, 6: 1}


def test_a_worker_that_dies(cluster: Cluster, tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    cluster.hold(2)

    def kill() -> None:
        cluster.await_(lambda: 2 in dict(cluster.started()))
        worker = dict(cluster.started())[2]
        next(process for process in cluster.processes if process.pid == worker).kill()
        cluster.release(2)

    threading.Thread(target=kill, daemon=True).start()
    screen = io.StringIO()
    assert stress.campaign(given(cluster), campaigns, Console(file=screen, width=300)) == 0
    outcomes = dict(campaigns.results(1))
    assert sorted(outcomes) == list(range(1, BOOTS + 1))
    assert {outcome.verdict for outcome in outcomes.values()} == {"pass"}
    assert Counter(boot for boot, _ in cluster.started()) == {**dict.fromkeys(outcomes, 1), 2: 2}
    assert screen.getvalue().count("runs again") == 1, screen.getvalue()


def test_a_scheduler_that_dies(cluster: Cluster, tmp_path: Path) -> None:
    campaigns = Campaigns(tmp_path / "c.sqlite")
    cluster.hold(2)

    def kill() -> None:
        cluster.await_(lambda: 2 in dict(cluster.started()))
        cluster.processes[0].kill()

    threading.Thread(target=kill, daemon=True).start()
    with pytest.raises(stress_workers.StressError, match="has gone"):
        stress.campaign(given(cluster), campaigns, Console(file=io.StringIO()))
    assert 2 in [job.boot for job in campaigns.pending(1)]
