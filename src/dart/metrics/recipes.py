"""Recipes of Stage III beside repair and control, per training seed and over seeds.

What counts is the difference from a control that took as many steps: on test prompts, of which some recipes repaired
the drift cases, and on validation prompts, which none has seen (referee's objection: the paper reports on the prompts
that it repaired). The recipe is chosen on the validation set by a rule that is fixed here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from statistics import fmean
from typing import Any, NamedTuple

from dart.core.records import AuditRecord, Generation, Item
from dart.core.schema.method import COMPARED_ONLY
from dart.metrics.recipe_contrasts import recipe_contrasts
from dart.metrics.run import CONTROL
from dart.metrics.training_seeds import summary
from dart.repair.recipes import RECIPES
from dart.stats.decision import decision_metrics
from dart.stats.drift import Cases, cases, precision_recall, reduction
from dart.stats.power import paired_variance, trainings_needed

REDUCTION = 0.3  # of the control's drift rate, the effect that a comparison should not miss
POWERS = (0.8, 0.9)
ITEM_COUNTS = (200, 800, 3200)
DISTILLED, PUBLISHED = "distilled", "repaired"
SAMPLED = "sampled"  # the split of answers that were drawn, several per prompt


class Answered(NamedTuple):
    """A variant of one training seed on one split."""

    answers: Sequence[Generation]
    audit: Sequence[AuditRecord]  # against base, under the two-sided screen
    true: Cases | None  # None: the truth is not known


BySeed = Mapping[int, Mapping[str, Answered]]  # training seed -> variant -> answers


def recipe_metrics(
    items: Mapping[str, Sequence[Item]],
    runs: Mapping[str, BySeed],
    margin: float,
    confidence: float,
    weights: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """One student's entry of metrics/recipes.json: {splits: {split: {recipe: {measure: summary}}}, chosen, power, ...}.

    Splits: test, validation, halves (test prompts after a repair of the other half), sampled (answers that were drawn).
    Of task arithmetic the weight that the rule of `choose` prefers is left, under that name. contrasts: differences
    over seeds and items, as `recipe_contrasts` gives them.

    Measures of a variant (means over seeds with a t-interval; `points` by seed): accuracy, equal_accuracy,
    diff_accuracy and their differences from the control; `true` and `audited`: cases, net (1 - cases / distilled
    cases), against_control (1 - cases / control's cases), new (cases that distilled did not have), per_yes (share of
    drift among prompts that both this variant and the control answer with YES) and per_yes_control; text_change (share
    of the words that changed on prompts where distilled did not drift; not of drawn answers); audit_precision and
    audit_recall; rate (drift cases per answer: of drawn answers the expected drift rate).

    Args:
        items: by split.
        runs: by split.
        margin: of accuracy against the control, within which a recipe may be chosen.
        weights: of task arithmetic, by variant.
    """
    weight = None
    if weights:
        preferred = choose_weight(items["validation"], runs["validation"], weights, margin)
        runs, weight = _only_weight(runs, weights, preferred), weights[preferred]
    splits: dict[str, Any] = {}
    for split, by_seed in runs.items():
        values = {
            seed: {variant: _values(items[split], variants, variant, split) for variant in variants}
            for seed, variants in by_seed.items()
        }
        variants = list(next(iter(values.values())))
        splits[split] = {
            variant: {
                measure: summary({seed: of_seed[variant][measure] for seed, of_seed in values.items()}, confidence)
                for measure in next(iter(values.values()))[variant]
            }
            for variant in variants
        }
        for variant, entry in splits[split].items():
            entry["better_than_control"] = _seeds_better(by_seed, variant)
    return {
        "splits": splits,
        "contrasts": recipe_contrasts(
            items, {split: by_seed for split, by_seed in runs.items() if split != SAMPLED}, confidence
        ),
        "chosen": choose(splits["validation"], margin),
        "task_arithmetic_weight": weight,
        "power": _power(items, runs),
    }


def choose(validation: Mapping[str, Mapping[str, Any]], margin: float) -> str | None:
    """The recipe with the fewest drift cases on the validation set whose accuracy is not `margin` below the control's.

    Drift is the audited one: the true one is not known with real models. Of equals, the one that changes least of what
    had not drifted. Only recipes that `repair.recipe` accepts are chosen. None: only the control is left.
    """
    eligible = {
        variant: (entry["audited_cases"]["mean"], entry["text_change"]["mean"] or 0.0, variant)
        for variant, entry in validation.items()
        if (variant == PUBLISHED or (variant in RECIPES and variant not in COMPARED_ONLY))
        and entry["accuracy_difference"]["mean"] >= -margin
    }
    return min(eligible, key=eligible.__getitem__) if eligible else None


def choose_weight(
    items: Sequence[Item], validation: Mapping[int, Mapping[str, Answered]], weights: Mapping[str, float], margin: float
) -> str:
    """The variant of task arithmetic with the fewest audited cases whose accuracy is not `margin` below the control's.

    The nearest accuracy where that holds for none.
    """
    drift, loss = {}, {}
    for variant in weights:
        drift[variant] = fmean(len(cases(variants[variant].audit)) for variants in validation.values())
        accuracy = [
            [decision_metrics(items, variants[name].answers, name).accuracy or 0.0 for name in (variant, CONTROL)]
            for variants in validation.values()
        ]
        loss[variant] = max(0.0, fmean(control - own for own, control in accuracy) - margin)
    return min(weights, key=lambda variant: (loss[variant], drift[variant], variant))


def _only_weight(runs: Mapping[str, BySeed], weights: Mapping[str, float], preferred: str) -> dict[str, BySeed]:
    return {
        split: {
            seed: {
                "task_arithmetic" if variant == preferred else variant: answered
                for variant, answered in variants.items()
                if variant == preferred or variant not in weights
            }
            for seed, variants in by_seed.items()
        }
        for split, by_seed in runs.items()
    }


def _control_of(variant: str, variants: Mapping[str, Answered]) -> Answered:
    """The variant with as many steps and no repair rows."""
    controls = [recipe.control for name, recipe in RECIPES.items() if name == variant]
    return variants.get(controls[0] if controls else CONTROL, variants[CONTROL])


def _power(items: Mapping[str, Sequence[Item]], runs: Mapping[str, BySeed]) -> dict[str, Any]:
    """{variant: {control_rate, sd_seeds, sd_items, trainings: {items: {power: n}}}} on the validation set.

    n: trainings that find a drift rate `REDUCTION` below the control's, by the true drift where it is known. Empty with
    fewer than two seeds, or where the control does not drift.
    """
    by_seed, of_split = runs["validation"], items["validation"]
    known = all(each.true is not None for variants in by_seed.values() for each in variants.values())
    drift = {
        seed: {name: each.true if known else cases(each.audit) for name, each in variants.items()}
        for seed, variants in by_seed.items()
    }
    rate = fmean(len(variants[CONTROL] or ()) / len(of_split) for variants in drift.values())
    if len(drift) < 2 or rate == 0:
        return {}
    result = {}
    for name in next(iter(drift.values())):
        if name in (DISTILLED, CONTROL) or (name in COMPARED_ONLY and name != "two_sided"):
            continue
        variance = paired_variance(
            [
                [(item.id in (of_seed[CONTROL] or ())) - (item.id in (of_seed[name] or ())) for item in of_split]
                for of_seed in drift.values()
            ]
        )
        result[name] = {
            "control_rate": round(rate, 4),
            "sd_seeds": round(variance.seeds, 4),
            "sd_items": round(variance.items, 4),
            "trainings": {
                str(n): {str(power): trainings_needed(REDUCTION * rate, variance, n, power) for power in POWERS}
                for n in ITEM_COUNTS
            },
        }
    return result


def _values(
    items: Sequence[Item], variants: Mapping[str, Answered], variant: str, split: str
) -> dict[str, float | None]:
    one, distilled, control = variants[variant], variants[DISTILLED], _control_of(variant, variants)
    decision, reference = (decision_metrics(items, each.answers, variant) for each in (one, control))
    values: dict[str, float | None] = {}
    for name in ("accuracy", "equal_accuracy", "diff_accuracy"):
        own, other = getattr(decision, name), getattr(reference, name)
        values[name] = own
        values[f"{name}_difference"] = None if own is None or other is None else own - other
    audited = [cases(each.audit) for each in (one, distilled, control)]
    values |= _drift("audited", (audited[0], audited[1], audited[2]), one, control)
    if one.true is not None and distilled.true is not None and control.true is not None:
        values |= _drift("true", (one.true, distilled.true, control.true), one, control)
        values["audit_precision"], values["audit_recall"] = precision_recall(cases(one.audit), one.true)
    if split != SAMPLED:  # two draws differ without any change of the student
        values["text_change"] = _text_change(distilled, one)
    return values


def _drift(kind: str, drift: tuple[Cases, Cases, Cases], one: Answered, control: Answered) -> dict[str, float | None]:
    """Measures from the cases of this variant, of distilled and of the control."""
    own, before, after_control = drift
    both = _both_yes(one.answers, control.answers)
    return {
        f"{kind}_cases": len(own),
        f"{kind}_rate": len(own) / len(one.answers),
        f"{kind}_net": reduction(len(before), len(own)),
        f"{kind}_against_control": reduction(len(after_control), len(own)),
        f"{kind}_new": len(own.keys() - before.keys()),
        f"{kind}_per_yes": len(own.keys() & both) / len(both) if both else None,
        f"{kind}_per_yes_control": len(after_control.keys() & both) / len(both) if both else None,
    }


def _both_yes(first: Sequence[Generation], second: Sequence[Generation]) -> frozenset[str]:
    """Prompts on which the decision does not differ: both say YES, where nearly all drift is."""
    yes = [{answer.item_id for answer in answers if answer.prediction == "YES"} for answers in (first, second)]
    return frozenset(yes[0] & yes[1])


def _text_change(before: Answered, after: Answered) -> float | None:
    drifted = cases(before.audit)
    changes = [
        word_change(first.text, second.text)
        for first, second in zip(before.answers, after.answers, strict=True)
        if first.item_id not in drifted
    ]
    return fmean(changes) if changes else None


def word_change(first: str, second: str) -> float:
    """Share of the words of two texts that are not common to both in order, in [0, 1]."""
    if first == second:
        return 0.0
    return 1 - SequenceMatcher(None, first.split(), second.split(), autojunk=False).ratio()


def _seeds_better(by_seed: BySeed, variant: str) -> dict[str, Any]:
    """{n, audited, true}: on how many of n seeds the variant has fewer drift cases than the control."""
    pairs = [(variants[variant], _control_of(variant, variants)) for variants in by_seed.values()]
    known = all(one.true is not None and control.true is not None for one, control in pairs)
    return {
        "n": len(pairs),
        "audited": sum(len(cases(one.audit)) < len(cases(control.audit)) for one, control in pairs),
        "true": sum(len(one.true or ()) < len(control.true or ()) for one, control in pairs) if known else None,
    }
