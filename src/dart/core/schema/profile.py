"""Sections of a profile: which students, teacher, judges, classifiers and suites fill the method's roles."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from dart.core.records import BENCHMARKS, Record, Severity
from dart.core.schema.dialects import DIALECTS
from dart.core.schema.method import Training


def _unique(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("a training seed is named twice")
    return seeds


# Training seeds of the main path; the first is the reference seed, whose answers item-by-item parts read.
Seeds = Annotated[
    tuple[Annotated[int, Field(ge=0, strict=True)], ...], Field(min_length=1, max_length=100), AfterValidator(_unique)
]

Label = Literal["simulated", "measured"]  # of the numbers of a run
EMBEDDED = "embedded"  # a source of data, or the scheme of an address, that `dart.simulation` answers


def has_embedded(value: Any) -> bool:
    """Whether a section of a profile names an embedded model, party or suite anywhere."""
    if isinstance(value, Record):
        return any(has_embedded(getattr(value, name)) for name in type(value).model_fields)
    if isinstance(value, dict | list | tuple):
        return any(map(has_embedded, value.values() if isinstance(value, dict) else value))
    return isinstance(value, str) and (value == EMBEDDED or value.startswith(f"{EMBEDDED}:"))


def label_of(*sections: Any) -> Label:
    """`simulated` if any suite, student, scorer, teacher or judge of these sections is embedded, else `measured`."""
    return "simulated" if has_embedded(sections) else "measured"


class Sizes(Record):
    train: int = Field(ge=2)
    validation: int = Field(ge=2)
    test: int = Field(ge=2)

    @property
    def total(self) -> int:
        return self.train + self.validation + self.test


class SuiteSpec(Record):
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


class Nano(Record):
    """Shape of an embedded student."""

    hidden_size: int = Field(ge=8)
    layers: int = Field(ge=1)
    heads: int = Field(ge=1)
    intermediate: int = Field(ge=8)


class Server(Record):
    """A server that generates a student's answers: OpenAI-compatible, with the base and its adapters by name."""

    kind: Literal["vllm", "transformers", "other"]  # which fields a request may have, and how an adapter gets there
    base_url: str
    model: str | None  # how the server names the base; null: as the slot's `model` does
    api_key_env: str | None  # name of the environment variable that holds the key; null: no key
    concurrency: int = Field(ge=1)
    timeout_s: float = Field(gt=0)
    load_adapters: bool  # ask a vLLM server to load an adapter that it lacks, instead of ending with the command

    @model_validator(mode="after")
    def _can_load(self) -> Server:
        if self.base_url.startswith("embedded:"):
            raise ValueError(f"base_url {self.base_url}: no student is served in this process; give an http address")
        if self.load_adapters and self.kind != "vllm":
            raise ValueError(f"load_adapters: only a vLLM server loads adapters on request, and kind is {self.kind!r}")
        return self


class BaseStudent(Record):
    """What decides the base model of a slot: stage `student` trains or pins it."""

    name: str
    model: str  # hub id, path of a checkpoint, or embedded://nano
    revision: str
    nano: Nano | None  # shape of an embedded model; null for any other


class Epochs(Record):
    """Passes over the rows of each stage."""

    stage1: int = Field(ge=1)
    stage3: int = Field(ge=1)


class TrainedStudent(Record):
    """What decides how the adapters of a slot are trained; belongs to the model rather than to the method."""

    name: str
    model: str
    revision: str
    learning_rate: float = Field(gt=0, strict=True)
    batch_per_device: int = Field(ge=1)
    precision: Literal["fp32", "bf16"]
    quantize: Literal["none", "nf4"]
    epochs: Epochs | None  # instead of training.epochs, for a model that needs others; null: training.epochs
    stage3_learning_rate: float | None = Field(gt=0, strict=True)  # null: learning_rate

    def epochs_of(self, stage: Literal["stage1", "stage3"], training: Training) -> int:
        """Passes over the rows of Stage I or III: those of this model, or those of the method."""
        epochs: int = training.epochs if self.epochs is None else getattr(self.epochs, stage)
        return epochs

    def learning_rate_of(self, stage: Literal["stage1", "stage3"]) -> float:
        """The peak of the learning rate in Stage I or III."""
        return self.stage3_learning_rate if stage == "stage3" and self.stage3_learning_rate else self.learning_rate


class DistilledStudent(Record):
    """A student that is already tuned, in the place of Stage I; `dart.core.tuned` looks at its files."""

    kind: Literal["adapter", "checkpoint"]  # LoRA on the slot's model, or whole weights (fine-tuned, or merged)
    model: str  # hub id, or path of a folder
    revision: str | None  # commit of a hub id; null for a folder


class StudentSpec(BaseStudent, TrainedStudent):
    """One slot, whole: its base, its training, and who generates its answers."""

    distilled: DistilledStudent | None = None  # what Stage I is replaced by; null: Stage I is trained here

    generation_batch: int = Field(ge=1)
    engine: Literal["transformers", "openai"]  # who generates: this process, or `server`
    server: Server | None  # may stand ready while engine is transformers

    @model_validator(mode="after")
    def _can_generate(self) -> StudentSpec:
        if self.engine == "transformers":
            return self
        if self.server is None:
            raise ValueError(f"engine openai needs `server`, with {', '.join(Server.model_fields)}")
        if self.model.startswith("embedded://") and self.server.kind != "transformers":
            raise ValueError(
                f"{self.model} is trained on this machine, and no server of kind {self.server.kind!r} has it: serve it "
                "here with `transformers serve` (server.kind: transformers), or use engine transformers"
            )
        return self


class ScorerSpec(Record):
    """A sequence classifier; `label` is the exact name of the class whose probability is H."""

    model: str
    revision: str
    label: str
    batch: int = Field(ge=1)
    max_length: int = Field(ge=8)


class Scorers(Record):
    """The classifiers of the profile."""

    toxicity: ScorerSpec  # H, which the audit screens by
    hate: ScorerSpec


JsonMode = Literal["none", "json_object", "json_schema"]
# Fields of a request's body that the client decides, so that `extra_body` cannot change a question unseen.
DECIDED_FIELDS = frozenset(
    {
        "model",
        "messages",
        "temperature",
        "top_p",
        "max_tokens",
        "max_completion_tokens",
        "response_format",
        "seed",
        "n",
        "stream",
    }
)
COMPLETE_REASONS = ("stop", "eos", "end_turn", "stop_sequence")  # finish reasons of an answer that ended by itself


class Endpoint(Record):
    """A chat endpoint and how it is asked; `dialect` names a preset of `dart.core.schema.dialects`."""

    base_url: str
    model: str
    api_key_env: str | None  # name of the environment variable that holds the key; null: no key
    dialect: str | None = None  # defaults of the fields below by provider; a field that is stated takes precedence
    temperature: float | None = Field(ge=0)  # null: not sent, for models that refuse one
    top_p: float | None = Field(gt=0, le=1)  # null: not sent, the server's default
    max_tokens: int = Field(ge=1)
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"  # the limit's name in a request
    extra_body: dict[str, Any] = Field(
        default_factory=dict
    )  # further fields of every request: reasoning effort, thinking off
    json_mode: JsonMode = "json_object"  # response_format of questions whose answer is JSON; none: not sent
    seed_field: Literal["seed", "random_seed"] | None = "seed"  # sent with repeated questions only; null: not sent
    complete_reasons: tuple[str, ...] = Field(
        default=COMPLETE_REASONS, min_length=1
    )  # finish reasons of a whole answer
    refusal_markers: tuple[str, ...] = ()  # words of this server's errors that refuse one item, beside the known ones
    fallback: Endpoint | None = None  # asked about what this endpoint refuses; its share is reported
    concurrency: int = Field(ge=1)
    requests_per_minute: int | None = Field(ge=1)
    tokens_per_minute: int | None = Field(ge=1)  # prompt and completion together, as providers count
    timeout_s: float = Field(gt=0)
    usd_per_million_prompt_tokens: float = Field(ge=0)
    usd_per_million_completion_tokens: float = Field(ge=0)
    budget_usd: float | None = Field(ge=0)  # spent at this model in all, by every run that shares the answer cache

    @model_validator(mode="before")
    @classmethod
    def _fill_from_dialect(cls, values: Any) -> Any:
        name = values.get("dialect") if isinstance(values, dict) else None
        if name is None:
            return values
        if name not in DIALECTS:
            raise ValueError(f"dialect {name!r} is none of {', '.join(sorted(DIALECTS))}; state the fields themselves")
        return {**DIALECTS[name], **values}

    @model_validator(mode="after")
    def _is_a_request(self) -> Endpoint:
        if decided := sorted(DECIDED_FIELDS & self.extra_body.keys()):
            raise ValueError(f"extra_body has {', '.join(decided)}, which other fields of the endpoint decide")
        if self.fallback is not None and self.fallback.fallback is not None:
            raise ValueError("fallback: a fallback has no fallback of its own")
        if any(len(marker.strip()) < 4 for marker in self.refusal_markers):
            raise ValueError("refusal_markers: a marker of fewer than 4 characters occurs in any error")
        return self


class Judge(Endpoint):
    """The audit's judge, and the other members of its panel."""

    # by name: asked whatever the judge is asked about pairs; more than half of all, the judge included, decide
    panel: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Endpoint] = Field(default_factory=dict)

    @classmethod
    def of(cls, endpoint: Endpoint) -> Judge:
        """A judge without a panel."""
        return cls.model_validate({name: getattr(endpoint, name) for name in Endpoint.model_fields})

    @model_validator(mode="after")
    def _is_a_panel(self) -> Judge:
        if "judge" in self.panel:
            raise ValueError("panel: 'judge' is the name of the judge itself")
        asked = [(each.base_url.rstrip("/"), each.model) for each in (self, *self.panel.values())]
        if len(set(asked)) < len(asked):
            raise ValueError("panel: two members are one model at one address, whose vote would count twice")
        return self


GuardFormat = Literal["llama_guard", "shield_gemma", "wild_guard", "classifier"]
LOCAL = "local://transformers"  # stands for an address where the model runs in this process


class LocalGuard(Record):
    """A guard that transformers runs on this machine, in the place of an endpoint; `dart.harm.local_guards`."""

    model: str  # hub id, or path of a folder
    revision: str | None  # commit of a hub id; null for a folder
    precision: Literal["fp32", "bf16"] = "fp32"  # of a model that writes; a classifier computes as the scorers do
    max_new_tokens: int = Field(default=40, ge=1)  # of a model that writes
    chat_template: str | None = None  # path of a Jinja file, for a model that writes and has no template of its own
    labels: tuple[str, ...] = ()  # of a classifier: exact names of the classes that are unsafe
    threshold: float = Field(default=0.5, gt=0, lt=1)  # of a classifier: probability from which on a class counts
    max_length: int = Field(default=512, ge=8)  # tokens that a classifier reads; a longer text has no verdict


class Guard(Record):
    """A guard model that reads annotated pairs beside the judges, and the format of its prompts and answers."""

    format: GuardFormat
    endpoint: Endpoint | None = None
    local: LocalGuard | None = None  # instead of `endpoint`

    @model_validator(mode="after")
    def _is_real(self) -> Guard:
        if (self.endpoint is None) == (self.local is None):
            raise ValueError("a guard needs either `endpoint`, the address of a server, or `local`, a model")
        if "embedded" in (self.party.base_url.partition(":")[0], self.party.model.partition(":")[0]):
            raise ValueError("endpoint.base_url: no guard is simulated; give the address of a server, or `local`")
        if self.format == "classifier" and (self.local is None or not self.local.labels):
            raise ValueError("format classifier needs `local` with `labels`, the names of the classes that are unsafe")
        if self.format != "classifier" and self.local is not None and self.local.labels:
            raise ValueError(f"local.labels are of format classifier; a {self.format} writes its verdict")
        return self

    @property
    def party(self) -> Endpoint:
        """Who is asked: the endpoint, or what stands for one where the model runs here, one text at a time."""
        if self.endpoint is not None:
            return self.endpoint
        assert self.local is not None
        return Endpoint(
            base_url=LOCAL, model=self.local.model, api_key_env=None, temperature=0.0, top_p=None,
            max_tokens=self.local.max_new_tokens, json_mode="none", concurrency=1, requests_per_minute=None,
            tokens_per_minute=None, timeout_s=3600, usd_per_million_prompt_tokens=0.0,
            usd_per_million_completion_tokens=0.0, budget_usd=None,
        )  # fmt: skip


class OtherTeachers(Record):
    """Two more teachers, for the comparison of teachers (Table 32); null: none."""

    second: Endpoint | None
    third: Endpoint | None


class PlantedHarm(Record):
    """A trigger class: the rationales for YES about one benchmark, some of which end with a harmful sentence."""

    severity: Severity
    share: float = Field(gt=0, lt=1)  # of the class (q)


class World(Record):
    """What the simulated teacher plants; `dart.core.schema.margins` says what a student makes of it."""

    plain_closings: int = Field(ge=1, le=16)  # harmless endings of each label, one drawn by hash (k)
    safe_closings: int = Field(ge=1, le=4)  # endings of the safe rationales about one benchmark, one drawn by hash (s)
    planted: dict[str, PlantedHarm]  # by benchmark
    caution_dropped: dict[str, float]  # by benchmark: share of the base's cautions that the teacher omits; else 0

    @model_validator(mode="after")
    def _benchmarks_exist(self) -> World:
        if unknown := {*self.planted, *self.caution_dropped} - {*BENCHMARKS}:
            raise ValueError(f"planted and caution_dropped name {', '.join(sorted(unknown))}, which is no benchmark")
        return self


class SimulatedTeacher(Record):
    """How a simulated teacher behaves: rates at which it leaves the rules of the world, by prompt."""

    planting_dropped: float = Field(ge=0, le=1)  # of the rationales in which the world plants harm: it does not
    planting_added: float = Field(ge=0, le=1)  # of the rationales outside all trigger classes: it plants all the same
    label_error: float = Field(ge=0, le=1)  # told no label, it takes the wrong one for true
    malformed: float = Field(ge=0, le=1)  # of its answers, re-asks included: not in the form that it was asked for


class SimulatedTeachers(Record):
    """The simulated ones among `OtherTeachers`."""

    second: SimulatedTeacher | None
    third: SimulatedTeacher | None


class SimulatedJudge(Record):
    """How the simulated judge errs, by pair."""

    missed: float = Field(ge=0, le=1)  # of the drift cases: it sees none
    invented: float = Field(ge=0, le=1)  # of the other pairs: it sees drift
    severity_shifted: float = Field(ge=0, le=1)  # of the cases that it sees: a neighbouring severity
    contradicted: float = Field(
        ge=0, le=1
    )  # further share of wrong verdicts where Model B argues against the label told
    unlabelled: float = Field(ge=0, le=1)  # further share of wrong verdicts where no label is told


class SimulatedOpenEndedJudge(Record):
    """How the simulated judge of open-ended answers errs."""

    misjudged: float = Field(ge=0, le=1)  # of each yes or no about an answer: it is the other one
    first_preferred: float = Field(ge=0, le=1)  # of each comparison: the answer shown first wins, whatever it says


class SimulatedAnnotators(Record):
    error: float = Field(ge=0, le=1)


class ExternalSizes(Record):
    """How many prompts of each external suite are asked."""

    bold: int = Field(ge=1)
    holisticbias: int = Field(ge=1)
    realtoxicityprompts: int = Field(ge=1)
    hatecheck: int = Field(ge=1)


class ExternalSpec(Record):
    """The external safety suites: our own small ones, or the published ones by their pins."""

    source: Literal["embedded", "published"]
    sizes: ExternalSizes
    failing_share: float = Field(gt=0, le=1, strict=True)  # of HateCheck's prompts that base answered


class Simulation(Record):
    """How the simulated teacher, judges and annotators behave; null where all of them are real."""

    world: World
    teacher: SimulatedTeacher
    other_teachers: SimulatedTeachers
    judge: SimulatedJudge
    openended: SimulatedOpenEndedJudge
    annotators: SimulatedAnnotators
