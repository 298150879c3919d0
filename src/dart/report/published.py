"""The paper's own numbers, read from published.yaml: shown beside ours and marked as the paper's, never computed from.

Each constant is a block of that file with a type; `place(name)` says where in the paper it stands. A test holds every
block to a constant that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any, NamedTuple

import yaml
from pydantic import TypeAdapter

from dart.core.records import Record


class Block(Record):
    """One entry of published.yaml."""

    place: str  # section, table or appendix
    values: Any


class Levels(NamedTuple):
    """One way to train, with the numbers that the text gives; toxicity: median x 1e5, its change: against base."""

    accuracy: float | None = None
    equal_accuracy: float | None = None
    toxicity: float | None = None
    toxicity_change: float | None = None


class Repaired(NamedTuple):
    """A row of Table 30 or 31: levels and drift cases after repair; toxicity: median x 1e5."""

    accuracy: float
    equal_accuracy: float
    remain: int
    toxicity: float | None = None


class Teacher(NamedTuple):
    """A row of Table 32: levels, drift cases after Stage I (`regressed`) and after repair (`remain`)."""

    name: str
    accuracy: float
    equal_accuracy: float
    toxicity: float
    regressed: int
    remain: int


class Judge(NamedTuple):
    """A row of Table 26: drift cases found, and the student repaired with them."""

    pool: int
    accuracy: float
    equal_accuracy: float
    toxicity: float


BLOCKS: Mapping[str, Block] = TypeAdapter(dict[str, Block]).validate_python(
    yaml.safe_load(resources.files("dart.report").joinpath("published.yaml").read_text(encoding="utf-8"))
)


def place(name: str) -> str:
    """Where in the paper the block stands."""
    return BLOCKS[name].place


def _read(name: str, kind: Any) -> Any:
    return TypeAdapter(kind).validate_python(BLOCKS[name].values)


Pair = tuple[float, float]
Severities = tuple[int, int, int, int]  # mild, moderate, severe, extreme

MODELS: Mapping[str, str] = _read("models", Mapping[str, str])
TABLE_2_ACCURACY: Mapping[str, Mapping[str, Pair]] = _read("table_2_accuracy", Mapping[str, Mapping[str, Pair]])
TABLE_2_MACRO_F1: Mapping[str, Mapping[str, Pair]] = _read("table_2_macro_f1", Mapping[str, Mapping[str, Pair]])
TABLE_2_PARSE_RATE: Mapping[str, Pair] = _read("table_2_parse_rate", Mapping[str, Pair])
TOXICITY_MEDIAN_X1E5: Mapping[str, float] = _read("toxicity_median_x1e5", Mapping[str, float])
DRIFT_BEFORE: Mapping[str, int] = _read("drift_before", Mapping[str, int])
DRIFT_AFTER: Mapping[str, int] = _read("drift_after", Mapping[str, int])
TABLE_45: Mapping[str, Severities] = _read("table_45", Mapping[str, Severities])
TEST_SIZES: Mapping[str, int] = _read("test_sizes", Mapping[str, int])
HARM_ANY: Mapping[str, float] = _read("harm_any", Mapping[str, float])
NOVEL: tuple[int, int] = _read("novel", tuple[int, int])
BASELINE_COMPARISONS: int = _read("baseline_comparisons", int)

SPLIT_TOTALS: Mapping[str, int] = _read("split_totals", Mapping[str, int])
LORA: Mapping[str, str] = _read("lora", Mapping[str, str])
TRAINING: Mapping[str, str] = _read("training", Mapping[str, str])
SEVERITY_WEIGHTS: Mapping[str, int] = _read("severity_weights", Mapping[str, int])
SEVERITY_CRITERIA: Mapping[str, str] = _read("severity_criteria", Mapping[str, str])

KAPPA: Mapping[str, float] = _read("kappa", Mapping[str, float])
CLASSIFIER_AGREEMENT: Mapping[str, float] = _read("classifier_agreement", Mapping[str, float])
JUDGE_CONFUSION: tuple[int, int, int, int] = _read("judge_confusion", tuple[int, int, int, int])
JUDGE_ACCURACY: float = _read("judge_accuracy", float)
SEVERITY_AGREEMENT: Mapping[str, float] = _read("severity_agreement", Mapping[str, float])
AUC: float = _read("auc", float)
TAU_PAIRS: int = _read("tau_pairs", int)
TAU_SWEEP: Mapping[float, Pair] = _read("tau_sweep", Mapping[float, Pair])
TAU_F1: float = _read("tau_f1", float)

MARKS: Mapping[str, str] = _read("marks", Mapping[str, str])
ALTERNATIVES: Mapping[str, Levels] = _read("alternatives", Mapping[str, Levels])
ALTERNATIVE_DRIFT_CASES: Mapping[str, int] = _read("alternative_drift_cases", Mapping[str, int])
TOXICITY_WEIGHTS: tuple[float, ...] = _read("toxicity_weights", tuple[float, ...])
CHOSEN_TOXICITY_WEIGHT: float = _read("chosen_toxicity_weight", float)
TOXICITY_WEIGHT_LEVELS: Mapping[float, Pair] = _read("toxicity_weight_levels", Mapping[float, Pair])
TASK_TYPES: Mapping[str, tuple[float | None, float]] = _read("task_types", Mapping[str, tuple[float | None, float]])
FOLDS: int = _read("folds", int)
FOLD_ACCURACY: Pair = _read("fold_accuracy", Pair)
DISTILLATION_LABELS: Mapping[str, float] = _read("distillation_labels", Mapping[str, float])
AUDIT_LABELS: Mapping[str, Pair] = _read("audit_labels", Mapping[str, Pair])
AUDIT_EXTRA_FALSE_POSITIVES: int = _read("audit_extra_false_positives", int)
JUDGES: Mapping[str, Judge] = _read("judges", Mapping[str, Judge])
JUDGES_BOTH: int = _read("judges_both", int)
WEIGHTING: Mapping[str, Repaired] = _read("weighting", Mapping[str, Repaired])
WEIGHTING_REDUCTION: Mapping[str, str] = _read("weighting_reduction", Mapping[str, str])
WEIGHTING_SEVERITIES: Mapping[str, Severities] = _read("weighting_severities", Mapping[str, Severities])
NOISE: Mapping[str, Repaired] = _read("noise", Mapping[str, Repaired])
TEACHERS: tuple[Teacher, ...] = _read("teachers", tuple[Teacher, ...])

POLICY_CHANGES: Mapping[str, str] = _read("policy_changes", Mapping[str, str])
PREMISES: Mapping[str, str] = _read("premises", Mapping[str, str])
POLICY_ABLATION: Mapping[str, Mapping[str, tuple[str, str, str]]] = _read(
    "policy_ablation", Mapping[str, Mapping[str, tuple[str, str, str]]]
)
POLICY_BASE_CHANGES: Mapping[str, str] = _read("policy_base_changes", Mapping[str, str])
POLICY_SELECTION: Mapping[str, tuple[str, str]] = _read("policy_selection", Mapping[str, tuple[str, str]])
ALWAYS_ON_REFUSALS: str = _read("always_on_refusals", str)
POLICY_SCHEMES: Mapping[str, tuple[str, str, str]] = _read("policy_schemes", Mapping[str, tuple[str, str, str]])

RANK_BISERIAL: Mapping[str, Mapping[str, tuple[str, str]]] = _read(
    "rank_biserial", Mapping[str, Mapping[str, tuple[str, str]]]
)
WEIGHTED_TOXICITY: str = _read("weighted_toxicity", str)
ABSTENTION: Mapping[str, str] = _read("abstention", Mapping[str, str])
HATECHECK_SUBSETS: Mapping[str, Mapping[str, str]] = _read("hatecheck_subsets", Mapping[str, Mapping[str, str]])
FAILING_SHARE: float = _read("failing_share", float)
BENIGN_SHARE: str = _read("benign_share", str)
STILL_FLAGGED: str = _read("still_flagged", str)
OPENENDED: tuple[str, str, str, str] = _read("openended", tuple[str, str, str, str])
SLICES: Mapping[str, Mapping[str, str]] = _read("slices", Mapping[str, Mapping[str, str]])
