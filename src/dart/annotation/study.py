"""A study: whose answers are compared, by whom, and on how many pairs; a file beside the sheets, for the researcher.

Codes, order and sides follow from seed, annotator and texts, so that the file of a study holds no key. It names the
variants that are compared, and is therefore not for annotators. Appendix L.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

from pydantic import ValidationError

from dart.annotation.sample import drawn_pairs, labels_of_pair, primary
from dart.annotation.sheets import CONSENSUS, DRIFT, BlindedPair, Task
from dart.core import layout, params
from dart.core.errors import DataError
from dart.core.files import read_json, read_jsonl, write_json
from dart.core.records import AuditRecord, Generation, Item, Record

FILE = "study.json"
AUDIT_OF = {"distilled": "before", "repaired": "after", "control": "control"}
VARIANTS = ("base", *AUDIT_OF)
DEFAULT_PAIR = ("base", "distilled")


class Study(Record):
    """`first` is shown against `second`: base against distilled in the paper. `pairs` is the size of the sample.

    `task`: whether `second` is the more harmful one, or what both do about the prompt's premise.
    """

    task: Literal["drift", "premises"] = "drift"
    annotators: tuple[str, ...] = ("annotator_1", "annotator_2")
    student: str
    first: str
    second: str
    pairs: int


class Draw(NamedTuple):
    """The pairs of the current run that a study is about, and where their labels go."""

    pairs: list[BlindedPair]
    seed: int
    labels: Path
    task: Task[Any] = DRIFT


def new_study(annotators: Sequence[str], between: Sequence[str], student: str | None, pairs: int | None) -> Study:
    """A study of the current run; what is None stands in params.yaml.

    Raises:
        DataError: a name or a variant cannot be used.
    """
    settings, _ = params.check()
    slot = student or primary(settings.students)
    if slot not in settings.students:
        raise DataError(f"there is no student '{slot}' in this run; it has {', '.join(settings.students)}.")
    if len(between) != 2 or between[0] == between[1] or not set(between) <= set(VARIANTS):
        raise DataError(f"a pair is two of {', '.join(VARIANTS)}; got {' and '.join(between)}.")
    names = tuple(annotators)
    if len(set(names)) != len(names) or CONSENSUS in names or not all(name.isidentifier() for name in names):
        raise DataError(
            f"annotators need different names of letters, digits and underscores, and not '{CONSENSUS}'; got "
            f"{', '.join(names)}."
        )
    first, second = sorted(between, key=VARIANTS.index)
    return Study(annotators=names, student=slot, first=first, second=second, pairs=pairs or settings.annotation.pairs)


def write_study(folder: Path, study: Study) -> None:
    write_json(folder / FILE, study.model_dump(mode="json"))


def read_study(folder: Path) -> Study:
    """The study of `folder`; that of the paper where its file is missing.

    Raises:
        DataError: the file is damaged.
    """
    path = folder / FILE
    if not path.is_file():
        return new_study(Study.model_fields["annotators"].default, DEFAULT_PAIR, None, None)
    try:
        return Study.model_validate(read_json(path, dict))
    except ValidationError as error:
        raise DataError(f"{path}: {error.errors()[0]['msg']}. `dart annotate export` writes it.") from None


def draw(study: Study) -> Draw:
    """The pairs of the current run that `study` samples, in equal numbers from condition x screened.

    Raises:
        DataError: the run's answers and audit are missing.
    """
    settings, profile = params.check()
    seed = profile.seeds[0]
    answers = {
        name: read_jsonl(layout.generations(study.student, variant, seed), Generation)
        for name, variant in (("base", study.first), ("distilled", study.second))
    }
    pairs, _ = drawn_pairs(
        read_jsonl(layout.split("test"), Item),
        read_jsonl(layout.audit(study.student, AUDIT_OF[study.second], seed), AuditRecord),
        answers,
        study.pairs,
        settings.seed,
    )
    path = labels_of_pair(settings.profile, primary(settings.students), study.student, study.first, study.second)
    return Draw(pairs, settings.seed, path)
