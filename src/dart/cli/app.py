"""`dart`: the Typer application that holds every command, and the entry point that runs it.

A command's module states its options and help only. What a command works with (numpy, DVC, matplotlib) is imported
when that command runs, so that `dart --help` answers at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import typer
from typer.core import TyperGroup

from dart.cli import (
    ablations,
    annotate,
    audit,
    cache,
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
from dart.core.errors import DartError
from dart.core.visible_text import visible


class DartGroup(TyperGroup):
    """The commands; a `DartError` of any of them is one message and exit status 1, not a traceback."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except DartError as error:
            print(f"dart {ctx.invoked_subcommand}: {visible(str(error))}", file=sys.stderr)
            raise typer.Exit(1) from None


app = typer.Typer(
    name="dart",
    cls=DartGroup,
    help="What a researcher asks the repository outside of `dvc repro`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("check")(check.check)
app.command("graph")(graph.graph)
app.command("summary")(summary.summary)
app.command("report")(report.report)
app.command("viewer")(viewer.viewer)
app.command("readme")(readme.readme)
app.command("repro")(repro.repro)
app.command("verify")(verify.verify)
app.command("arms")(ablations.arms)
app.add_typer(annotate.app, name="annotate")
app.add_typer(cache.app, name="cache")
app.command("compare")(compare.compare)
app.command("audit")(audit.audit)
app.command("power")(power.power)
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
