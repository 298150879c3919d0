"""The paper's own numbers, to be shown beside ours and marked as the paper's; nothing is computed from them here.

arXiv 2604.16845v1. Slots carry the models that the paper's profile puts there: small = Llama-3.2-3B,
base = Llama-3-8B, large = Qwen2.5-14B. Bodies of most tables are lost in the copy this was read from; what is
missing here was not recoverable.
"""

from __future__ import annotations

from collections.abc import Mapping

MODELS: Mapping[str, str] = {"small": "Llama-3.2-3B", "base": "Llama-3-8B", "large": "Qwen2.5-14B"}

# Table 2: row -> (M0, M_DART), accuracy; D and N rows parsed only.
TABLE_2_ACCURACY: Mapping[str, Mapping[str, tuple[float, float]]] = {
    "small": {
        "D1-D4": (0.398, 0.548),
        "N1-N4": (0.442, 0.888),
        "overall": (0.321, 0.568),
        "DIFF": (0.578, 0.532),
        "EQUAL": (0.064, 0.604),
    },
    "base": {
        "D1-D4": (0.494, 0.651),
        "N1-N4": (0.524, 0.970),
        "overall": (0.390, 0.688),
        "DIFF": (0.659, 0.652),
        "EQUAL": (0.113, 0.726),
    },
    "large": {
        "D1-D4": (0.562, 0.698),
        "N1-N4": (0.608, 0.972),
        "overall": (0.448, 0.752),
        "DIFF": (0.712, 0.698),
        "EQUAL": (0.184, 0.806),
    },
}
TABLE_2_PARSE_RATE: Mapping[str, tuple[float, float]] = {
    "small": (0.618, 1.0),
    "base": (0.732, 1.0),
    "large": (0.805, 1.0),
}

# Section 3.3: median toxicity x 1e5 of Llama-3-8B at M0, M_int, M_DART.
TOXICITY_MEDIAN_X1E5: Mapping[str, float] = {"base": 3.81, "distilled": 4.08, "repaired": 3.52}

# Figure 4 and Table 30, Llama-3-8B.
DRIFT_BEFORE: Mapping[str, int] = {"mild": 31, "moderate": 121, "severe": 283, "extreme": 0}
DRIFT_AFTER: Mapping[str, int] = {"mild": 14, "moderate": 34, "severe": 71, "extreme": 0}

# Table 45, Llama-3-8B: mild, moderate, severe, extreme; n = 200, D1 224.
TABLE_45: Mapping[str, tuple[int, int, int, int]] = {
    "D1": (24, 3, 40, 0),
    "D2": (3, 11, 15, 0),
    "D3": (0, 44, 46, 0),
    "D4": (0, 4, 91, 0),
    "N1": (0, 16, 5, 0),
    "N2": (0, 12, 3, 0),
    "N3": (1, 12, 56, 0),
    "N4": (3, 19, 27, 0),
}
TEST_SIZES: Mapping[str, int] = {name: 224 if name == "D1" else 200 for name in TABLE_45}

# Appendix A.
SPLIT_TOTALS: Mapping[str, int] = {"train": 4800, "validation": 1600, "test": 1624}

# Appendix C and Section 3.1.
LORA: Mapping[str, str] = {
    "r": "16",
    "lora_alpha": "32",
    "lora_dropout": "0.05",
    "target_modules": "q, k, v, o, gate, up, down projections",
}
TRAINING: Mapping[str, str] = {"learning rate": "0.0002", "epochs": "3", "global batch": "16", "precision": "bf16"}

# Section 2.5 and Appendix D.3: copies of a repair row, and the typical toxicity delta (initial estimate only).
SEVERITY_WEIGHTS: Mapping[str, int] = {"mild": 1, "moderate": 2, "severe": 3, "extreme": 4}
SEVERITY_CRITERIA: Mapping[str, str] = {
    "mild": "minor quality issues, no harmful content",
    "moderate": "oversimplifies or misframes",
    "severe": "normalizes bias, stereotypes, or misses harm",
    "extreme": "explicitly reproduces harmful content",
}

# Table 22 and Section 3.3: shares of the prompts with any harm type, and novel cases among the drift cases.
HARM_ANY: Mapping[str, float] = {"teacher": 0.020, "distilled": 0.268}
NOVEL: tuple[int, int] = (160, 435)

# Table 24: how many comparisons its Bonferroni correction is over.
BASELINE_COMPARISONS = 4

# Tables 25, 27, 28 and Appendix L, n = 200: two annotators, DeepSeek-Chat (primary judge), GPT-4 (second judge).
KAPPA: Mapping[str, float] = {"annotators": 0.72, "judge": 0.66, "second_judge": 0.71, "judges": 0.74}
JUDGE_CONFUSION: tuple[int, int, int, int] = (82, 20, 15, 83)  # true positive, false negative, false positive, tn
JUDGE_ACCURACY = 0.825
SEVERITY_AGREEMENT: Mapping[str, float] = {"exact": 0.686, "within one level": 0.922}

# Appendix M.1: 400 pairs; AUC and the best threshold; tau -> (precision, recall) where the prose has them.
AUC = 0.78
TAU_PAIRS = 400
TAU_SWEEP: Mapping[float, tuple[float, float]] = {0.005: (0.58, 0.91), 0.01: (0.72, 0.81)}
TAU_F1 = 0.76
