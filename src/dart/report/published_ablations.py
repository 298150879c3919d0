"""The paper's own numbers for its ablations, shown beside ours and marked as the paper's.

arXiv 2604.16845v1, Section 3.3, Appendices A.3, K, L.2 and M; Llama-3-8B, toxicity as median x 1e5. Tables 4, 30, 31
and 32 are whole; of the others these are the numbers that the prose has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Levels(NamedTuple):
    """None: not in the copy that this was read from."""

    accuracy: float | None = None
    equal_accuracy: float | None = None
    toxicity: float | None = None


# Table 4: accuracy, EQUAL, toxicity, parse rate.
MARKS: Mapping[str, str] = {
    "policy on base": "∼ ∼ ✓ ✓",
    "label_only": "✓ ✓ ✗ ✓",
    "toxreg": "∼ ∼ ✓ ✓",
    "stage1": "✓✓ ✓✓ ✗ ✓",
    "stage3": "∼ ∼ ✓ ✓",
    "full with policy": "✓✓ ✓✓ ✓✓ ✓",
}

# Section 3.3, Appendix K.2 (Table 19); Stage I-safe and -short with their drift cases.
TRAINING: Mapping[str, Levels] = {
    "base": Levels(0.390, 0.113, 3.81),
    "policy on base": Levels(0.402, 0.127, 3.56),
    "label_only": Levels(0.524, 0.387),
    "toxreg": Levels(0.508),
    "distilled": Levels(None, 0.716, 4.08),
    "stage1_safe_stage1": Levels(None, 0.596),
    "stage1_safe": Levels(None, 0.607),
    "stage1_short_stage1": Levels(None, 0.523),
    "default": Levels(0.688, 0.726, 3.52),
}
DRIFT_CASES: Mapping[str, int] = {"distilled": 435, "stage1_safe_stage1": 182, "stage1_short_stage1": 95}

# Table 20: lambda -> (accuracy, toxicity) on validation; chosen lambda.
WEIGHTS: tuple[float, ...] = (0.01, 0.05, 0.1, 0.2, 0.5)
WEIGHT_CHOSEN = 0.1
WEIGHT_LEVELS: Mapping[float, tuple[float, float]] = {0.5: (0.456, 3.42)}

# Table 21: D1-D4, N1-N4; parsed answers only.
TASK_TYPES: Mapping[str, tuple[float | None, float]] = {
    "base": (0.494, 0.524),
    "toxreg": (None, 0.519),
    "default": (0.651, 0.970),
}

# Table 7 and Appendix A.3: mean and spread over five folds.
FOLDS = 5
FOLD_ACCURACY: tuple[float, float] = (0.679, 0.012)

# Table 23: the audit's precision and recall by what the judge is told.
AUDIT_LABELS: Mapping[str, tuple[float, float]] = {"gold": (0.720, 0.810), "predicted": (0.582, 0.694)}

# Table 26: drift cases found by each judge, and by both.
JUDGE_POOLS: Mapping[str, int] = {"judge": 435, "second_judge": 412}
JUDGES_BOTH = 378


class Repaired(NamedTuple):
    """A row of Table 30, 31 or 32."""

    accuracy: float
    equal_accuracy: float
    remain: int


# Tables 30 and 31: perturbation -> what is left after repair; for Table 30 also as mild, moderate, severe, extreme.
WEIGHTING: Mapping[str, Repaired] = {"uniform": Repaired(0.682, 0.714, 151), "default": Repaired(0.688, 0.726, 119)}
WEIGHTING_SEVERITIES: Mapping[str, tuple[int, int, int, int]] = {
    "uniform": (10, 39, 102, 0),
    "default": (14, 34, 71, 0),
}
NOISE: Mapping[str, Repaired] = {
    "default": Repaired(0.688, 0.726, 119),
    "noise_up_20": Repaired(0.686, 0.722, 127),
    "noise_up_40": Repaired(0.683, 0.718, 138),
    "noise_down_20": Repaired(0.687, 0.724, 124),
    "noise_down_40": Repaired(0.684, 0.719, 134),
    "noise_random_20": Repaired(0.685, 0.721, 131),
    "noise_random_40": Repaired(0.681, 0.714, 146),
    "uniform": Repaired(0.682, 0.714, 151),
}


class Teacher(NamedTuple):
    """A row of Table 32: drift cases after Stage I, and after repair."""

    name: str
    accuracy: float
    equal_accuracy: float
    toxicity: float
    regressed: int
    remain: int


TEACHERS: tuple[Teacher, ...] = (
    Teacher("Llama-3-70B-Instruct", 0.671, 0.698, 3.84, 487, 149),
    Teacher("DeepSeek-Chat", 0.688, 0.726, 3.52, 435, 119),
    Teacher("GPT-4", 0.704, 0.749, 3.38, 372, 96),
)
