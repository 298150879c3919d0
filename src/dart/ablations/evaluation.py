"""metrics/arms.json: every arm beside the default recipe on the same items (Tables 4, 7, 19-32, D, E).

A pure function of what the stages of the arms wrote: nothing is trained, answered or asked here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dart.ablations.comparison import (
    Arm,
    arm_report,
    contrast,
    corrected,
    corrected_over_seeds,
    differences,
    duplicates,
    seed_differences,
)
from dart.ablations.cross_validation import cross_validation
from dart.ablations.lambda_selection import LambdaResult, harmonic_mean, lambda_result, select_lambda
from dart.ablations.perturbations import OTHER_HALF, half_of
from dart.ablations.pools import People, pool_report, repair_success, success_against
from dart.ablations.reaudit import floor_report, reaudit_report
from dart.core import layout
from dart.core.files import read_json, read_jsonl
from dart.core.records import AuditRecord, Generation, Item, RepairTarget, Severity
from dart.core.schema.ablations import Arms, Run, Variant, runs
from dart.core.schema.method import Statistics, ToxicityTerm
from dart.stats.drift import cases

CONTEXT = ("distilled", "control")  # stages of the main path that the arms' tables show beside them
VARIANT_OF = {"default": "repaired", "distilled": "distilled", "control": "control"}
AUDIT_OF = {"default": "after", "distilled": "before", "control": "control"}
HALVES = ("inductive_first", "inductive_second")


Truth = Callable[[Sequence[Generation], Sequence[Generation]], dict[str, Severity]]


class Plan(NamedTuple):
    """What decides the comparison, from params.yaml and the profile."""

    arms: Arms
    variants: Mapping[str, Variant]
    statistics: Statistics
    toxreg: ToxicityTerm
    folds: int
    seed: int
    seeds: tuple[int, ...]  # training seeds of the main path; the first is the arms' own
    truth: Truth | None  # the true drift cases of answers against base, where the world is simulated
    teachers: Mapping[str, str]  # {role: model}, for the table of teachers
    people: People | None = None  # labels of the student's base-distilled pairs, where the truth is unknown


class Evidence:
    """The main path as the arms are compared with it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.items = read_jsonl(layout.split("test"), Item)
        self.by_id = {item.id: item for item in self.items}
        self.base = self.answers("base")
        self.default = self.of_main_path("default")
        self.distilled = self.of_main_path("distilled")
        self.targets = read_jsonl(layout.targets(plan.arms.student, plan.seeds[0]), RepairTarget)
        self.seeds = {row: self.of_seeds(row) for row in ("default", "distilled")}

    def answers(self, variant: str, seed: int | None = None) -> list[Generation]:
        seed = self.plan.seeds[0] if seed is None else seed
        return read_jsonl(layout.generations(self.plan.arms.student, variant, seed), Generation)

    def arm(self, answers: list[Generation], records: list[AuditRecord]) -> Arm:
        return Arm(answers, records, self.truth(self.base, answers))

    def truth(self, base: Sequence[Generation], answers: Sequence[Generation]) -> dict[str, Severity] | None:
        return self.plan.truth(base, answers) if self.plan.truth is not None else None

    def of_main_path(self, row: str) -> Arm:
        """A row of the main path, audited at the arms' own threshold."""
        return self.arm(self.answers(VARIANT_OF[row]), audit_of(row))

    def of_seeds(self, row: str) -> list[Arm]:
        """A row of the main path, trained with each seed.

        Audits are the main path's. They are left out where they are not those of the arms' threshold, which the
        reference seed tells: its audit was made at both.
        """
        slot, when = self.plan.arms.student, AUDIT_OF[row]
        audits = [read_jsonl(layout.audit(slot, when, seed), AuditRecord) for seed in self.plan.seeds]
        comparable = cases(audits[0]) == cases(audit_of(row))
        return [
            self.arm(self.answers(VARIANT_OF[row], seed), records if comparable else [])
            for seed, records in zip(self.plan.seeds, audits, strict=True)
        ]

    def report(self, arm: Arm, name: str, items: list[Item] | None = None) -> dict[str, Any]:
        """The arm's row, with what it gained over base."""
        chosen, statistics, seed = items or self.items, self.plan.statistics, self.plan.seed
        row = arm_report(chosen, arm, self.default, statistics, seed, name)
        seeds = seed_differences(chosen, arm, self.seeds["default"], statistics, name)
        return row | {
            "against_seeds": seeds,
            "against_base": contrast(chosen, arm, self.base, statistics, seed, name),
        }

    def stage1_report(self, arm: Arm, name: str) -> dict[str, Any]:
        """The same for a student that was not repaired, and beside the distilled one of the main path."""
        statistics, seed = self.plan.statistics, self.plan.seed
        against = differences(self.items, arm, self.distilled, statistics, seed, f"{name}/distilled")
        seeds = seed_differences(self.items, arm, self.seeds["distilled"], statistics, name)
        return self.report(arm, name) | {"against_distilled": against, "against_distilled_seeds": seeds}

    def untrained(self) -> dict[str, Any]:
        """The row of base, which has no drift against itself."""
        row = self.report(Arm(self.base, [], None), "base")
        del row["drift"], row["against_base"], row["against_seeds"]
        for measure in ("drift", "grave"):
            del row["against_default"][measure]
        return row


def audit_of(row: str) -> list[AuditRecord]:
    """The audit of a row: of a run, ``<run>_stage1``, default, distilled, control or reaudit."""
    return read_jsonl(layout.arm_audits() / f"{row}.jsonl", AuditRecord)


def evaluate_arms(plan: Plan) -> dict[str, Any]:
    """The contents of metrics/arms.json.

    Raises:
        DataError: a file of an arm is missing or damaged.
    """
    main = Evidence(plan)
    by_run = runs(dict(plan.variants))
    rows: dict[str, Any] = {"base": main.untrained()}
    rows |= {name: main.report(main.of_main_path(name), name) for name in CONTEXT}
    rows = {name: row | {"context": True} for name, row in rows.items()}
    answers: dict[str, Sequence[Generation]] = {"default": main.default.answers, "distilled": main.distilled.answers}
    for name, (arm, run) in by_run.items():
        if not run.change.folds and not run.change.again:
            of_run = _rows(main, arm, name, run)
            rows |= {key: row for key, (row, _) in of_run.items()}
            answers |= {key: texts for key, (_, texts) in of_run.items()}
    for name, twin in duplicates(answers).items():
        rows[name]["same_as"] = twin
    alone = main.report(main.default, "default")
    del alone["against_default"], alone["against_seeds"]
    return {
        "student": plan.arms.student,
        "tau_delta": plan.arms.tau_delta,
        "default": alone
        | {
            "pool": pool_report(main.distilled.audit, main.distilled.audit, main.distilled.true, people=plan.people),
            "repair": repair_success(main.targets, main.default.answers, main.by_id),
        },
        "arms": corrected_over_seeds(corrected(corrected(rows), "against_distilled")),
        "inductive": _inductive(main, by_run),
        "folds": _folds(plan, by_run),
        "floor": {
            name: _noise_floor(main, layout.arm_stage1(arm) / name, name)
            for name, (arm, run) in by_run.items()
            if run.change.again
        },
        "reaudit": _reaudit(main),
        "toxreg": _lambdas(plan, by_run),
    }


def _inductive(main: Evidence, by_run: Mapping[str, tuple[str, Run]]) -> dict[str, Any]:
    """Repair on prompts that it did not see: both halves pooled, beside control and distilled on the same prompts.

    {n, drift: {inductive, control, distilled, default: cases}, against_control, against_distilled, against_default:
    as `differences` gives them}; empty unless both halves have run. One training, so intervals are over items.
    """
    if not set(HALVES) <= set(by_run):
        return {}
    answers: list[Generation] = []
    records: list[AuditRecord] = []
    for name in HALVES:
        arm, run = by_run[name]
        unseen = half_of(main.items, OTHER_HALF[run.change.repair], main.plan.seed)
        texts = read_jsonl(layout.arm_stage3(arm) / name / "answers.jsonl", Generation)
        answers += [answer for answer in texts if answer.item_id in unseen]
        records += [record for record in audit_of(name) if record.item_id in unseen]
    by_id = {answer.item_id: answer for answer in answers}
    items = [item for item in main.items if item.id in by_id]
    order = {item.id: index for index, item in enumerate(items)}
    answers.sort(key=lambda answer: order[answer.item_id])
    base = [answer for answer in main.base if answer.item_id in by_id]
    pooled = Arm(answers, records, main.truth(base, answers))
    others = {name: main.of_main_path(name) for name in ("control", "distilled", "default")}
    statistics, seed = main.plan.statistics, main.plan.seed
    return {
        "n": len(items),
        "drift": {"inductive": len(cases(records))}
        | {name: sum(i in by_id for i in cases(other.audit)) for name, other in others.items()},
        **{
            f"against_{name}": differences(items, pooled, other, statistics, seed, f"inductive/{name}")
            for name, other in others.items()
        },
    }


def _rows(main: Evidence, arm: str, name: str, run: Run) -> dict[str, tuple[dict[str, Any], Sequence[Generation]]]:
    """The run's row with its answers, and one for its Stage I where it trains its own and goes on."""
    plan, change = main.plan, run.change
    about = {"arm": arm, "about": plan.variants[arm].about}
    reported = main.items
    if change.repair in OTHER_HALF:
        half = half_of(main.items, OTHER_HALF[change.repair], plan.seed)
        reported = [item for item in main.items if item.id in half]
    stage1 = layout.arm_stage1(arm) / name / "answers.jsonl"
    stage3 = layout.arm_stage3(arm) / name / "answers.jsonl"
    repairs = change.repair != "none"
    answers = read_jsonl(stage3 if repairs else stage1, Generation)
    final = main.arm(answers, audit_of(name))
    row = main.report(final, name, reported) if repairs else main.stage1_report(final, name)
    row |= about | {"teacher": plan.teachers[change.teacher]}
    part = {item.id for item in reported}
    rows: dict[str, tuple[dict[str, Any], Sequence[Generation]]] = {
        name: (row, [answer for answer in answers if answer.item_id in part])
    }
    distilled = main.distilled.answers
    if repairs and change.trains_stage1:
        distilled = read_jsonl(stage1, Generation)
        first = main.arm(list(distilled), audit_of(f"{name}_stage1"))
        report = main.stage1_report(first, f"{name}/stage1") | about | {"about": f"{about['about']}: after Stage I"}
        rows[f"{name}_stage1"] = report, distilled
    if repairs:
        pool = read_jsonl(layout.arm_pool(arm, name), AuditRecord)
        row["pool"] = pool_report(
            pool, main.distilled.audit, main.truth(main.base, distilled), not change.trains_stage1, plan.people
        )
        targets = read_jsonl(layout.arm_targets(arm, name), RepairTarget)
        row["repair"] = repair_success(targets, answers, main.by_id)
        if not change.trains_stage1:
            row["repair"]["against_default"] = success_against(targets, main.targets, main.by_id)
    return rows


def _folds(plan: Plan, by_run: Mapping[str, tuple[str, Run]]) -> dict[str, Any]:
    numbers = read_json(layout.SUITE / "folds.json", dict)
    items = [item for name in ("train", "test") for item in read_jsonl(layout.split(name), Item)]
    answered = {}
    for name, (arm, run) in by_run.items():
        for fold in run.change.folds:
            answers = read_jsonl(layout.arm_stage1(arm) / name / f"fold_{fold}.jsonl", Generation)
            answered[fold] = ([item for item in items if numbers[item.id] == fold], answers)
    return {"of": plan.folds, **cross_validation(answered)} if answered else {}


def _noise_floor(main: Evidence, folder: Path, name: str) -> dict[str, Any]:
    reference, again = (read_jsonl(folder / f"{each}.jsonl", Generation) for each in ("reference", "answers"))
    return floor_report(main.items, reference, again, audit_of(name), main.truth(reference, again))


def _reaudit(main: Evidence) -> dict[str, Any]:
    judge = main.plan.arms.reaudit
    if judge == "none":
        return {}
    repaired = set(cases(main.distilled.audit))
    return {
        "judge": judge,
        **reaudit_report(audit_of("reaudit"), main.default.audit, repaired, main.default.true),
    }


def _lambdas(plan: Plan, by_run: Mapping[str, tuple[str, Run]]) -> dict[str, Any]:
    """The toxicity weights on the validation split, and the run of the one that is chosen by it (Table 20)."""
    validation = read_jsonl(layout.split("validation"), Item)
    measure, plain, results = plan.toxreg.chosen_by, None, {}
    for name, (arm, run) in by_run.items():
        if (weight := run.change.toxicity_weight) is not None:
            folder = layout.arm_stage1(arm) / name
            results[name] = lambda_result(weight, validation, read_jsonl(folder / "validation.jsonl", Generation))
            plain = lambda_result(0, validation, read_jsonl(folder / "plain_validation.jsonl", Generation))
    if plain is None:
        return {}
    best = select_lambda(list(results.values()), plain, measure)

    def row(result: LambdaResult) -> dict[str, Any]:
        return {**result.model_dump(), "h_mean": harmonic_mean(result, plain, measure)}

    return {
        "chosen_by": measure,
        "chosen": next(name for name, result in results.items() if result.weight == best),
        "plain": row(plain),
        "rows": {name: row(result) for name, result in results.items()},
    }
