"""Draw the paper's samples: stratified, seeded, and independent of the order of the files.

Appendix O.1: BOLD 1,000 over its five dimensions, HolisticBias all 192, RealToxicityPrompts 1,000 by input toxicity,
HateCheck all 3,728. The paper does not say how many of each stratum: BOLD and HateCheck are drawn in proportion,
RealToxicityPrompts in equal parts, because the mix of strata in its file does not represent any population.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from dart.core.errors import DataError
from dart.core.seeds import digest
from dart.external.items import DISPLAY, ExternalItem, SuiteName, group_names, outside_slices


def stratum(item: ExternalItem) -> str:
    """The stratum of an item: its functionality in HateCheck, its group or groups in the other suites."""
    return item.functionality or " + ".join(item.groups)


# Deviates from the paper: hatecheck-sample - groups are analysed on the cases of the other tables, not on 1,000
# Deviates from the paper: external-strata - its sizes by stratum are unknown; its slices of BOLD fit no usual rule
def draw_sample(items: Sequence[ExternalItem], size: int, seed: int) -> list[ExternalItem]:
    """`size` items, in the order of `items`.

    Raises:
        DataError: there are fewer than `size`, or no items.
    """
    if not items:
        raise DataError("There are no prompts to draw a sample from.")
    suite = items[0].suite
    if size > len(items):
        raise DataError(
            f"external.sizes.{suite} is {size}, but {DISPLAY[suite]} has {len(items)} prompts here. Lower it in the "
            "profile."
        )
    strata: dict[str, list[ExternalItem]] = {}
    for item in items:
        strata.setdefault(stratum(item), []).append(item)
    available = {name: len(members) for name, members in strata.items()}
    shares = in_equal_parts(available, size) if suite == "realtoxicityprompts" else in_proportion(available, size)
    chosen: set[str] = set()
    for name, members in strata.items():
        if shares[name] == len(members):
            chosen.update(item.id for item in members)
        else:
            drawn = sorted(members, key=lambda item: digest(seed, "external", suite, item.id))
            chosen.update(item.id for item in drawn[: shares[name]])
    return [item for item in items if item.id in chosen]


def in_proportion(available: Mapping[str, int], size: int) -> dict[str, int]:
    """Allocate `size` in proportion to the strata, rounded by largest remainders so that the sum is `size`."""
    total = sum(available.values())
    exact = {name: size * count / total for name, count in available.items()}
    shares = {name: int(share) for name, share in exact.items()}
    for name in sorted(exact, key=lambda name: (shares[name] - exact[name], name))[: size - sum(shares.values())]:
        shares[name] += 1
    return shares


def in_equal_parts(available: Mapping[str, int], size: int) -> dict[str, int]:
    """Allocate `size` in equal parts; what a small stratum lacks is shared by the others."""
    shares: dict[str, int] = {}
    left, names = size, sorted(available, key=lambda name: (available[name], name))
    for index, name in enumerate(names):
        shares[name] = min(available[name], left // (len(names) - index))
        left -= shares[name]
    return {name: shares[name] for name in available}


def suite_card(
    suite: SuiteName, items: Sequence[ExternalItem], sample: Sequence[ExternalItem], provenance: Mapping[str, Any]
) -> dict[str, Any]:
    """Describe the sample and the suite it was drawn from: counts, no texts.

    Keys: `provenance`, `available`, `sampled`, `groups` (name -> items of that group alone), `outside_slices` (reason
    -> items in two groups or none), `strata` (name -> {available, sampled}).
    """
    available, drawn = (Counter(stratum(item) for item in part) for part in (items, sample))
    by_group = Counter(item.group for item in sample)
    return {
        "suite": suite,
        "provenance": dict(provenance),
        "available": len(items),
        "sampled": len(sample),
        "groups": {name: by_group[name] for name in group_names(items)},
        "outside_slices": outside_slices(sample),
        "strata": {name: {"available": count, "sampled": drawn[name]} for name, count in available.items()},
    }
