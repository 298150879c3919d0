"""Sections that all cards share: label, content warning, results with intervals, provenance, limits, citation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dart.cards.facts import QUANTITIES, Facts
from dart.repair.recipes import RECIPES
from dart.report.table import NONE, bounds, number, signed

SIMULATED = (
    "> **Simulated.** Student, teacher, judge or classifier of this run are embedded stand-ins of the software. The "
    "numbers "
    "show that the pipeline works and say nothing about real language models."
)
MEASURED = "> Measured on the models that are named under *Provenance*."
WARNING = (
    "**Content warning.** The subject is harm in explanations about demographic groups. Texts and what is generated "
    "by these "
    "models may contain stereotypes, slurs and hateful claims."
)
USE = (
    "**Intended use.** Research on harm drift: comparisons under identical decoding. Not for moderation, for "
    "decisions about "
    "people, as a source of facts about groups, or in any product."
)
CITATION = """```bibtex
@inproceedings{pan2026dart,
  title     = {Mitigating Harm Drift in Difference-Aware LLMs via Distill-Audit-Repair Training},
  author    = {Pan, Ziwen and Liang, Zihan and Kabbara, Jad and Emami, Ali},
  booktitle = {Findings of the Association for Computational Linguistics: ACL 2026},
  year      = {2026},
  url       = {https://arxiv.org/abs/2604.16845}
}
```"""
VARIANTS: Mapping[str, str] = {
    "base": "before any training here",
    "distilled": "after Stage I, on a teacher's rationales",
    "repaired": "after Stage III, on safe rationales for what drifted",
    "control": "after as many further steps without repair rows",
}


def head(facts: Facts) -> list[str]:
    """Label, content warning and intended use: what must be read before the first number."""
    return [SIMULATED if facts.simulated else MEASURED, WARNING, USE]


def results(facts: Facts, slot: str) -> list[str]:
    """The levels of every variant of a slot, with intervals, and what repair adds to its control."""
    levels = facts.levels(slot)
    variants = [variant for variant in VARIANTS if variant in levels]
    rows = [
        (name, *(_level(levels[variant].get(key)) for variant in variants))
        for key, name in QUANTITIES.items()
        if any(key in levels[variant] for variant in variants)
    ]
    n_seeds, n_items = len(facts.seeds["seeds"]), levels["repaired"]["accuracy"]["n_items"]
    share = f"{100 * facts.seeds['confidence']:g} %"
    over = f"means over {n_seeds} training seeds, {share} intervals for further seeds and items" if n_seeds > 1 else (
        f"one training seed, {share} intervals over items alone: how far another training would differ is unknown"
    )  # fmt: skip
    return [table(("", *variants), rows), f"{n_items} test items; {over}.{_against_control(facts, slot)}"]


def _level(entry: Mapping[str, Any] | None) -> str:
    if entry is None or entry.get("estimate") is None:
        return NONE
    interval = entry.get("ci")
    return number(entry["estimate"]) + ("" if interval is None else f" {bounds(interval, sign=False)}")


def _against_control(facts: Facts, slot: str) -> str:
    difference = facts.seeds["students"][slot]["reductions"]["audited"].get("difference")
    if not difference or difference.get("estimate") is None:
        return " Without a control, how much of a change is due to the repair rows is unknown."
    interval = "" if difference.get("ci") is None else f" {bounds(difference['ci'])}"
    return (
        " Drift removed beyond what the control removes, as a share of the cases of the distilled student: "
        f"{signed(difference['estimate'])}{interval}."
    )


def provenance(facts: Facts, rows: Iterable[Sequence[str]] = ()) -> str:
    """Where everything came from; `rows` are those of one card."""
    world = facts.world
    parties = [(role.replace("_", " "), f"{party.model} at {party.endpoint}") for role, party in world.parties.items()]
    scorers = [(f"{kind} classifier", f"{scorer.model} at {scorer.revision}") for kind, scorer in world.scorers.items()]
    suite = facts.suite
    source = suite["repository"] or suite["source"]
    return table(
        ("", ""),
        [
            *rows,
            ("profile, label", f"{world.profile}, {world.label}"),
            (
                "benchmark",
                f"{source}{' at ' + suite['commit'] if suite['commit'] else ''}; licence: {suite['licence']}",
            ),
            ("benchmark, sha256 of the splits", world.suite),
            *parties,
            *scorers,
            ("training seeds", ", ".join(map(str, facts.profile.seeds))),
            ("recipe of repair", facts.settings.repair.recipe),
            ("software", f"commit {facts.commit}"),
        ],
    )


def limits(facts: Facts, more: Sequence[str] = ()) -> str:
    """What the run does not show."""
    lines = [
        *more,
        "A drift case is what one judge confirms among the pairs that a toxicity classifier screens; both err. What "
        "lies "
        "below the screen is sampled, not read.",
        "The benchmark's authors intend it for evaluation, not for training.",
        "English alone, and the groups that the benchmark names.",
    ]
    if RECIPES[facts.settings.repair.recipe].repaired == "test":
        lines.append(
            "Stage III repairs test prompts, and its numbers are of the same prompts: on others it may do less."
        )
    if facts.simulated:
        lines.insert(
            0, "Drift was planted by rules and did not emerge; which repair works follows from declared numbers."
        )
    return "\n".join(f"- {line}" for line in lines)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; a bar inside a cell is escaped."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def sections(title: str, parts: Iterable[tuple[str, Iterable[str]]], opening: Iterable[str]) -> str:
    """A card's body: its title, an opening, and parts with headings."""
    blocks = [f"# {title}", *opening]
    for heading, texts in parts:
        blocks += [f"## {heading}", *texts]
    return "\n\n".join(blocks) + "\n"
