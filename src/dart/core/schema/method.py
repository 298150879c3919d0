"""Sections of params.yaml: the decisions of the method, each with its range."""

from __future__ import annotations

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


RecipeName = Literal["published", "two_sided", "cleared", "mended", "mended_training", "own"]
Recipes = dict[str, tuple[RecipeName, ...]]  # by slot


class Repair(Record):
    correction_rounds: int = Field(ge=0)
    may_miss: float = Field(default=0.0, ge=0, lt=1)  # share of the drift cases that the teacher may refuse to rewrite
    recipe: RecipeName = "published"

    @model_validator(mode="after")
    def _is_a_recipe_of_the_main_path(self) -> Repair:
        if self.recipe == "two_sided":
            raise ValueError("recipe two_sided on the main path is `audit.screen: change` with recipe published")
        return self


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
