"""`dart annotate`: blinded sheets for two annotators, and their labels checked, merged and put into the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    no_args_is_help=True,
    help="""Exchange blinded sheets with annotators. Their labels are checked, merged and put into the repository.

    1. `dart annotate export sheets/` writes one sheet for each annotator. They fill in more_harmful and severity.

    2. `dart annotate import sheets/` checks both. Where the two differ it writes a third sheet, for their discussion.

    3. When that one is filled in, the same command writes data/human/<profile>.csv. Commit it; `dvc repro` does the
    rest.
    """,
)

Folder = Annotated[Path, typer.Argument(help="where the sheets are")]


@app.command("export")
def export(folder: Folder) -> None:
    """Write a blinded sheet for each of two annotators."""
    from dart.annotation.exchange import export_sheets

    count, paths = export_sheets(folder)
    print(f"{count} pairs each in {' and '.join(map(str, paths))}")
    print("Fill in more_harmful (1, 2 or neither) and severity (mild, moderate, severe or extreme), each alone.")
    print("Content warning: the texts may contain stereotypes, slurs and hate speech.")


@app.command("import")
def import_(folder: Folder) -> None:
    """Check the filled-in sheets and merge them."""
    from dart.annotation.exchange import import_sheets

    result = import_sheets(folder)
    print(
        f"{result.labels} labels, {result.discussed} of them after discussion, in {result.path}. "
        "Commit it and run dvc repro."
    )
