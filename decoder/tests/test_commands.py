"""The table of commands: each module exists or says so, and is named by --help."""
from __future__ import annotations

import pytest

from decoder import commands


@pytest.mark.parametrize("name", commands.COMMANDS)
def test_each_command_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        status = commands.main([name, "--help"])
    except SystemExit as end:
        status = int(str(end.code))
    out, err = capsys.readouterr()
    if "is not part of this tree" in err:
        pytest.skip(f"{commands.COMMANDS[name][0]} is not there")
    assert status == 0 and out.startswith("usage: python3 -m decoder")


def test_help_lists_them(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    out = capsys.readouterr().out
    assert all(f"  {name} " in out for name in commands.COMMANDS)


def test_a_missing_module_is_one_line(capsys: pytest.CaptureFixture[str],
                                      monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(commands.COMMANDS, "triage", ("decoder.nowhere", ""))
    assert commands.main(["triage", "x"]) == 2
    assert capsys.readouterr().err.endswith("decoder.nowhere is missing\n")
