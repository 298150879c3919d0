"""The paper's own numbers for the inference-time policy, shown beside ours and marked as the paper's.

arXiv 2604.16845v1, Section 3.3.2, Appendices K.1 and N; Llama-3-8B. The bodies of Tables 3, 17, 18, 33 and 34 are lost
in the copy this was read from: these are the numbers that its prose and captions have.
"""

from __future__ import annotations

from collections.abc import Mapping

# Table 3: M_DART with the policy against without.
REPAIRED_CHANGES: Mapping[str, str] = {
    "accuracy": "−0.004",
    "median": "−21.4 %",
    "q95": "−36.7 %",
}
DETECTION = "94.2 % precision, 87.6 % recall"  # of harmful premises

# Table 17: (variant, policy on) -> accuracy, EQUAL accuracy, median toxicity x 1e5.
ABLATION: Mapping[tuple[str, bool], tuple[str, str, str]] = {
    ("base", False): ("0.390", "0.113", "3.92"),
    ("base", True): ("0.402", "0.127", "3.56"),
    ("distilled", False): ("0.682", "0.716", "4.08"),
    ("distilled", True): ("–", "–", "3.31"),
    ("repaired", False): ("0.688", "0.726", "3.64"),
    ("repaired", True): ("0.684", "–", "2.86"),
}

# Table 18: relative changes of base under the policy; its YES rate.
BASE_CHANGES: Mapping[str, str] = {
    "YES of parsed": "88.6 % → 86.9 %",
    "unparsed": "−59.3 %",
    "words": "−33.5 %",
}

# Table 33: outcome -> prompts, answers that are right all the same. Matches are what the two mismatches leave of 1,624.
SELECTION: Mapping[str, tuple[str, str]] = {
    "match": ("1118 (68.8 %)", "–"),
    "under_engagement": ("284 (17.5 %)", "66 (23.2 %)"),
    "over_engagement": ("222 (13.7 %)", "70 (31.5 %)"),
}

ALWAYS_ON_REFUSALS = "4.5 %"

# Table 34: scheme -> accuracy, change of median toxicity.
SCHEMES: Mapping[str, tuple[str, str]] = {
    "off": ("0.688", "–"),
    "two_pass": ("0.684", "−21.4 %"),
    "single_pass": ("0.688", "–"),
    "always_on": ("0.672", "–"),
    "oracle": ("0.702", "−23.6 %"),
    "random": ("–", "−14.3 %"),
}
