"""`dart`: what a researcher asks the repository outside of `dvc repro`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dart.cli import ablations, annotate, cache, compare, estimate
from dart.core import params
from dart.core.errors import DartError
from dart.core.graph import mermaid


def _check(_: argparse.Namespace) -> None:
    """Validate params.yaml and the profile; list every problem at once."""
    given, profile = params.check()
    print(f"profile {given.profile} ({profile.label}), students: {', '.join(given.students)}")


def _graph(_: argparse.Namespace) -> None:
    """Print the graph of dvc.yaml as Mermaid."""
    print(mermaid(), end="")


def _summary(_: argparse.Namespace) -> None:
    """Print the main result table of the last run, and where its figures are."""
    from dart.metrics.run import Settings, load_run
    from dart.report.summary import summary

    given, profile = params.check()
    print(summary(load_run(Path(), given.students, Settings(label=profile.label))))
    print("report   data/paper/index.html (all tables also as data/paper/table*.md and .tex)")
    print("figures  " + "  ".join(str(path) for path in sorted(Path("plots/figures").glob("*.png"))))


SIMPLE = {"check": _check, "graph": _graph, "summary": _summary}  # commands without arguments
COMMANDS = (annotate, ablations, cache, compare, estimate)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="dart", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, function in SIMPLE.items():
        commands.add_parser(name, help=function.__doc__).set_defaults(run=function)
    for command in COMMANDS:
        command.register(commands)
    chosen = parser.parse_args(arguments)
    try:
        chosen.run(chosen)
    except DartError as error:
        print(f"dart {chosen.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
