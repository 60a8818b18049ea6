"""Triage: many captures in, a table of how they ended out. See README.md."""
from .cli import main

__all__ = ["main"]
