"""Sections of a profile: which students, teacher, judges, classifiers and suites fill the method's roles."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from dart.settings.section import Section


class Sizes(Section):
    train: int = Field(ge=2)
    validation: int = Field(ge=2)
    test: int = Field(ge=2)

    @property
    def total(self) -> int:
        return self.train + self.validation + self.test


class SuiteSpec(Section):
    """Where the suite comes from and how many items of each benchmark enter which split."""

    source: str  # embedded | difference_awareness | path of a JSONL file of prompts and labels
    sizes: dict[str, Sizes]  # by benchmark; "default" for those not named

    @model_validator(mode="after")
    def _has_default(self) -> SuiteSpec:
        if "default" not in self.sizes:
            raise ValueError("sizes needs an entry 'default'")
        return self

    def sizes_of(self, benchmark: str) -> Sizes:
        return self.sizes.get(benchmark, self.sizes["default"])


class Nano(Section):
    """Shape of an embedded student."""

    hidden_size: int = Field(ge=8)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    intermediate: int = Field(ge=8)


class StudentSpec(Section):
    """One slot: which model fills it and what belongs to that model rather than to the method."""

    name: str
    model: str  # hub id, path of a checkpoint, or embedded://nano
    revision: str
    learning_rate: float = Field(gt=0, strict=True)
    batch_per_device: int = Field(ge=1)
    generation_batch: int = Field(ge=1)
    precision: Literal["fp32", "bf16"]
    quantize: Literal["none", "nf4"]
    nano: Nano | None


class ScorerSpec(Section):
    """A sequence classifier; `label` is the exact name of the class whose probability is H."""

    model: str
    revision: str
    label: str
    batch: int = Field(ge=1)
    max_length: int = Field(ge=8)


class Endpoint(Section):
    """An OpenAI-compatible endpoint and how it is asked."""

    base_url: str
    model: str
    api_key_env: str | None  # name of the environment variable that holds the key; null: no key
    temperature: float = Field(ge=0)
    top_p: float | None = Field(gt=0, le=1)  # null: not sent, the server's default
    max_tokens: int = Field(ge=1)
    concurrency: int = Field(ge=1)
    requests_per_minute: int | None = Field(ge=1)
    tokens_per_minute: int | None = Field(ge=1)  # prompt and completion together, as providers count
    timeout_s: float = Field(gt=0)
    usd_per_million_prompt_tokens: float = Field(ge=0)
    usd_per_million_completion_tokens: float = Field(ge=0)
    budget_usd: float | None = Field(ge=0)  # spent at this model in all, by every run that shares the answer cache


class WorldTeacher(Section):
    planting_dropped: float = Field(ge=0, le=1)
    planting_added: float = Field(ge=0, le=1)


class WorldJudge(Section):
    missed: float = Field(ge=0, le=1)
    invented: float = Field(ge=0, le=1)
    severity_shifted: float = Field(ge=0, le=1)


class WorldOpenEnded(Section):
    """How the simulated judge of open-ended answers errs."""

    misjudged: float = Field(ge=0, le=1)  # of each yes or no about an answer: it is the other one
    first_preferred: float = Field(ge=0, le=1)  # of each comparison: the answer shown first wins, whatever it says


class WorldAnnotators(Section):
    error: float = Field(ge=0, le=1)


class ExternalSizes(Section):
    """How many prompts of each external suite are asked."""

    bold: int = Field(ge=1)
    holisticbias: int = Field(ge=1)
    realtoxicityprompts: int = Field(ge=1)
    hatecheck: int = Field(ge=1)


class ExternalSpec(Section):
    """The external safety suites: our own small ones, or the published ones by their pins."""

    source: Literal["embedded", "published"]
    sizes: ExternalSizes
    failing_share: float = Field(gt=0, le=1, strict=True)  # of HateCheck's prompts that base answered


class World(Section):
    """Declared behaviour of the simulated parties."""

    teacher: WorldTeacher
    judge: WorldJudge
    openended: WorldOpenEnded
    annotators: WorldAnnotators
