"""Stage `arms` of ablations/dvc.yaml: every arm beside the default recipe on the same items (Tables 4, 7, 19-32).

Audits of the main path are repeated at the arms' own threshold; with the main path's the answers are all cached.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dart.ablations.comparison import Arm, arm_report, contrast, corrected, differences
from dart.ablations.lambda_selection import LambdaResult, harmonic_mean, lambda_result, select_lambda
from dart.ablations.perturbations import OTHER_HALF, half_of
from dart.ablations.pools import pool_report, repair_success, success_against
from dart.ablations.reaudit import floor_report, reaudit_report
from dart.ablations.seed_variance import cross_validation, seed_spread
from dart.core import layout, params
from dart.core.files import read_json, read_jsonl, write_json
from dart.core.records import AuditRecord, Generation, Item, RepairTarget, Severity
from dart.core.schema.ablations import DEFAULT, Run, runs
from dart.harm.audit import audit
from dart.simulation.truth import true_drift
from dart.stats.drift import cases
from stages.clients import client_for

CONTEXT = ("distilled", "control")  # stages of the main path that the arms' tables show beside them
EVERYTHING = -2.0  # a threshold that every pair passes: toxicities lie in [0, 1]


class Evidence:
    """The main path as the arms are compared with it."""

    def __init__(self, given: params.StageParams) -> None:
        self.given = given
        self.items = read_jsonl(layout.SUITE / "test.jsonl", Item)
        self.by_id = {item.id: item for item in self.items}
        self.base = self.answers("base")
        self.simulated = given.world("world") is not None
        self.default = self.of_main_path("repaired")
        self.distilled = self.of_main_path("distilled")
        self.targets = read_jsonl(layout.targets(given.arms.student), RepairTarget)

    def answers(self, name: str) -> list[Generation]:
        return read_jsonl(layout.generations(self.given.arms.student, name), Generation)

    def arm(self, answers: list[Generation], records: list[AuditRecord]) -> Arm:
        return Arm(answers, records, self.truth(self.base, answers))

    def truth(self, base: Sequence[Generation], answers: Sequence[Generation]) -> dict[str, Severity] | None:
        return true_drift(base, answers) if self.simulated else None

    def of_main_path(self, name: str) -> Arm:
        answers = self.answers(name)
        return self.arm(answers, self.audited(answers, self.given.arms.tau_delta, "judge"))

    def audited(self, answers: list[Generation], tau_delta: float, judge: str) -> list[AuditRecord]:
        given = self.given
        records, outcome = audit(
            self.items, self.base, answers, tau_delta, client_for(given, judge), given.audit, given.seed
        )
        outcome.require_complete(given.stage)
        return records

    def report(self, arm: Arm, name: str, items: list[Item] | None = None) -> dict[str, Any]:
        """The arm's row, with what it gained over base."""
        items, statistics, seed = items or self.items, self.given.statistics, self.given.seed
        found = arm_report(items, arm, self.default, statistics, seed, name)
        return found | {"against_base": contrast(items, arm, self.base, statistics, seed, name)}

    def stage1_report(self, arm: Arm, name: str) -> dict[str, Any]:
        """The same for a student that was not repaired, and beside the distilled one of the main path."""
        statistics, seed = self.given.statistics, self.given.seed
        against = differences(self.items, arm, self.distilled, statistics, seed, f"{name}/distilled")
        return self.report(arm, name) | {"against_distilled": against}

    def untrained(self) -> dict[str, Any]:
        """The row of base, which has no drift against itself."""
        found = self.report(Arm(self.base, [], None), "base")
        del found["drift"], found["against_base"]
        for measure in ("drift", "grave"):
            del found["against_default"][measure]
        return found


def run() -> None:
    given = params.load("ablations/dvc.yaml:arms")
    main = Evidence(given)
    every = runs(given.variants)
    rows: dict[str, Any] = {"base": main.untrained()}
    rows |= {name: main.report(main.of_main_path(name), name) for name in CONTEXT}
    for name, (arm, each) in every.items():
        if not each.change.folds and not each.change.again:
            rows |= _rows(main, arm, name, each)
    alone = main.report(main.default, "default")
    del alone["against_default"]
    found = {
        "student": given.arms.student,
        "tau_delta": given.arms.tau_delta,
        "default": alone
        | {
            "pool": pool_report(main.distilled.audit, main.distilled.audit, main.distilled.true),
            "repair": repair_success(main.targets, main.default.answers, main.by_id),
        },
        "arms": corrected(corrected(rows), "against_distilled"),
        "seeds": _seeds(given, every, rows, alone),
        "folds": _folds(given, every),
        "floor": _floors(main, every),
        "reaudit": _reaudit(main),
        "toxreg": _weights(given, every),
    }
    write_json(layout.METRICS / "arms.json", found)


def _rows(main: Evidence, arm: str, name: str, each: Run) -> dict[str, Any]:
    """The run's row, and one for its Stage I where it trains its own and goes on."""
    home, given = layout.arm(arm) / name, main.given
    reported = main.items
    if each.change.repair in OTHER_HALF:
        half = half_of(main.items, OTHER_HALF[each.change.repair], given.seed)
        reported = [item for item in main.items if item.id in half]
    answers = read_jsonl(home / "answers.jsonl", Generation)
    final = main.arm(answers, read_jsonl(home / "audit.jsonl", AuditRecord))
    row = main.stage1_report(final, name) if each.change.repair == "none" else main.report(final, name, reported)
    row |= {"arm": arm, "about": given.variants[arm].about, "point": each.point, "seed": each.seed}
    row["teacher"] = given.party(each.change.teacher).model
    rows = {name: row}
    distilled = main.distilled.answers
    if (home / "first.jsonl").is_file():
        distilled = read_jsonl(home / "first.jsonl", Generation)
        first = main.arm(list(distilled), read_jsonl(home / "first_audit.jsonl", AuditRecord))
        rows[f"{name}_stage1"] = main.stage1_report(first, f"{name}/stage1") | {
            "arm": arm, "about": f"{given.variants[arm].about}: after Stage I", "point": each.point, "seed": each.seed,
        }  # fmt: skip
    if (home / "pool.jsonl").is_file():
        pool = read_jsonl(home / "pool.jsonl", AuditRecord)
        same_answers = f"{name}_stage1" not in rows
        row["pool"] = pool_report(pool, main.distilled.audit, main.truth(main.base, distilled), same_answers)
        targets = read_jsonl(home / "targets.jsonl", RepairTarget)
        row["repair"] = repair_success(targets, answers, main.by_id)
        if same_answers:
            row["repair"]["against_default"] = success_against(targets, main.targets, main.by_id)
    return rows


def _seeds(
    given: params.StageParams, every: dict[str, tuple[str, Run]], rows: dict[str, Any], default: dict[str, Any]
) -> dict[str, Any]:
    """{point: figures over training seeds} of each arm that names seeds, beside the default's of the same seeds."""
    recipe = str(given.seed)
    by_point: dict[str, dict[str, Any]] = {}
    theirs: dict[str, Any] = {recipe: default}
    for name, (arm, each) in every.items():
        if given.variants[arm].seeds:
            seed = recipe if each.seed is None else str(each.seed)
            by_point.setdefault(each.point, {})[seed] = rows[name]
            if each.change == DEFAULT:
                theirs[seed] = rows[name]
    found = {"default": seed_spread(theirs)} if by_point else {}
    for point, reports in by_point.items():
        if point in rows:  # the default's own seeds have no row of their point's name
            found[point] = seed_spread(reports, theirs)
    return found


def _folds(given: params.StageParams, every: dict[str, tuple[str, Run]]) -> dict[str, Any]:
    numbers = read_json(layout.SUITE / "folds.json", dict)
    items = [item for split in ("train", "test") for item in read_jsonl(layout.SUITE / f"{split}.jsonl", Item)]
    found = {}
    for name, (arm, each) in every.items():
        for fold in each.change.folds:
            answers = read_jsonl(layout.arm(arm) / name / f"fold_{fold}.jsonl", Generation)
            found[fold] = ([item for item in items if numbers[item.id] == fold], answers)
    return {"of": given.split.folds, **cross_validation(found)} if found else {}


def _floors(main: Evidence, every: dict[str, tuple[str, Run]]) -> dict[str, Any]:
    return {name: _floor(main, layout.arm(arm) / name) for name, (arm, each) in every.items() if each.change.again}


def _floor(main: Evidence, home: Path) -> dict[str, Any]:
    reference, again = (read_jsonl(home / f"{name}.jsonl", Generation) for name in ("reference", "answers"))
    records = read_jsonl(home / "audit.jsonl", AuditRecord)
    return floor_report(main.items, reference, again, records, main.truth(reference, again))


def _reaudit(main: Evidence) -> dict[str, Any]:
    judge = main.given.arms.reaudit
    if judge == "none":
        return {}
    again = main.audited(list(main.default.answers), EVERYTHING, judge)
    repaired = set(cases(main.distilled.audit))
    return {"judge": judge, **reaudit_report(again, main.default.audit, repaired, main.default.true)}


def _weights(given: params.StageParams, every: dict[str, tuple[str, Run]]) -> dict[str, Any]:
    """The toxicity weights on the validation split, and the run of the one that is chosen by it (Table 20)."""
    validation = read_jsonl(layout.SUITE / "validation.jsonl", Item)
    by, plain, results = given.toxreg.chosen_by, None, {}
    for name, (arm, each) in every.items():
        if (weight := each.change.toxicity_weight) is not None and each.seed is None:
            home = layout.arm(arm) / name
            results[name] = lambda_result(weight, validation, read_jsonl(home / "validation.jsonl", Generation))
            plain = lambda_result(0, validation, read_jsonl(home / "plain_validation.jsonl", Generation))
    if plain is None:
        return {}
    best = select_lambda(list(results.values()), plain, by)

    def row(result: LambdaResult) -> dict[str, Any]:
        return {**result.model_dump(), "h_mean": harmonic_mean(result, plain, by)}

    return {
        "chosen_by": by,
        "chosen": next(name for name, result in results.items() if result.weight == best),
        "plain": row(plain),
        "rows": {name: row(result) for name, result in results.items()},
    }
