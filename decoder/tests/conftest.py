"""Settings of all tests: runs that can be repeated, files under build/ only, and a last line that `make
test` adds up.
"""
from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

ROOT = Path(__file__).resolve().parents[2]
set_hypothesis_home_dir(str(ROOT / "build" / "hypothesis"))     # type: ignore[no-untyped-call]
settings.register_profile("decoder", deadline=None, derandomize=True, max_examples=50)
settings.load_profile("decoder")


def pytest_unconfigure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    count = {kind: len(reporter.stats.get(kind, [])) for kind in ("passed", "failed", "error", "skipped")}
    skipped = f", {count['skipped']} skipped" if count["skipped"] else ""
    print(f"{count['passed']} passed, {count['failed'] + count['error']} failed{skipped}")
