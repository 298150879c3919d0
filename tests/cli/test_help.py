"""The help of `dart` reads as one program: a sentence and examples for every command, no option without its meaning."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from dart.cli.app import app, main
from dart.cli.help import DEEPEST, EXAMPLES, TOPICS

ROOT = Path(__file__).resolve().parents[2]
DART: Any = typer.main.get_command(app)
LONGEST = 90  # characters of a command's first sentence


def _commands(group: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    yield path, group
    for name, command in getattr(group, "commands", {}).items():
        yield from _commands(command, f"{path} {name}".strip())


COMMANDS = dict(_commands(DART))


def _help(path: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main([*path.split(), "--help"]) == 0
    return capsys.readouterr().out


def test_every_command_has_a_topic_and_examples_and_nothing_else_has() -> None:
    listed = [name for names in TOPICS.values() for name in names]
    assert sorted(listed) == sorted(DART.commands)
    assert EXAMPLES.keys() == COMMANDS.keys()
    assert all(EXAMPLES.values())


@pytest.mark.parametrize("path", sorted(COMMANDS))
def test_a_command_is_described_in_a_sentence_and_its_options_are_explained(
    path: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = COMMANDS[path]
    sentence = command.get_short_help_str(DEEPEST)
    assert sentence.endswith(".")
    assert not sentence.endswith("...")
    assert sentence[0].isupper()
    assert len(sentence) <= LONGEST, sentence
    for parameter in command.params:
        assert parameter.help, f"dart {path}: {parameter.name} is not explained"
    text = _help(path, capsys)
    assert text.startswith(f"Usage: dart {path}".strip())
    for example in EXAMPLES[path]:
        assert f"\n  # {example.what}\n  {example.line}\n" in text, "on a line of its own, to be copied"


@pytest.mark.parametrize(
    ("path", "line"), [(path, example.line) for path, examples in EXAMPLES.items() for example in examples]
)
def test_an_example_parses_with_the_parser_of_its_command(path: str, line: str) -> None:
    for part in line.split("&&"):
        program, *arguments = shlex.split(part)
        assert program == "dart"
        context, command = DART.make_context("dart", [], resilient_parsing=True), DART
        while hasattr(command, "commands"):
            name, command, arguments = command.resolve_command(context, arguments)
            context = command.make_context(name, list(arguments), parent=context, resilient_parsing=False)
            arguments = [*getattr(context, "_protected_args", ()), *context.args]
        assert context.command_path.removeprefix("dart ").startswith(path)


def test_a_wrong_example_would_be_noticed() -> None:
    with pytest.raises(Exception, match="--jbos"):
        test_an_example_parses_with_the_parser_of_its_command("repro", "dart repro --jbos 2")


def test_the_version_is_the_projects(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert capsys.readouterr().out == f"dart {project['version']}\n"
