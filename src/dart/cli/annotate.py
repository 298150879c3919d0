"""`dart annotate`: blinded files for annotators, and their labels checked, merged and put into the repository."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dart.cli.help import DartCommand, DartGroup

if TYPE_CHECKING:
    from dart.annotation.exchange import PageMaker
    from dart.annotation.study import Draw, Study

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

Folder = Annotated[Path, typer.Argument(help="folder of the pages and sheets")]


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
    premises: Annotated[
        bool, typer.Option("--premises", help="premises of prompts, and answers without and with the policy")
    ] = False,
) -> None:
    """Write a blinded page and a sheet for each annotator."""
    from dart.annotation.exchange import export_sheets
    from dart.annotation.study import Study, new_study

    names = annotator or Study.model_fields["annotators"].default
    study = new_study(names, between, student, pairs)
    if premises:
        study = study.model_copy(update={"task": "premises", "first": "off", "second": "two_pass"})
    page, drawer = _of_task(study)
    count, paths = export_sheets(folder, study, page, drawer)
    print(f"{count} pairs each in {' and '.join(map(str, paths))} (or .csv); study.json is for you, not for annotators")
    print("They open the page in a browser, each alone, label with the keyboard, and send back what it saves (.jsonl).")
    print("Content warning: the texts may contain stereotypes, slurs and hate speech.")


@app.command("import", cls=DartCommand)
def import_(folder: Folder) -> None:
    """Check what has been labelled so far, and print agreement and what is left. Merge it when it is complete."""
    from dart.annotation.exchange import import_sheets
    from dart.annotation.study import read_study

    page, drawer = _of_task(read_study(folder))
    result = import_sheets(folder, page, drawer=drawer)
    print(
        f"{result.labels} labels, {result.discussed} of them after discussion, in {result.path}. "
        "Commit it and run dvc repro."
    )


def _of_task(study: Study) -> tuple[PageMaker, Callable[[Study], Draw] | None]:
    """The page of the study's task, and who draws its pairs (None: pairs of variants)."""
    from dart.viewer.annotation_page import annotation_html

    if study.task == "drift":
        return annotation_html, None
    from dart.policy.premise_labels import draw_premises

    return partial(annotation_html, task="premises"), draw_premises
