"""What the parts of the bench share: programs that may not be there."""

from __future__ import annotations

import subprocess
from typing import Any


class Skip(Exception):
    """Something is not there; the text says what, and what would mend it."""


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, check=True, text=True, capture_output=True, **options)
    except FileNotFoundError as error:
        raise Skip(f"{command[0]} is not installed: ci/deps.sh packages.bench") from error
    except subprocess.CalledProcessError as error:
        raise Skip(f"{command[0]} failed: {error.stderr.strip()[-200:]}") from error
