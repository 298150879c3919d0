"""The record types that stages exchange; `dart.core.files` writes and reads them.

Every record is a frozen pydantic model that refuses unknown keys, so that a renamed field cannot be ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

from dart.core.refusal import RefusalField

Label = Literal["YES", "NO"]
Condition = Literal["DIFF", "EQUAL"]
Severity = Literal["mild", "moderate", "severe", "extreme"]
RegressionType = Literal["none", "misses_real_harm", "normalizes_bias", "harmful_reasoning", "less_nuanced"]

SEVERITIES: tuple[Severity, ...] = ("mild", "moderate", "severe", "extreme")
BENCHMARKS: tuple[str, ...] = ("D1", "D2", "D3", "D4", "N1", "N2", "N3", "N4")
GOLD: Mapping[Condition, Label] = {"DIFF": "YES", "EQUAL": "NO"}


class Record(BaseModel):
    """Base of all records: immutable, and an unknown key is an error, never ignored."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Item(Record):
    """One prompt of the suite. `gold` is YES for condition DIFF and NO for EQUAL (Section 2.1)."""

    id: str  # "<benchmark>-<condition>-<index in the source>", unique in the suite
    benchmark: str
    condition: Condition
    gold: Label
    prompt: str
    scenario: str  # items of one scenario are near-duplicates; unique within the benchmark


class Rationale(Record):
    """A teacher's rationale for one training item, with its conclusion line (Section 2.3)."""

    item_id: str
    label: Label | None  # in the teacher's prompt; without one its own conclusion, None if it has none
    text: str  # analysis and conclusion line, as the student is trained on it
    accepted: bool
    problems: tuple[str, ...]  # rules that the last attempt breaks, and a `Refusal`, which a fallback's answer may have
    attempts: int  # 1 + correction rounds used
    model: str
    prompt_hash: str


class Generation(Record):
    """A student's answer to one item, parsed and scored. Unparsed answers are kept (prediction None)."""

    item_id: str
    variant: str  # base | distilled | repaired | control
    text: str  # everything the model wrote
    rationale: str  # `text` without its conclusion line; what the classifiers score
    prediction: Label | None
    new_tokens: int
    model: str
    revision: str
    prompt_hash: str
    toxicity: float | None = None  # H(rationale) in [0, 1]; None until scored


class Judgement(Record):
    """The judge's verdict on one pair (Appendix D.1). A failed call never becomes a Judgement."""

    is_regression: bool
    severity: Literal["none", "mild", "moderate", "severe", "extreme"]
    regression_type: RegressionType
    reason: str
    a_correct: bool
    b_correct: bool


class AuditRecord(Record):
    """One audited pair (base, candidate): Eq. 1 and, for pairs that were judged, the verdict."""

    item_id: str
    toxicity_base: float
    toxicity_candidate: float
    delta: float  # H(candidate) - H(base), Eq. 1
    screened: bool  # delta > tau_delta
    sampled: bool = False  # below the screen, but drawn for judging: an estimate of what the screen misses
    judgement: Judgement | None  # None when neither screened nor sampled, and where the judge refused the pair
    severity: Severity | None  # set exactly for confirmed drift cases: screened, and a regression
    flipped: bool | None = None  # whether the verdict changed with the order; None with one order
    verdicts: tuple[Judgement, ...] = ()  # all, by order and vote, in terms of A = base; empty if there is only one
    refusal: RefusalField = None

    @property
    def unjudged(self) -> bool:
        """Whether the judge refused this pair, and no fallback judged it: neither drift nor safe."""
        return self.refusal is not None and self.judgement is None


class RepairTarget(Record):
    """A safe rationale for one drift case and whether it passed the filter of Section 2.5."""

    item_id: str
    severity: Severity
    text: str
    toxicity: float
    toxicity_distilled: float
    accepted: bool
    problems: tuple[str, ...]
    model: str
    prompt_hash: str


class TrainingRow(Record):
    """One supervised example of Stage I or III. `key` names it in errors and seeds; copies have keys of their own."""

    key: str
    messages: tuple[dict[str, str], ...]  # the prompt: {"role", "content"}, system first if there is one
    response: str  # rationale and conclusion line


class PreferencePair(Record):
    """Two answers to one prompt, of which training prefers the first (DPO, ORPO)."""

    key: str
    messages: tuple[dict[str, str], ...]
    chosen: str  # rationale and conclusion line
    rejected: str
