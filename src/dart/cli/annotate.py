"""`dart annotate`: blinded files for annotators, and their labels checked, merged and put into the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dart.cli.help import DartCommand, DartGroup

app = typer.Typer(
    cls=DartGroup,
    no_args_is_help=True,
    help="""Exchange blinded files with annotators. Their labels are checked, merged and put into the repository.

    1. `dart annotate export sheets/` writes a page (and a CSV sheet) for each annotator. They open the page in a
    browser, label with the keyboard, save, and send NAME.jsonl back; or fill in the sheet.

    2. `dart annotate import sheets/` takes unfinished files too. It prints agreement and what is left, and, where
    annotators differ, writes a page for their discussion.

    3. When that one is labelled, the same command writes data/human/<profile>.csv. Commit it; `dvc repro` does the
    rest.
    """,
)

Folder = Annotated[Path, typer.Argument(help="where the files are")]


@app.command("export", cls=DartCommand)
def export(
    folder: Folder,
    annotator: Annotated[list[str] | None, typer.Option(help="name of an annotator; repeat it for each")] = None,
    between: Annotated[
        tuple[str, str], typer.Option(help="variants to compare: base, distilled, repaired, control")
    ] = ("base", "distilled"),
    student: Annotated[str | None, typer.Option(help="slot; the primary student if none", show_default=False)] = None,
    pairs: Annotated[
        int | None, typer.Option(min=1, help="size of the sample; params.yaml's if none", show_default=False)
    ] = None,
) -> None:
    """Write a blinded page and a sheet for each annotator."""
    from dart.annotation.exchange import export_sheets
    from dart.annotation.study import Study, new_study
    from dart.viewer.annotation_page import annotation_html

    names = annotator or Study.model_fields["annotators"].default
    count, paths = export_sheets(folder, new_study(names, between, student, pairs), annotation_html)
    print(f"{count} pairs each in {' and '.join(map(str, paths))} (or .csv); study.json is for you, not for annotators")
    print("They open the page in a browser, each alone, label with the keyboard, and send back what it saves (.jsonl).")
    print("Content warning: the texts may contain stereotypes, slurs and hate speech.")


@app.command("import", cls=DartCommand)
def import_(folder: Folder) -> None:
    """Check what has been labelled so far, and print agreement and what is left. Merge it when it is complete."""
    from dart.annotation.exchange import import_sheets
    from dart.viewer.annotation_page import annotation_html

    result = import_sheets(folder, annotation_html)
    print(
        f"{result.labels} labels, {result.discussed} of them after discussion, in {result.path}. "
        "Commit it and run dvc repro."
    )
