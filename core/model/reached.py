"""Which steps of the model no search has taken.

A step is one of spin's transitions: one access, or one d_step. spin's own list of unreached states does not do:
it takes a guard that was never true for reached. So the searches are compiled with -DPEG, which counts the
steps that were taken, and the steps that there are come from `pan -d`. A step of an inline that is used in
several places, or by both vendors, has to be taken in one of them.
"""

import re
import subprocess
from pathlib import Path

# STEP: its number, the line where its choice begins, and what it does (a d_step: the line where it begins).
STEP = re.compile(r"-\(tr +(\d+)\)-> .*:(\d+) => (.*)")
TAKEN = re.compile(r"^ *\d+\s+trans +(\d+) ", re.MULTILINE)


def steps(folder: Path) -> tuple[set[tuple[int, str]], set[tuple[int, str]]]:
    """All steps of the search in the folder, and those that it took."""
    table = subprocess.run(["./pan", "-d"], cwd=folder, capture_output=True, text=True).stdout
    taken = set(TAKEN.findall((folder / "pan.out").read_text()))
    found = [(number, (int(line), text)) for number, line, text in STEP.findall(table) if text != ".(goto)"]
    return {step for _, step in found}, {step for number, step in found if number in taken}


def never_taken(folders: list[Path]) -> list[str]:
    every, taken = set(), set()
    for folder in folders:
        of_this, taken_here = steps(folder)
        every |= of_this
        taken |= taken_here
    return [f"line {line}: {text}" for line, text in sorted(every - taken)]
