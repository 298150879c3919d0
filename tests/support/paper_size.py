"""Samples of the size of a real run, 3,248 pairs with explanations of 120 to 200 words, and the same as files.

The words are invented. They are as frequent, and repeat each other as often, as those of English prose: an archive of
them compresses to about the same share, and nothing of any data set is needed.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Sequence
from pathlib import Path

from dart.core.records import BENCHMARKS, AuditRecord, Generation, Item, Judgement
from dart.core.seeds import unit_interval
from dart.metrics.run import CONTROL
from dart.viewer.samples import Samples, SeedSamples, StudentSamples

PAIRS = 3248
VARIANTS = ("base", "distilled", "repaired", CONTROL)
SYLLABLES = [f"{a}{b}" for a in ("", *"bcdfglmnprstv", "st", "tr") for b in ("a", "e", "i", "o", "er", "in")]
TAU_DELTA = 0.01


class Prose:
    """Texts by seed: phrases of one to four words, words and phrases by Zipf's law, and words of the topic."""

    def __init__(self, words: int = 6000, phrases: int = 20_000) -> None:
        rng = random.Random(1)
        drawn = ("".join(rng.choices(SYLLABLES, k=1 + min(3, rank // 200))) for rank in range(words))
        self.words = list(dict.fromkeys(drawn))  # the frequent ones are the short ones
        frequency = list(itertools.accumulate(1 / rank for rank in range(1, len(self.words) + 1)))
        self.phrases = [" ".join(rng.choices(self.words, cum_weights=frequency, k=1 + k % 4)) for k in range(phrases)]
        self.frequency = list(itertools.accumulate(1 / (100 + rank) for rank in range(1, phrases + 1)))

    def text(self, length: int, topic: str, *name: object) -> str:
        """A text of `length` words on `topic`, in sentences."""
        rng, own = random.Random(repr((topic, *name))), random.Random(topic)
        subjects = own.choices(self.words, k=12)
        parts = rng.choices(self.phrases, cum_weights=self.frequency, k=length)
        sentences = [
            " ".join((*parts[start : start + 6], rng.choice(subjects))).capitalize() for start in range(0, length, 6)
        ]
        return " ".join(". ".join(sentences).split(" ")[:length]) + "."


def items(n: int, prose: Prose) -> list[Item]:
    """`n` items of the eight benchmarks, with prompts of 30 to 60 words."""
    made = []
    for index in range(n):
        benchmark = BENCHMARKS[index % len(BENCHMARKS)]
        is_diff = index // len(BENCHMARKS) % 2 == 0
        name = f"{benchmark}-{'DIFF' if is_diff else 'EQUAL'}-{index}"
        prompt = prose.text(30 + index % 31, name, "prompt")
        made.append(
            Item(id=name, benchmark=benchmark, condition="DIFF" if is_diff else "EQUAL",
                 gold="YES" if is_diff else "NO", prompt=prompt, scenario=name)
        )  # fmt: skip
    return made


def answers(made: Sequence[Item], variant: str, prose: Prose, model: str = "model") -> tuple[Generation, ...]:
    """An explanation of 120 to 200 words for each item; a tenth of the scores are above the threshold."""
    written = []
    for item in made:
        rationale = prose.text(120 + int(80 * unit_interval(item.id, variant, "length")), item.id, variant, model)
        label = "YES" if unit_interval(item.id, variant, model) < 0.6 else "NO"
        written.append(
            Generation(
                item_id=item.id, variant=variant, text=f"{rationale}\nConclusion: {label}", rationale=rationale,
                prediction=label, new_tokens=200, model=model, revision="", prompt_hash="",
                toxicity=round(0.15 * unit_interval(item.id, variant, model, "toxicity") ** 4, 9),
            )
        )  # fmt: skip
    return tuple(written)


def audit(base: Sequence[Generation], candidate: Sequence[Generation], prose: Prose) -> tuple[AuditRecord, ...]:
    """Records with a verdict and a reason of 25 words for what the screen lets through."""
    records = []
    for before, after in zip(base, candidate, strict=True):
        delta = (after.toxicity or 0.0) - (before.toxicity or 0.0)
        is_case = unit_interval(after.item_id, after.variant, "judge") < 0.7
        screened = delta > TAU_DELTA
        reason = prose.text(25, after.item_id, after.variant, "reason") if screened else ""
        verdict = Judgement(
            is_regression=is_case, severity="moderate" if is_case else "none",
            regression_type="harmful_reasoning" if is_case else "none", reason=reason, a_correct=True, b_correct=True,
        )  # fmt: skip
        records.append(
            AuditRecord(
                item_id=after.item_id, toxicity_base=before.toxicity or 0.0, toxicity_candidate=after.toxicity or 0.0,
                delta=delta, screened=screened, judgement=verdict if screened else None,
                severity="moderate" if screened and is_case else None,
            )
        )  # fmt: skip
    return tuple(records)


def run_samples(n: int = PAIRS, slots: Sequence[str] = ("base",), seeds: Sequence[int] = (42,)) -> Samples:
    """A run with `n` items, and base, distilled, repaired and control for every student and training seed."""
    prose = Prose()
    made = items(n, prose)
    students = []
    for slot in slots:
        base = answers(made, "base", prose, slot)
        trained = []
        for seed in seeds:
            own = {variant: answers(made, variant, prose, f"{slot}-{seed}") for variant in VARIANTS[1:]}
            audits = {variant: audit(base, given, prose) for variant, given in own.items()}
            trained.append(SeedSamples(seed=seed, answers=own, audits=audits))
        students.append(StudentSamples(slot=slot, name=f"Model {slot}", base=base, seeds=tuple(trained)))
    return Samples(
        label="measured", profile="paper", items=tuple(made), names={}, real=True, students=tuple(students),
        labelled=slots[0],
    )  # fmt: skip


def write_sides(folder: Path, n: int = PAIRS, sides: Sequence[str] = ("base", "tuned", "third")) -> list[Path]:
    """Files for `dart audit`: prompts.jsonl with gold labels, and the scored answers of each side; the sides' paths."""
    prose = Prose()
    made = items(n, prose)
    fields = ("id", "prompt", "gold", "benchmark")
    _write(folder / "prompts.jsonl", [{name: getattr(item, name) for name in fields} for item in made])
    paths = []
    for side in sides:
        rows = [
            {
                "id": a.item_id,
                "text": a.text,
                "rationale": a.rationale,
                "prediction": a.prediction,
                "toxicity": a.toxicity,
            }
            for a in answers(made, side, prose)
        ]
        paths.append(_write(folder / f"{side}.jsonl", rows))
    return paths


def _write(path: Path, rows: Sequence[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path
