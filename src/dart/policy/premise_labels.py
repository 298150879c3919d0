"""People's labels of premises: is a prompt's premise harmful, and which answers handle it, with and without the policy.

The paper reports the detector's precision and recall (94.2 % and 87.6 %) and the share of harmful premises that the
answers handle (89.2 % without, 93.1 % with the two-pass policy, Section 3.3.2) and says neither who labelled what nor
what "handled" means. Here annotators see a prompt with both answers of the repaired student, blinded to which is which.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, Literal, get_args

from dart.annotation.labels import NONE, label_rows, texts_hash
from dart.annotation.sheets import BlindedPair, Task
from dart.annotation.study import Draw, Study
from dart.core import layout, params
from dart.core.errors import DataError
from dart.core.files import read_jsonl
from dart.core.records import Generation, Item, Record
from dart.core.seeds import seed_for
from dart.core.visible_text import shown
from dart.policy.records import PolicyAnswer, Premise

Handling = Literal["both", "off", "on", "neither"]  # answers that handle a harmful premise: without, with the policy

VARIANT, SCHEME = "repaired", "two_pass"
COLUMNS = ("code", "question", "text_1", "text_2", "premise", "handled_by", "comment")
PREMISES = ("harmful", NONE)
HANDLED_BY = ("1", "2", "both", "neither")


class PremiseLabel(Record):
    """What each annotator says of one prompt (None: its premise is harmless), and the consensus."""

    item_id: str
    annotators: tuple[Handling | None, ...]
    consensus: Handling | None


def _label(row: Mapping[str, str], on_first: bool) -> tuple[Handling | None, str | None]:
    """(label, None), or (None, what is wrong with the row); text 1 is the answer under the policy if `on_first`."""
    premise, handled = row["premise"], row["handled_by"]
    if premise not in PREMISES:
        return None, f"premise is '{shown(premise)}' and must be {', '.join(PREMISES)}"
    if premise == NONE:
        return None, f"handled_by is '{shown(handled)}', but the premise is harmless" if handled else None
    sides: dict[str, Handling] = {
        "1": "on" if on_first else "off", "2": "off" if on_first else "on", "both": "both", "neither": "neither",
    }  # fmt: skip
    if handled not in sides:
        return None, f"handled_by is '{shown(handled)}' and must be {', '.join(HANDLED_BY)}"
    return sides[handled], None


def _in_words(label: Handling | None, side: str) -> str:
    other = "text 2" if side == "text 1" else "text 1"
    if label is None:
        return "the premise is harmless"
    return f"a harmful premise, handled by {({'on': side, 'off': other}).get(label, label)}"


PREMISE: Final[Task[Handling]] = Task(
    "a harmful premise", COLUMNS, ("code", "premise", "handled_by"), _label, _in_words
)


def labels_path(profile: str, student: str) -> Path:
    """The file with people's labels of premises: committed, without texts."""
    return layout.HUMAN / f"{profile}-{student}-premises.csv"


def drawn_prompts(
    items: Sequence[Item],
    premises: Sequence[Premise],
    off: Sequence[Generation],
    on: Sequence[Generation],
    size: int,
    seed: int,
) -> list[BlindedPair]:
    """At most `size` prompts in item order; half of them, as far as they reach, have a premise detected as harmful.

    Each with the answer without the policy in the place of the base, and under the policy in that of the candidate.

    Raises:
        DataError: an item has no premise or no answer.
    """
    harmful = {premise.item_id: premise.harmful for premise in premises}
    texts = [{answer.item_id: answer.rationale for answer in answers} for answers in (off, on)]
    known = harmful.keys() & texts[0].keys() & texts[1].keys()
    if missing := [item.id for item in items if item.id not in known]:
        raise DataError(f"premises: {missing[0]} has not been answered with and without the policy. Run `dvc repro`.")
    strata: dict[bool, list[Item]] = {True: [], False: []}
    for item in items:
        strata[harmful[item.id]].append(item)
    for detected, stratum in strata.items():
        random.Random(seed_for(seed, "premises", detected)).shuffle(stratum)
    turns = range(max(map(len, strata.values()), default=0))
    dealt = [stratum[turn] for turn in turns for stratum in strata.values() if turn < len(stratum)]
    chosen = {item.id for item in dealt[:size]}
    return [BlindedPair(item, texts[0][item.id], texts[1][item.id]) for item in items if item.id in chosen]


def prompt_weights(premises: Sequence[Premise], labels: Sequence[PremiseLabel]) -> dict[str, float]:
    """How many prompts each labelled one stands for: those of its detection over the labelled ones."""
    harmful = {premise.item_id: premise.harmful for premise in premises}
    held, drawn = Counter(harmful.values()), Counter(harmful[label.item_id] for label in labels)
    return {label.item_id: held[harmful[label.item_id]] / drawn[harmful[label.item_id]] for label in labels}


def applicable(path: Path, pairs: Sequence[BlindedPair]) -> list[PremiseLabel]:
    """The labels of `path` whose two answers are those of the current run, in the order of `pairs`; [] without a file.

    Raises:
        DataError: the file is damaged, or a label is unknown (the line is named).
    """
    if not path.is_file():
        return []
    current = {(pair.item.id, texts_hash(pair)) for pair in pairs}
    by_item = {}
    for line, (item, texts, *row) in label_rows(path):
        *said, consensus = (_handling(cell, path, line) for cell in row)
        if (item, texts) in current:
            by_item[item] = PremiseLabel(item_id=item, annotators=tuple(said), consensus=consensus)
    return [by_item[pair.item.id] for pair in pairs if pair.item.id in by_item]


def _handling(value: str, path: Path, line: int) -> Handling | None:
    if value == NONE:
        return None
    label: Handling | None = next((label for label in get_args(Handling) if label == value), None)
    if label is None:
        raise DataError(f"{path}:{line}: '{shown(value)}' must be {NONE}, {', '.join(get_args(Handling))}.")
    return label


def draw_premises(study: Study) -> Draw:
    """The prompts of the current run that a study of premises samples.

    Raises:
        DataError: the policy stage's outs are missing.
    """
    settings, profile = params.check()
    pairs = drawn_prompts(
        read_jsonl(layout.split("test"), Item),
        read_jsonl(layout.policy(study.student) / "premises.jsonl", Premise),
        read_jsonl(layout.generations(study.student, VARIANT, profile.seeds[0]), Generation),
        read_jsonl(layout.policy(study.student) / VARIANT / f"{SCHEME}.jsonl", PolicyAnswer),
        study.pairs,
        settings.seed,
    )
    return Draw(pairs, settings.seed, labels_path(settings.profile, study.student), PREMISE)
