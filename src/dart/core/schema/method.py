"""Sections of params.yaml: the decisions of the method, each with its range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, model_validator

from dart.core.records import Record


class Split(Record):
    by: Literal["item", "scenario"]
    folds: int = Field(ge=2)


class Distill(Record):
    min_sentences: int = Field(ge=1)
    max_sentences: int = Field(ge=1)
    quote_window: int = Field(ge=10)
    correction_rounds: int = Field(ge=0)
    may_miss: float = Field(default=0.0, ge=0, lt=1)  # share of the items that the teacher may refuse


class Lora(Record):
    r: int = Field(ge=1)
    alpha: int = Field(ge=1)
    dropout: float = Field(ge=0, lt=1)
    target_modules: tuple[str, ...] = Field(min_length=1)


class Training(Record):
    epochs: int = Field(ge=1)
    global_batch: int = Field(ge=1)
    warmup_ratio: float = Field(ge=0, le=1)
    weight_decay: float = Field(ge=0)
    max_grad_norm: float = Field(gt=0)
    max_length: int = Field(ge=32)


class ToxicityTerm(Record):
    """How the toxicity term of toxicity-regularised SFT is estimated (K.2.1), and how lambda is chosen."""

    chosen_by: Literal["median", "mean", "q95"]
    draws: Literal["teacher_forced", "own"]
    samples: int = Field(ge=2)
    share: float = Field(gt=0, le=1)
    every: int = Field(ge=1)
    max_new_tokens: int = Field(ge=1)
    temperature: float = Field(gt=0)


class GenerationParams(Record):
    max_new_tokens: int = Field(ge=1)
    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)


class Audit(Record):
    """Which pairs the judge is asked about, and how; each order and vote beyond the first multiplies its calls."""

    screen: Literal["rise", "change"] = "rise"
    orders: Literal["fixed", "both"]
    votes: int = Field(ge=1)
    unscreened_rate: float = Field(ge=0, le=1, strict=True)
    may_miss: float = Field(default=0.0, ge=0, lt=1)  # share of the questions that a judge may refuse

    @model_validator(mode="after")
    def _can_decide(self) -> Audit:
        if self.votes % 2 == 0:
            raise ValueError(f"votes must be odd, or {self.votes} votes can end in a tie")
        return self


RecipeName = Literal[
    "published", "sham", "two_sided", "cleared", "mended", "mended_training", "own", "kl_anchored", "dpo", "orpo",
    "task_arithmetic", "two_rounds", "control_twice",
]  # fmt: skip
Recipes = dict[str, tuple[RecipeName, ...]]  # by slot
# Recipes that exist for the comparison alone, with the reason.
COMPARED_ONLY: Mapping[str, str] = {
    "two_sided": "on the main path it is `audit.screen: change` with recipe published",
    "sham": "it repairs pairs that did not drift, to measure what further training does",
    "task_arithmetic": "its weight is chosen on the validation set after repair and its audit",
    "two_rounds": "it continues the main path's repaired adapter after its audit",
    "control_twice": "it is the control of two_rounds",
}


class Repair(Record):
    correction_rounds: int = Field(ge=0)
    may_miss: float = Field(default=0.0, ge=0, lt=1)  # share of the drift cases that the teacher may refuse to rewrite
    recipe: RecipeName = "published"

    @model_validator(mode="after")
    def _is_a_recipe_of_the_main_path(self) -> Repair:
        if reason := COMPARED_ONLY.get(self.recipe):
            raise ValueError(
                f"recipe {self.recipe} cannot be repair.recipe: {reason}. Name it under `recipes` to compare it"
            )
        return self


class Objectives(Record):
    """Strengths of the objectives of Stage III besides cross entropy."""

    kl_weight: float = Field(gt=0)
    dpo_beta: float = Field(gt=0)
    orpo_lambda: float = Field(gt=0)
    preference_rate: float = Field(gt=0)


class SampledAnswers(Record):
    """Answers that are drawn to estimate a drift rate, besides the greedy one."""

    prompts: int = Field(ge=0)
    answers: int = Field(ge=1)
    temperature: float = Field(gt=0)


class RecipeComparison(Record):
    """How recipes are compared beside the greedy answers to test and validation set."""

    halves: tuple[Literal["published", "two_sided", "cleared", "mended"], ...]
    sampled: SampledAnswers
    task_arithmetic_weights: tuple[float, ...] = Field(min_length=1)


class ExplanationPolicy(Record):
    """How the inference-time policy is chosen for a prompt (Section 2.6)."""

    unparsed: Literal["as_yes", "as_no", "neutral"]  # not YES and NO, which YAML may read as true and false
    harmful_above: float = Field(ge=0, le=1)
    harmful_keywords: tuple[str, ...]

    @model_validator(mode="after")
    def _keywords_are_words(self) -> ExplanationPolicy:
        if not all(word.strip() for word in self.harmful_keywords):
            raise ValueError("harmful_keywords holds an empty word, which every prompt contains")
        return self


class SeverityWeights(Record):
    mild: int = Field(ge=0)
    moderate: int = Field(ge=0)
    severe: int = Field(ge=0)
    extreme: int = Field(ge=0)


class Annotation(Record):
    pairs: int = Field(ge=1)


class OpenEnded(Record):
    """The open-ended questions: how many of each domain are asked, and how long an answer may be."""

    per_domain: int = Field(ge=1)
    max_new_tokens: int = Field(ge=1)


class Statistics(Record):
    resamples: int = Field(ge=100)
    confidence: float = Field(gt=0.5, lt=1)


Row = Literal["D1-D4", "N1-N4", "overall", "DIFF", "EQUAL"]  # rows of Table 2 that can be tested


class Hypotheses(Record):
    """The family of tests that is corrected together, declared before the run."""

    correction: Literal["bonferroni", "holm"]
    rows: tuple[Row, ...] = Field(min_length=1)
    parsed_only: tuple[Row, ...]


class Equivalence(Record):
    """Margins within which a difference counts as "unchanged"."""

    accuracy: float = Field(gt=0, lt=1)
