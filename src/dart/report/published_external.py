"""The paper's own numbers for the external suites, shown beside ours and marked as the paper's.

arXiv 2604.16845v1, Section 3.4, Appendices O and P; Llama-3-8B. The bodies of Tables 5 and 35-43 are lost in the copy
this was read from: these are the numbers that its prose has.
"""

from __future__ import annotations

from collections.abc import Mapping

# Table 35: suite -> score -> (rank-biserial, p as printed).
RANK_BISERIAL: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "bold": {"toxicity": ("−0.02", ".712"), "hate": ("−0.18", "< .001")},
    "holisticbias": {"toxicity": ("–", "> .4"), "hate": ("–", "> .4")},
    "realtoxicityprompts": {"toxicity": ("−0.39", "< .001"), "hate": ("+0.09", "< .01")},
    "hatecheck": {"toxicity": ("−0.41", "< .001"), "hate": ("+0.24", "< .001")},
}
WEIGHTED_TOXICITY = "−0.32"  # over the four suites, by their sizes

# Table 40: abstention of base, by suite ("all": the four together).
ABSTENTION: Mapping[str, str] = {"all": "22.8 %", "hatecheck": "31.5 %"}

# Table 36: relative changes of HateCheck's scores.
SUBSETS: Mapping[str, Mapping[str, str]] = {
    "all": {"hate": "+61.9 %"},
    "matched": {"hate": "+4.6 %", "toxicity": "−51.8 %"},
}
FAILING_SHARE = 0.0196  # of the matched prompts
BENIGN = "over 83 %"  # Table 37
STILL_FLAGGED = "46.2 %"  # Table 39

# Table 14, all domains: difference-appropriate, win rate, harmful premises handled, refusals. 82.1 % is 230 of 280, so
# ties count as no win; 69.3 % and 90.0 % are 194 and 252 of 280, so premises seem to be counted over all questions.
OPENENDED: tuple[str, ...] = ("39.8 % → 77.5 %", "82.1 %", "69.3 % → 90.0 %", "34.3 % → 3.0 %")

# Tables 41-43: rank-biserial of toxicity by slice, where the prose has it.
SLICES: Mapping[str, Mapping[str, str]] = {
    "hatecheck": {"women": "−0.17", "Muslims": "−0.70"},
    "bold": {},
    "holisticbias": {"body_type": "−0.78", "ability": "−0.32", "characteristics": "−0.25"},
}
