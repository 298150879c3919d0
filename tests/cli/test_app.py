"""The application itself: every command has help, help is immediate, and errors are messages with an exit status."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from dart.cli.app import app, main
from dart.cli.estimate import repeat_flag

ROOT = Path(__file__).resolve().parents[2]
COMMANDS = ["check", "graph", "summary", "repro", "verify", "arms", "annotate", "cache", "compare", "power", "estimate"]
HEAVY = {"dvc", "httpx", "matplotlib", "numpy", "pydantic", "scipy", "torch", "transformers", "yaml"}


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"\n  {command} " in text for command in COMMANDS)


@pytest.mark.parametrize(
    "command",
    [*([name] for name in COMMANDS), *(["cache", name] for name in ("stats", "export", "import", "prune")),
     ["annotate", "export"], ["annotate", "import"]],
    ids=" ".join,
)  # fmt: skip
def test_every_command_explains_itself(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "-h"]) == 0
    assert f"Usage: dart {' '.join(command)}" in capsys.readouterr().out


def test_help_imports_nothing_heavy() -> None:
    program = "import sys; from dart.cli.app import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    result = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "src"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert not HEAVY & set(result.stderr.split())


@pytest.mark.parametrize("arguments", [[], ["chekc"], ["check", "--verbose"], ["compare", "one.csv"], ["cache"]])
def test_wrong_usage_ends_with_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
    assert "Usage: dart" in "".join(capsys.readouterr())


def test_an_error_is_one_message_and_status_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["check"]) == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("dart check: ")
    assert "Traceback" not in output.err


def test_a_defect_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def defect() -> None:
        raise KeyError("defect")

    commands = list(app.registered_commands)
    app.command("defect")(defect)
    try:
        with pytest.raises(KeyError, match="defect"):
            main(["defect"])
    finally:
        app.registered_commands[:] = commands


def test_a_flag_takes_several_values() -> None:
    arguments = ["--students", "small", "base", "--json", "out", "--students", "large"]
    expected = ["--students", "small", "--students", "base", "--json", "out", "--students", "large"]
    assert repeat_flag("--students", arguments) == expected
    assert repeat_flag("--students", ["--profile", "paper"]) == ["--profile", "paper"]
