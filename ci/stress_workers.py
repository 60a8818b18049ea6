"""Who runs the boots of a campaign: threads here, each with a process, or the workers of a Dask cluster.

No more boots are under way than there are threads: a worker that dies takes its own boot along, and none that
only waited for its turn there.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol

from ci.stress_boot import end_running, run_job
from ci.stress_db import Job, Outcome

SECONDS = 10  # that a Dask scheduler gets to answer


class StressError(Exception):
    """The campaign cannot be run; the text says why."""


class Workers(Protocol):
    """Where boots run."""

    def room(self) -> int:
        """How many boots may be under way."""

    def run(self, job: Job, where: str) -> Future[Outcome]:
        """One more boot."""

    def close(self) -> None:
        """Ends the boots that are under way, too."""


class Threads:
    """Of this process."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count)

    def room(self) -> int:
        return self._count

    def run(self, job: Job, where: str) -> Future[Outcome]:
        return self._pool.submit(run_job, job, where)

    def close(self) -> None:
        end_running()
        self._pool.shutdown(wait=False)


class Cluster:
    """The workers of a Dask scheduler."""

    def __init__(self, address: str) -> None:
        try:
            from distributed import Client
        except ImportError:
            raise StressError("SCHEDULER needs Dask: apt-get install python3-distributed") from None
        logging.disable(logging.CRITICAL)  # Dask's: its tracebacks tell what is told here in a line
        self._address = address
        try:
            self._client: Any = Client(address, timeout=SECONDS)
        except (OSError, ValueError) as error:
            raise StressError(f"no Dask scheduler answers at {address}: {error}") from None
        try:
            self._client.wait_for_workers(1, timeout=SECONDS)
            self._client.run(end_running)  # what a runner that was killed has left
        except (ImportError, OSError) as error:
            self._client.close()
            raise StressError(f"{address} has no workers that were started in this tree: {error}") from None
        # Else the scheduler itself runs a boot again whose worker died, three times, and says nothing.
        self._client.run_on_scheduler(lambda dask_scheduler: setattr(dask_scheduler, "allowed_failures", 0))
        # Not pure: Dask answers a pure call that it knows, so a boot that runs again, from what it remembers.
        self._executor = self._client.get_executor(pure=False)

    def room(self) -> int:
        """Workers come and go. With none of them left, a boot waits for one to come."""
        try:
            if self._client.status == "running":
                return sum(self._client.nthreads().values()) or 1
        except OSError:
            pass
        raise StressError(f"the Dask scheduler at {self._address} has gone")

    def run(self, job: Job, where: str) -> Future[Outcome]:
        future: Future[Outcome] = self._executor.submit(run_job, job, where)
        return future

    def close(self) -> None:
        if self._client.status != "running":
            return  # it tries to reach its scheduler, until this process ends
        with suppress(OSError):
            self._executor.shutdown(wait=False)
            self._client.run(end_running, on_error="ignore")  # Dask stops nothing that a worker has begun
        self._client.close(timeout=SECONDS)
