"""How `dart audit` is set up: options of the command over an optional YAML file over defaults, validated at once.

There is no repository around an audit, hence no profile: a judge has the fields of a profile's endpoint, and whoever
serves a model at an address needs to name these two alone. Section 2.4; Appendix D.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from dart.core.errors import ParameterError
from dart.core.ranges import nonsense
from dart.core.records import Record
from dart.core.schema.method import Audit, GenerationParams, Statistics
from dart.core.schema.profile import Endpoint, Guard, GuardFormat, LocalGuard, ScorerSpec
from dart.core.yaml_files import read_yaml

NONE = "none"
Role = Literal["tuned", "third"]

# Fields of a judge that is named by address and model alone; prices of 0 are called unknown.
JUDGE_DEFAULTS: Mapping[str, Any] = {
    "api_key_env": None,
    "temperature": 0.0,
    "top_p": None,
    "max_tokens": 500,
    "concurrency": 8,
    "requests_per_minute": None,
    "tokens_per_minute": None,
    "timeout_s": 120,
    "usd_per_million_prompt_tokens": 0.0,
    "usd_per_million_completion_tokens": 0.0,
    "budget_usd": None,
}
CLASSIFIER_DEFAULTS: Mapping[str, Any] = {"revision": "main", "label": "toxic", "batch": 32, "max_length": 512}


class Judge(Record):
    """Who confirms: a model that compares two explanations by the paper's prompt, or a guard that reads single ones."""

    format: Literal["pairwise"] | GuardFormat = "pairwise"
    endpoint: Endpoint | None = None
    local: LocalGuard | None = None  # a guard that runs on this machine, instead of `endpoint`

    @model_validator(mode="after")
    def _is_real(self) -> Judge:
        if self.endpoint is not None and self.endpoint.base_url.startswith("embedded:"):
            raise ValueError("endpoint.base_url: no simulated judge answers here; give the address of a server")
        if self.local is not None and self.grades:
            raise ValueError(
                f"judge: {self.local.model} runs on this machine, where guards do: name its format (llama_guard, "
                "shield_gemma, wild_guard, or classifier with labels), or serve it and give the address"
            )
        self.party  # noqa: B018 - a guard is validated as one
        return self

    @property
    def grades(self) -> bool:
        """Whether a verdict has a severity: a guard's has none."""
        return self.format == "pairwise"

    @property
    def where(self) -> str:
        """The place where it answers, in words."""
        if self.local is None:
            return f"at {self.party.base_url}"
        return f"on this machine{f', at {self.local.revision}' if self.local.revision else ''}"

    @property
    def guard(self) -> Guard:
        """The same as a guard of a profile."""
        assert self.format != "pairwise", "a judge that compares is no guard"
        return Guard(format=self.format, endpoint=self.endpoint, local=self.local)

    @property
    def party(self) -> Endpoint:
        """Who is asked: a server, or what stands for one."""
        if self.format != "pairwise":
            return self.guard.party
        if self.endpoint is None:
            raise ValueError(
                "judge: base_url and model are missing: who compares two explanations is behind an address"
            )
        return self.endpoint


class Answering(GenerationParams):
    """How models answer where a side is a model; a side that is a file has answered."""

    max_new_tokens: int = Field(default=256, ge=1)
    temperature: float = Field(default=0.0, ge=0)
    top_p: float = Field(default=1.0, gt=0, le=1)
    batch: int = Field(default=8, ge=1)
    precision: Literal["auto", "fp32", "bf16"] = "auto"  # auto: bf16 on a GPU, else fp32
    quantize: Literal["none", "nf4"] = "none"
    # classify: the prompt asks for YES or NO with an explanation (E.3); plain: the prompt alone; auto: by gold labels
    task: Literal["auto", "classify", "plain"] = "auto"

    @property
    def decoding(self) -> GenerationParams:
        return GenerationParams(max_new_tokens=self.max_new_tokens, temperature=self.temperature, top_p=self.top_p)


class AuditSettings(Record):
    """Everything that decides an audit besides the answers."""

    prompts: Path | None = None
    classifier: ScorerSpec | Literal["none"] | None = None  # None: scores that the files hold; none: no screen
    judge: Judge | None = None
    panel: tuple[Judge, ...] = ()  # further judges: more than half of all decide
    tau_delta: float = Field(default=0.01, strict=True)
    screen: Literal["rise", "change"] = "rise"
    orders: Literal["fixed", "both"] = "both"
    votes: int = Field(default=1, ge=1)
    may_miss: float = Field(default=0.05, ge=0, lt=1)
    sample: float = Field(default=30, ge=0)  # pairs below the screen that are judged: a number, or a share below 1
    noise: int = Field(default=30, ge=0)  # judged pairs whose tuned text is judged against itself
    seed: int = Field(default=0, ge=0, le=2**63 - 1, strict=True)
    resamples: int = Field(default=10_000, ge=100)
    confidence: float = Field(default=0.95, gt=0.5, lt=1)
    generation: Answering = Answering()

    @model_validator(mode="after")
    def _is_consistent(self) -> AuditSettings:
        if self.sample > 1 and not float(self.sample).is_integer():
            raise ValueError(f"sample is {self.sample}: a number of pairs, or a share below 1")
        if self.panel and (self.judge is None or not all(each.grades for each in (self.judge, *self.panel))):
            raise ValueError("panel: its members, the judge included, compare two texts; a guard confirms alone")
        asked = [(each.party.base_url.rstrip("/"), each.party.model) for each in self.members.values()]
        if len(set(asked)) < len(asked):
            raise ValueError("panel: two members are one model at one address, whose vote would count twice")
        self.protocol(0.0)
        return self

    @property
    def members(self) -> dict[str, Judge]:
        """Everyone who is asked, by model; one model at two addresses is told apart by them."""
        judges = [] if self.judge is None else [self.judge, *self.panel]
        models = [each.party.model for each in judges]
        return {
            each.party.model if models.count(each.party.model) == 1 else f"{each.party.model} {each.where}": each
            for each in judges
        }

    @property
    def statistics(self) -> Statistics:
        return Statistics(resamples=self.resamples, confidence=self.confidence)

    def protocol(self, unscreened_rate: float) -> Audit:
        """The audit of `dart.harm.audit` with this share of the pairs below the screen."""
        return Audit(
            screen=self.screen,
            orders=self.orders,
            votes=self.votes,
            unscreened_rate=unscreened_rate,
            may_miss=self.may_miss,
        )


def load_settings(file: Path | None, options: Mapping[str, Any]) -> AuditSettings:
    """The settings in `file` with `options` over them; an option that is None was not given.

    Args:
        options: by the names of `AuditSettings`; `judge` and `classifier` are mappings or "none", and what a mapping
            does not name is taken from the file.

    Raises:
        ParameterError: naming every field that is unknown, missing or out of range.
    """
    content = {} if file is None else read_yaml(file)
    where = "the options of dart audit" if file is None else str(file)
    merged = {**content, **{name: value for name, value in options.items() if value is not None}}
    for name, defaults in (("judge", {}), ("classifier", CLASSIFIER_DEFAULTS)):
        option, stated = options.get(name), content.get(name)
        if name == "judge" and isinstance(option, Mapping) and isinstance(stated, Mapping):
            stated = _without_other_kind(stated, option)
        if isinstance(option, Mapping):
            merged[name] = {**(stated if isinstance(stated, Mapping) else {}), **option}
        if isinstance(merged.get(name), Mapping):
            merged[name] = {**defaults, **merged[name]}
    if merged.get("judge") == NONE:
        merged["judge"] = None
    elif isinstance(merged.get("judge"), Mapping):
        merged["judge"] = _judge(merged["judge"])
    if isinstance(merged.get("panel"), list | tuple):
        merged["panel"] = [_judge(each) if isinstance(each, Mapping) else each for each in merged["panel"]]
    if problems := nonsense(content, where):
        raise ParameterError("\n".join(problems.values()))
    try:
        return AuditSettings.model_validate(merged)
    except ValidationError as error:
        raise ParameterError(f"{where}: {'; '.join(_reasons(error))}. docs/howto/audit.md lists the fields.") from None


def _without_other_kind(stated: Mapping[str, Any], option: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a file says of a judge, as far as options that name another kind of judge leave it."""
    if ("local" in option) == ("local" in stated) or not {"local", "base_url"} & option.keys():
        return stated
    return {name: value for name, value in stated.items() if name == "format"}


def _reasons(error: ValidationError) -> list[str]:
    """What is wrong, by the names that a user wrote: without the types between them."""
    internal = ("endpoint", "ScorerSpec")
    reasons = []
    for part in error.errors():
        names = [str(name) for name in part["loc"]]
        if not any(name.startswith("literal[") for name in names):
            field = ".".join(name for name in names if name not in internal)
            reasons.append(f"{field or 'settings'}: {part['msg'].removeprefix('Value error, ')}")
    return reasons or [str(error.errors()[0]["msg"])]


def _judge(fields: Mapping[str, Any]) -> dict[str, Any]:
    """`format` beside the fields of an endpoint, as in a profile; a dialect's fields stand before the defaults."""
    own = {name: fields[name] for name in ("format", "local") if name in fields}
    endpoint = {name: value for name, value in fields.items() if name not in own}
    if "local" in own and not endpoint:
        local = own["local"]
        return own | {"local": {"revision": None, **local} if isinstance(local, Mapping) else local}
    defaults = dict(JUDGE_DEFAULTS)
    if endpoint.get("dialect") is not None:
        from dart.core.schema.dialects import DIALECTS

        defaults = {key: value for key, value in defaults.items() if key not in DIALECTS.get(endpoint["dialect"], {})}
    return own | {"endpoint": {**defaults, **endpoint}}
