"""The block of README.md between its markers: the committed numbers, read from metrics/ and never typed.

`dart readme` renews it with the results; a test compares it with metrics/headline.json, recipes.json and others,
and holds the rest of the page to having no measured number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dart.core import layout
from dart.core.errors import DataError
from dart.core.files import read_json
from dart.metrics.headline import BOUNDS
from dart.metrics.provenance import Provenance, read_metrics
from dart.metrics.recipes import PUBLISHED
from dart.metrics.run import CONTROL
from dart.report.table import NONE, bounds, number, percent, signed

FILE = Path("README.md")
BEGIN = "<!-- results: written by `dart readme` from metrics/, do not edit -->"
END = "<!-- end of results -->"
Leaves = Mapping[str, Any]


def _accuracy(leaves: Leaves) -> str:
    accuracy, gain = leaves.get("accuracy"), leaves.get("accuracy_gain")
    return number(accuracy) + ("" if gain is None else f" ({signed(gain)}{_interval(leaves, 'accuracy_gain')})")


def _interval(leaves: Leaves, name: str) -> str:
    low, high = (leaves.get(f"{name}_{side}") for side in BOUNDS)
    return "" if low is None or high is None else f" {bounds((low, high))}"


def _change(name: str, text: Callable[[Any], str]) -> Callable[[Leaves], str]:
    return lambda leaves: " → ".join(
        NONE if (value := leaves.get(f"{name}_{when}")) is None else text(value) for when in ("before", "after")
    )


def _against_control(leaves: Leaves) -> str:
    return signed(leaves.get("reduction_vs_control")) + _interval(leaves, "reduction_vs_control")


ROWS: Mapping[str, Callable[[Leaves], str]] = {
    "test items, training seeds": lambda leaves: ", ".join(str(leaves.get(name, NONE)) for name in ("n", "n_seeds")),
    "accuracy after DART (gain over base [95 % CI])": _accuracy,
    "EQUAL accuracy": lambda leaves: number(leaves.get("equal_accuracy")),
    "explanations with audited drift, before → after repair": _change("drift_rate", percent),
    "drift removed beyond the control, share of the cases [95 % CI]": _against_control,
    "answers with toxicity above 0.1, before → after repair": _change("toxic_share", percent),
}


def results_block(root: Path = Path()) -> str:
    """The block with its markers, from the metrics files under `root`.

    Raises:
        DataError: a metrics file is missing or damaged.
    """
    headline = read_json(root / layout.metric("headline"), dict)
    cost = read_metrics(root / layout.metric("cost")).content["total"]
    coverage, world = read_metrics(root / layout.metric("coverage"))
    tables = coverage["counts"]["tables"]
    lines = [
        BEGIN,
        f"| {_origin(coverage, world)} | {' | '.join(headline)} |",
        f"|---|{'---|' * len(headline)}",
        *(f"| {name} | {' | '.join(text(leaves) for leaves in headline.values())} |" for name, text in ROWS.items()),
        *_recipe_rows(root, tuple(headline)),
        "",
        f"Means over training seeds, intervals for further seeds and items. {tables['regenerated']} of the "
        f"paper's {sum(tables.values())} tables regenerated; {cost['answers']:,} "
        f"answers of teachers and judges, {cost['usd']:,.2f} USD.",
        END,
    ]
    return "\n".join(lines)


def _recipe_rows(root: Path, slots: tuple[str, ...]) -> list[str]:
    """The main path's recipe of repair and the one chosen on the validation set, on prompts that neither repaired."""
    path = root / layout.metric("recipes")
    if not path.is_file():
        return []
    students = read_metrics(path).content["students"]
    what = (
        "drift removed on prompts that no recipe repaired, mean of {} training seeds: control, main path, best recipe"
    )
    seeds = max((student["splits"]["validation"][CONTROL]["accuracy"]["n"] for student in students.values()), default=0)
    cells = (_recipes(students[slot]) if slot in students else NONE for slot in slots)
    return [f"| {what.format(seeds)} | {' | '.join(cells)} |"]


def _recipes(student: Mapping[str, Any]) -> str:
    validation, chosen = student["splits"]["validation"], student["chosen"]
    kind = "true" if all("true_net" in entry for entry in validation.values()) else "audited"

    def net(variant: str) -> str:
        return percent(validation[variant][f"{kind}_net"]["mean"], 0)

    best = NONE
    if chosen is not None:
        better = validation[chosen]["better_than_control"]
        name = "main path" if chosen == PUBLISHED else f"`{chosen}`"
        best = f"{net(chosen)} ({name}, better in {better[kind]} of {better['n']})"
    return ", ".join((net(CONTROL), net(PUBLISHED), best))


def _origin(coverage: Mapping[str, Any], world: Provenance | None) -> str:
    label = "simulated" if coverage["simulated"] else "measured"
    return label if world is None else f"profile `{world.profile}`, {label}"


def renewed(text: str, block: str) -> str:
    """`text` with the block in the place of the one between the markers.

    Raises:
        DataError: the markers are missing.
    """
    head, begin, rest = text.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise DataError(f"{FILE} has no block between {BEGIN!r} and {END!r}: put both lines where results belong.")
    return head + block + tail
