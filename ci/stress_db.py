"""The campaign file of `make stress`: an SQLite database, a campaign a row and a boot a row.

A boot is written down before it runs and again when it has ended, each in a transaction of its own: whatever
is killed, what has ended is kept, and what has not is `pending` and runs again when the campaign goes on.
A campaign that is unfinished goes on if it is asked for with the same parameters and build.
"""

from __future__ import annotations

import json
import random
import sqlite3
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Mapping, Optional, Sequence

APPLICATION = 0x42726169  # "Brai": SQLite's field for whose file it is
VERSION = 2

TABLES = """
CREATE TABLE campaign (
    id INTEGER PRIMARY KEY,
    parameters TEXT NOT NULL,   -- JSON: all that makes a campaign another one
    started REAL NOT NULL,
    finished REAL
);
CREATE TABLE boot (
    id INTEGER PRIMARY KEY,
    campaign INTEGER NOT NULL REFERENCES campaign (id),
    seed INTEGER NOT NULL,
    machine TEXT NOT NULL,      -- JSON: cpus, memory, options, log, loops, storm, core
    verdict TEXT NOT NULL,      -- pending; as in ci/verdict.py; lost: its worker died
    why TEXT NOT NULL DEFAULT '',
    signature TEXT NOT NULL DEFAULT '',
    started REAL,               -- seconds since 1970
    seconds REAL,               -- from power-on to the end
    boot_seconds REAL,          -- kernel entry to /init
    counts TEXT NOT NULL DEFAULT '{}',  -- JSON: what the storm and the log counted
    capture TEXT NOT NULL DEFAULT ''    -- the directory that is kept, of a failure
);
"""


class CampaignError(Exception):
    """The campaign file cannot be used; the text says why, and what mends it."""


@dataclass(frozen=True)
class Job:
    """One boot, as plain data: it crosses processes and machines."""
    boot: int
    seed: int
    cpus: int
    memory: int
    options: str
    log: str  # sync, async
    loops: int
    storm: str
    core: str  # hypervisor, all: what is dumped of a failure


@dataclass(frozen=True)
class Outcome:
    """What became of a boot."""
    verdict: str
    why: str = ""
    signature: str = ""
    started: float = 0.0
    seconds: float = 0.0
    boot_seconds: Optional[float] = None
    counts: Mapping[str, int] = field(default_factory=dict)
    capture: str = ""


class Campaigns:
    """The open file. One process writes it: the runner."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, timeout=5.0, isolation_level=None)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise CampaignError(f"{path}: {error}; move it away to begin a new one") from None

    def _open(self) -> None:
        version = self._db.execute("PRAGMA user_version").fetchone()[0]
        application = self._db.execute("PRAGMA application_id").fetchone()[0]
        empty = not self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if empty and not version:
            self._db.executescript(f"BEGIN; {TABLES} PRAGMA user_version = {VERSION};"
                                   f" PRAGMA application_id = {APPLICATION}; COMMIT;")
        elif application != APPLICATION:
            raise sqlite3.DatabaseError("not a campaign file")
        elif version != VERSION:
            raise sqlite3.DatabaseError(f"a campaign file of version {version}, not {VERSION}")

    def close(self) -> None:
        self._db.close()

    def begin(self, parameters: Mapping[str, Any], machines: Sequence[Mapping[str, Any]],
              boots: int, seed: int) -> tuple[int, bool]:
        """The campaign to work on, and whether it is one that goes on. `machines` take turns."""
        asked = {**parameters, "machines": machines, "boots": boots, "seed": seed}
        text = json.dumps(asked, sort_keys=True)
        same = self._db.execute("SELECT id FROM campaign WHERE parameters = ? AND finished IS NULL"
                                " ORDER BY id DESC", (text,)).fetchone()
        if same:
            return int(same[0]), True
        with self._transaction():
            number = self._db.execute("INSERT INTO campaign (parameters, started) VALUES (?, ?)",
                                      (text, time.time())).lastrowid
            draw = random.Random(f"{seed} {number}")
            self._db.executemany(
                "INSERT INTO boot (campaign, seed, machine, verdict) VALUES (?, ?, ?, 'pending')",
                [(number, draw.randrange(1, 1 << 31), json.dumps(machines[i % len(machines)], sort_keys=True))
                 for i in range(boots)])
        assert number is not None
        return number, False

    def _transaction(self) -> _Transaction:
        return _Transaction(self._db)

    def pending(self, campaign: int) -> list[Job]:
        """The boots that have not ended, in order."""
        rows = self._db.execute("SELECT id, seed, machine FROM boot WHERE campaign = ? AND verdict IN"
                                " ('pending', 'lost') ORDER BY id", (campaign,))
        return [Job(boot, seed, **json.loads(machine)) for boot, seed, machine in rows]

    def job(self, boot: int) -> Job:
        """A boot of any campaign, to run again."""
        row = self._db.execute("SELECT seed, machine FROM boot WHERE id = ?", (boot,)).fetchone()
        if row is None:
            raise CampaignError(f"{self.path} has no boot {boot}")
        return Job(boot, row[0], **json.loads(row[1]))

    def build(self, boot: int) -> str:
        """The build-id that a boot had."""
        row = self._db.execute("SELECT parameters FROM campaign JOIN boot ON campaign.id = boot.campaign"
                               " WHERE boot.id = ?", (boot,)).fetchone()
        return str(json.loads(row[0])["build"])

    def record(self, boot: int, outcome: Outcome) -> None:
        """On disk when this returns."""
        values: dict[str, Any] = asdict(outcome)
        values["counts"] = json.dumps(values["counts"], sort_keys=True)
        names = ", ".join(f"{name} = :{name}" for name in values)
        self._db.execute(f"UPDATE boot SET {names} WHERE id = :boot", {**values, "boot": boot})

    def finish(self, campaign: int) -> None:
        """No boot is pending any more."""
        self._db.execute("UPDATE campaign SET finished = ? WHERE id = ?", (time.time(), campaign))

    def results(self, campaign: int) -> list[tuple[int, Outcome]]:
        """The boots that have ended, by number."""
        rows = self._db.execute("SELECT id, verdict, why, signature, started, seconds, boot_seconds, counts,"
                                " capture FROM boot WHERE campaign = ? AND verdict != 'pending' ORDER BY id",
                                (campaign,))
        return [(row[0], Outcome(row[1], row[2], row[3], row[4], row[5], row[6], json.loads(row[7]), row[8]))
                for row in rows]

    def before(self, campaign: int) -> Optional[int]:
        """The last campaign before this one that was finished."""
        row = self._db.execute("SELECT max(id) FROM campaign WHERE id < ? AND finished IS NOT NULL",
                               (campaign,)).fetchone()
        return None if row[0] is None else int(row[0])


class _Transaction:
    """All or nothing."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def __enter__(self) -> None:
        self._db.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self._db.execute("ROLLBACK" if kind else "COMMIT")
