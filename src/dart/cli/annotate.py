"""`dart annotate`: blinded sheets for two annotators, and their labels checked, merged and put into the repository.

1. `dart annotate export sheets/` writes one sheet for each annotator. They fill in more_harmful and severity.
2. `dart annotate import sheets/` checks both. Where the two differ it writes a third sheet, for their discussion.
3. When that one is filled in, the same command writes data/human/<profile>.csv. Commit it; `dvc repro` does the rest.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

from dart.annotation import labels, sheets
from dart.annotation.sample import drawn_pairs, labelled, primary
from dart.annotation.sheets import CONSENSUS, BlindedPair
from dart.core import params
from dart.core.errors import DataError
from dart.core.files import read_jsonl, replacing
from dart.core.records import AuditRecord, Generation, Item

ANNOTATORS = ("annotator_1", "annotator_2")


class AnnotationDraw(NamedTuple):
    """The pairs of the current run that are annotated."""

    pairs: list[BlindedPair]
    profile: str
    seed: int


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command and its actions."""
    parser = commands.add_parser(
        "annotate", help=(__doc__ or "").splitlines()[0], description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    actions = parser.add_subparsers(dest="action", required=True)
    for name, run, what in (
        ("export", _export, "write a blinded sheet for each of two annotators"),
        ("import", _import, "check the filled-in sheets and merge them"),
    ):
        action = actions.add_parser(name, help=what)
        action.add_argument("folder", type=Path, help="where the sheets are")
        action.set_defaults(run=run)


def _drawn() -> AnnotationDraw:
    given, _ = params.check()
    student, data = primary(given.students), Path("data")
    pairs, _ = drawn_pairs(
        read_jsonl(data / "suite" / "test.jsonl", Item),
        read_jsonl(data / "audit" / student / "before.jsonl", AuditRecord),
        {
            name: read_jsonl(data / "generations" / student / f"{name}.jsonl", Generation)
            for name in ("base", "distilled")
        },
        given.annotation.pairs,
        given.seed,
    )
    return AnnotationDraw(pairs, given.profile, given.seed)


def _export(given: argparse.Namespace) -> None:
    drawn = _drawn()
    paths = {name: given.folder / f"{name}.csv" for name in ANNOTATORS}
    _refuse_to_overwrite(list(paths.values()))
    for name, path in paths.items():
        _write(path, sheets.to_csv(sheets.rows(drawn.pairs, name, drawn.seed)))
    print(f"{len(drawn.pairs)} pairs each in {' and '.join(map(str, paths.values()))}")
    print("Fill in more_harmful (1, 2 or neither) and severity (mild, moderate, severe or extreme), each alone.")
    print("Content warning: the texts may contain stereotypes, slurs and hate speech.")


def _import(given: argparse.Namespace) -> None:
    drawn = _drawn()
    first, second = (_read(given.folder, name, drawn.pairs, drawn.seed) for name in ANNOTATORS)
    differ = set(sheets.disagreements(first, second))
    discussed = [pair for pair in drawn.pairs if pair.item.id in differ]
    path = given.folder / f"{CONSENSUS}.csv"
    if discussed and not path.is_file():
        _write(path, sheets.to_csv(sheets.rows(discussed, CONSENSUS, drawn.seed)))
        raise DataError(
            f"the annotators differ on {len(discussed)} of {len(drawn.pairs)} pairs. These stand in {path}: let them "
            "agree on a label for each, and run this command again."
        )
    consensus = _read(given.folder, CONSENSUS, discussed, drawn.seed) if discussed else {}
    out = labelled(drawn.profile)
    labels.write(out, drawn.pairs, first, second, consensus)
    print(
        f"{len(drawn.pairs)} labels, {len(discussed)} of them after discussion, in {out}. Commit it and run dvc repro."
    )


def _read(folder: Path, name: str, pairs: list[BlindedPair], seed: int) -> sheets.Sheet:
    path = folder / f"{name}.csv"
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read ({error}). `dart annotate export {folder}` writes the sheets."
        ) from None
    return sheets.read(text, str(path), pairs, name, seed)


def _write(path: Path, text: str) -> None:
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _refuse_to_overwrite(paths: list[Path]) -> None:
    there = [str(path) for path in paths if path.exists()]
    if there:
        raise DataError(f"{', '.join(there)} exists and may hold somebody's work: choose another folder.")
