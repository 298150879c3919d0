"""The ablation arms of params.yaml: what each changes about the default recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dart.settings.recipe import SeverityWeights
from dart.settings.section import Section


class SeverityNoise(Section):
    """Severities of a share of the repair rows are wrong (Table 31)."""

    kind: Literal["up", "down", "random"]
    share: float = Field(gt=0, le=1)


class Variant(Section):
    """An ablation arm: what differs from the default recipe. What is not named is as in the default.

    stage1: what Stage I trains on: the main path's rationales (not trained again), labels alone, or rationales that
    the teacher wrote with the safe prompt (E.2) from the start. repair "none" ends after Stage I.
    """

    about: str  # one line for the tables
    stage1: Literal["distilled", "label_only", "safe"] = "distilled"
    repair: Literal["targets", "none", "sham", "first_half", "second_half"] = "targets"
    severity_weights: SeverityWeights | None = None
    severity_noise: SeverityNoise | None = None
    tau_delta: float | None = None
    judge: Literal["judge", "second_judge"] = "judge"
    seed: int | None = Field(default=None, ge=0)  # of the training in Stage III

    @model_validator(mode="after")
    def _differs(self) -> Variant:
        if self.model_copy(update={"about": ""}) == Variant.model_construct(about=""):
            raise ValueError("it differs from the default in nothing")
        if self.repair == "none" and self.stage1 == "distilled":
            raise ValueError("without repair it is the distilled student of the main path")
        return self


class Arms(Section):
    """What all arms have in common."""

    student: str  # the slot that arms run on
    tau_delta: float = Field(strict=True)  # of their own, so that a sweep over the main path's does not run them again
