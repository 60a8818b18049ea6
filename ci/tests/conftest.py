"""Close with the line that every suite of ours closes with."""

from __future__ import annotations

from typing import Any

import pytest

counts = {"passed": 0, "failed": 0, "skipped": 0}


def pytest_terminal_summary(terminalreporter: Any) -> None:
    stats = terminalreporter.stats
    for name in counts:
        counts[name] = len(stats.get(name, []))
    counts["failed"] += len(stats.get("error", []))


def pytest_unconfigure(config: pytest.Config) -> None:
    skipped = f", {counts['skipped']} skipped" if counts["skipped"] else ""
    print(f"{counts['passed']} passed, {counts['failed']} failed{skipped}")
