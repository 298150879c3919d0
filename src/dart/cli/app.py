"""`dart`: the Typer application that holds every command, and the entry point that runs it.

A command's module states its options and help only. What a command works with (numpy, DVC, matplotlib) is imported
when that command runs, so that `dart --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from dart.cli import (
    ablations,
    annotate,
    audit,
    cache,
    cards,
    check,
    compare,
    estimate,
    graph,
    power,
    readme,
    report,
    repro,
    summary,
    verify,
    viewer,
)
from dart.cli.help import DartCommand, DartGroup
from dart.core.errors import DartError
from dart.core.visible_text import visible


class DartApplication(DartGroup):
    """All commands; a `DartError` of any of them is one message and exit status 1, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DartError as error:
            print(f"dart {ctx.invoked_subcommand}: {visible(str(error))}", file=sys.stderr)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="dart",
    cls=DartApplication,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"dart {version('dart')}")
        raise typer.Exit


@app.callback()
def dart(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Distill-Audit-Repair Training: check a run and its cost, run it, read it, share it.

    Stages are run by DVC (`dvc repro`, `dvc exp run`) or by `dart repro`; the other commands are for what comes before
    and after. `dart COMMAND --help` ends with examples.
    """


app.command("check", cls=DartCommand)(check.check)
app.command("graph", cls=DartCommand)(graph.graph)
app.command("summary", cls=DartCommand)(summary.summary)
app.command("report", cls=DartCommand)(report.report)
app.command("viewer", cls=DartCommand)(viewer.viewer)
app.command("readme", cls=DartCommand)(readme.readme)
app.command("repro", cls=DartCommand)(repro.repro)
app.command("verify", cls=DartCommand)(verify.verify)
app.command("cards", cls=DartCommand)(cards.cards)
app.command("publish", cls=DartCommand)(cards.publish)
app.command("arms", cls=DartCommand)(ablations.arms)
app.add_typer(annotate.app, name="annotate")
app.add_typer(cache.app, name="cache")
app.command("compare", cls=DartCommand)(compare.compare)
app.command("audit", cls=DartCommand)(audit.audit)
app.command("power", cls=DartCommand)(power.power)
app.command("estimate", cls=estimate.EstimateCommand)(estimate.estimate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command: `arguments`, or those of the process.

    Returns:
        The exit status: 0, or 1 after a `DartError`.

    Raises:
        SystemExit: with status 2, after an explanation on stderr, if the arguments are not a command's.
    """
    try:
        app(arguments, prog_name="dart")
    except SystemExit as end:
        if end.code not in (0, 1):
            raise
        return int(end.code)
    return 0


if __name__ == "__main__":
    sys.exit(main())
