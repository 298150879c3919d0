"""The ablation arms of params.yaml: what each changes about the default recipe.

An arm is one stage and one process, on the reference seed of the main path. It may try several points of one scale
(`points`), which share its start and its models; each is a run with answers and an audit of its own.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dart.core.records import Record
from dart.core.schema.method import SeverityWeights


class SeverityNoise(Record):
    """Severities of a share of the repair rows are wrong (Table 31)."""

    kind: Literal["up", "down", "random"]
    share: float = Field(gt=0, le=1)


class Decoding(Record):
    """Sampling in the place of the recipe's decoding."""

    temperature: float = Field(gt=0)
    top_p: float = Field(gt=0, le=1)


class Change(Record):
    """What differs from the default recipe. What is not named is as in the default.

    stage1: what Stage I trains on: the main path's rationales (not trained again), labels alone, or rationales that
    the teacher wrote with another prompt or without the gold label. A change of `rank`, `teacher` or
    `toxicity_weight` trains Stage I again, too. repair "none" ends after Stage I.
    """

    stage1: Literal["distilled", "label_only", "safe", "short", "predicted", "free_form"] = "distilled"
    teacher: Literal["teacher", "second_teacher", "third_teacher"] = "teacher"  # of rationales and safe targets
    toxicity_weight: float | None = Field(default=None, gt=0)  # lambda of toxicity-regularised fine-tuning
    rank: int | None = Field(default=None, ge=1)  # of LoRA; alpha keeps its ratio to it
    repair: Literal["targets", "none", "sham", "first_half", "second_half"] = "targets"
    severity_weights: SeverityWeights | None = None
    severity_noise: SeverityNoise | None = None
    tau_delta: float | None = None
    judge: Literal["judge", "second_judge"] = "judge"
    audit_labels: Literal["gold", "predicted", "none"] = "gold"  # what the judge is told, in the audit before repair
    repair_labels: Literal["gold", "predicted", "none"] = "gold"  # what the teacher is told, for safe targets
    folds: tuple[int, ...] = ()  # cross-validation: these folds, each answered by a student of the others
    again: Literal["base", "distilled"] | None = None  # no training: this student against itself (noise floor)
    decoding: Decoding | None = None  # of `again`; None: the recipe's

    @property
    def trains_stage1(self) -> bool:
        """Whether Stage I differs from the main path's, so that it is trained here."""
        return (
            self.stage1 != "distilled"
            or self.teacher != "teacher"
            or self.toxicity_weight is not None
            or self.rank is not None
        )


DEFAULT = Change()
RESERVED = ("default", "base", "distilled", "control", "reaudit")  # rows and audits of the main path


class Run(Record):
    """One training (or more) of an arm with its answers."""

    change: Change

    @property
    def repairs(self) -> bool:
        """Whether it has a Stage III."""
        return self.change.repair != "none" and not self.change.folds and not self.change.again


class Variant(Change):
    """An ablation arm."""

    about: str  # one line for the tables
    points: dict[str, Change] = Field(default_factory=dict)  # by row; each on top of what the arm itself says

    @model_validator(mode="after")
    def _says_something(self) -> Variant:
        for name, change in self.changes("it").items():
            who = f"point {name}" if self.points else "it"
            if change == DEFAULT:
                raise ValueError(f"{who} differs from the default in nothing")
            if change.repair == "none" and not change.trains_stage1:
                raise ValueError(f"{who} is, without repair, the distilled student of the main path")
            alone = change.model_copy(update={"folds": (), "again": None, "decoding": None})
            if (change.folds or change.again) and alone != DEFAULT:
                raise ValueError(f"{who}: folds and again stand alone, without another change")
            if change.decoding and not change.again:
                raise ValueError(f"{who}: decoding is that of a noise floor, which needs `again`")
        return self

    def changes(self, name: str) -> dict[str, Change]:
        """The arm's points, or itself under its own `name`: what differs from the default, all in all."""
        own = {key: getattr(self, key) for key in self.model_fields_set & Change.model_fields.keys()}
        points = self.points or {name: DEFAULT}
        return {
            point: Change(**own | {key: getattr(change, key) for key in change.model_fields_set})
            for point, change in points.items()
        }

    def runs(self, name: str) -> dict[str, Run]:
        """Every run of the arm by its name: one for each point."""
        return {point: Run(change=change) for point, change in self.changes(name).items()}

    def rows(self, name: str) -> list[str]:
        """Names in metrics/arms.json, with repetitions: of each point, and of Stage I where it may differ."""
        rows = []
        for point, change in self.changes(name).items():
            both = change.trains_stage1 and change.repair != "none"
            rows += [point, f"{point}_stage1"] if both else [point]
        return rows


class Arms(Record):
    """What all arms have in common."""

    student: str  # the slot that arms run on
    tau_delta: float = Field(strict=True)  # of their own, so that a sweep over the main path's does not run them again
    reaudit: Literal["judge", "second_judge", "none"]  # who reads every answer after repair, screened or not


def runs(variants: dict[str, Variant]) -> dict[str, tuple[str, Run]]:
    """{run: (arm, run)} of all arms, in their order; names of runs are unique (checked with the file)."""
    return {key: (name, run) for name, variant in variants.items() for key, run in variant.runs(name).items()}
