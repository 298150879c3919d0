"""A synthetic run in the shape of a real one: small, deterministic, and written to disk as the stages would."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dart.ablations.comparison import (
    Arm,
    arm_report,
    contrast,
    corrected,
    corrected_over_seeds,
    differences,
    seed_differences,
)
from dart.ablations.pools import People, pool_report, repair_success
from dart.core import layout
from dart.core.files import write_json, write_jsonl
from dart.core.records import (
    BENCHMARKS,
    SEVERITIES,
    AuditRecord,
    Generation,
    Item,
    Judgement,
    Rationale,
    RepairTarget,
    Severity,
)
from dart.core.schema.method import SeverityWeights, Statistics
from dart.core.seeds import unit_interval
from dart.metrics.evaluate import evaluate
from dart.metrics.headline import headline_metrics
from dart.metrics.run import METRICS, Adapter, LossPoint, Run, Settings, StudentRun
from dart.metrics.training_seeds import seed_metrics
from dart.report.evidence import PaperRun
from dart.report.writer import write_paper
from dart.stats.annotation import AnnotatedPair, calibration

STATISTICS = Statistics(resamples=500, confidence=0.95)
SEED = 7
REFERENCE_SEED = 42  # the training seed whose folders hold the run on disk
OTHER_SEED = 0
# stage -> (share of right answers, share unparsed, share of drift cases, toxicity scale)
BEHAVIOUR = {
    "base": (0.35, 0.25, 0.0, 1.0),
    "distilled": (0.75, 0.0, 0.30, 1.3),
    "repaired": (0.78, 0.0, 0.10, 0.9),
    "control": (0.77, 0.0, 0.25, 1.2),
}


def _items(split: str, each: int) -> tuple[Item, ...]:
    return tuple(
        Item(
            id=f"{name}-{condition}-{split}-{index}",
            benchmark=name,
            condition=condition,
            gold="YES" if condition == "DIFF" else "NO",
            prompt=f"Question {index} of {name}?",
            scenario=str(index),
        )
        for name in BENCHMARKS
        for condition in ("DIFF", "EQUAL")
        for index in range(each)
    )


def _generation(slot: str, variant: str, item: Item, seed: int) -> Generation:
    key = _draws(slot, "base" if variant == "base" else str(seed))
    right, unparsed, _, scale = BEHAVIOUR[variant]
    draw = unit_interval(key, variant, item.id, "answer")
    wrong = "NO" if item.gold == "YES" else "YES"
    prediction = item.gold if draw < right else None if draw < right + unparsed else wrong
    return Generation(
        item_id=item.id,
        variant=variant,
        text=f"Because. Conclusion: {prediction}",
        rationale="Because.",
        prediction=prediction,
        new_tokens=5,
        model=f"nano_{slot}",
        revision="0",
        prompt_hash="0",
        toxicity=scale * 0.01 * (0.1 + unit_interval(key, variant, item.id, "toxicity")),
    )


def _draws(slot: str, seed: str) -> str:
    """The name of a student's random draws: base and the reference seed share the slot's own."""
    return slot if seed in ("base", str(REFERENCE_SEED)) else f"{slot}/{seed}"


def _severity(slot: str, variant: str, item: Item) -> Severity | None:
    """Ordered by one draw per item, so that repair mostly removes cases and adds a few."""
    rate = BEHAVIOUR[variant][2]
    draw = unit_interval(slot, "drift", item.id) + 0.1 * unit_interval(slot, variant, item.id)
    return SEVERITIES[int(unit_interval(slot, item.id, "severity") * 3)] if draw < rate else None


def _audit(slot: str, variant: str, item: Item) -> AuditRecord:
    severity = _severity(slot, variant, item)
    screened = severity is not None or unit_interval(slot, variant, item.id, "screen") < 0.2
    delta = 0.02 + unit_interval(slot, variant, item.id, "delta") if screened else 0.0
    verdict = Judgement(
        is_regression=severity is not None,
        severity=severity or "none",
        regression_type="none" if severity is None else "harmful_reasoning",
        reason="-",
        a_correct=True,
        b_correct=True,
    )
    return AuditRecord(
        item_id=item.id,
        toxicity_base=0.01,
        toxicity_candidate=0.01 + delta,
        delta=delta,
        screened=screened,
        judgement=verdict if screened else None,
        severity=severity,
    )


def _adapter(steps: int) -> Adapter:
    return Adapter(
        config={
            "r": 16,
            "lora_alpha": 32,
            "lora_dropout": 0.05,
            "target_modules": ["v_proj", "q_proj"],
            "bias": "none",
        },
        card={"rows": "40", "optimiser steps": str(steps), "training": "global batch 16, warm-up 0.03"},
        loss=tuple(
            LossPoint(step=step, epoch=3 * step / steps, loss=1 / step, learning_rate=0.005)
            for step in range(1, steps + 1)
        ),
    )


def _student(slot: str, items: tuple[Item, ...], seed: int) -> StudentRun:
    distilled = {"before": "distilled", "after": "repaired", "control": "control"}
    audits = {
        when: tuple(_audit(_draws(slot, str(seed)), variant, item) for item in items)
        for when, variant in distilled.items()
    }
    targets = tuple(
        RepairTarget(
            item_id=record.item_id,
            severity=record.severity,
            text="Safe.",
            toxicity=0.0,
            toxicity_distilled=0.02,
            accepted=True,
            problems=(),
            model=f"nano_{slot}",
            prompt_hash="0",
        )
        for record in audits["before"]
        if record.severity is not None
    )
    return StudentRun(
        slot=slot,
        name=f"nano_{slot}",
        generations={variant: tuple(_generation(slot, variant, item, seed) for item in items) for variant in BEHAVIOUR},
        audits=audits,
        targets=targets,
        adapters={name: _adapter(4) for name in ("distilled", "repaired", "control")},
    )


@functools.cache
def run_of_seed(seed: int) -> Run:
    """What one training seed led to, not evaluated."""
    splits = {"train": _items("train", 3), "validation": _items("validation", 1), "test": _items("test", 10)}
    return Run(
        students=tuple(_student(slot, splits["test"], seed) for slot in ("small", "base")),
        splits=splits,
        card={"names": {name: "N1 (rebuilt)" if name == "N1" else name for name in BENCHMARKS}},
        settings=Settings(
            tau_delta=0.01,
            severity_weights=SeverityWeights(mild=1, moderate=2, severe=3, extreme=4),
        ),
    )


@pytest.fixture(scope="session")
def unevaluated() -> Run:
    return run_of_seed(REFERENCE_SEED)


@pytest.fixture(scope="session")
def truth(unevaluated: Run) -> dict[str, dict[str, dict[str, Severity]]]:
    return truth_of(unevaluated)


def truth_of(run: Run) -> dict[str, dict[str, dict[str, Severity]]]:
    """Every second audited case is true, and nothing else."""
    when = {"distilled": "before", "repaired": "after", "control": "control"}
    return {
        student.slot: {
            variant: {r.item_id: r.severity for r in student.audits[name][::2] if r.severity is not None}
            for variant, name in when.items()
        }
        for student in run.students
    }


@pytest.fixture(scope="session")
def evaluated() -> dict[str, Any]:
    return _evaluated()


@functools.cache  # a fixture of two conftests would be made twice
def _evaluated() -> dict[str, Any]:
    unevaluated, other = run_of_seed(REFERENCE_SEED), run_of_seed(OTHER_SEED)
    truth = truth_of(unevaluated)
    runs = {REFERENCE_SEED: unevaluated, OTHER_SEED: other}
    truths = {REFERENCE_SEED: truth, OTHER_SEED: truth_of(other)}
    seeds = seed_metrics(runs, truths)
    headline = headline_metrics(seeds)
    metrics = {"metrics/seeds.json": seeds, "metrics/headline.json": headline}
    return evaluate(unevaluated, STATISTICS, SEED, truth) | metrics


def _rationale(item: Item) -> Rationale:
    longer = " A third sentence says more." if unit_interval(item.id, "longer") < 0.5 else ""
    return Rationale(
        item_id=item.id,
        label=item.gold,
        text=f"Teacher's reason for {item.id}. A second sentence.{longer}\n\nConclusion: {item.gold}",
        accepted=unit_interval(item.id, "accepted") < 0.9,
        problems=(),
        attempts=1,
        model="teacher",
        prompt_hash="0",
    )


def _annotated(student: StudentRun) -> tuple[AnnotatedPair, ...]:
    """Every pair of the audit; the consensus differs from the audit on every tenth."""
    pairs = []
    for index, record in enumerate(student.audits["before"]):
        truth: Severity | None = record.severity
        if index % 10 == 0:
            truth = None if truth else "mild"
        pairs.append(
            AnnotatedPair(
                item_id=record.item_id,
                delta=record.delta,
                annotators=(truth, None if index % 17 == 0 else truth),
                consensus=truth,
            )
        )
    return tuple(pairs)


def _trainings(variant: str, simulated: bool) -> list[Arm]:
    """A variant of student "small" of every training seed."""
    when = {"distilled": "before", "repaired": "after"}[variant]
    arms = []
    for seed in (REFERENCE_SEED, OTHER_SEED):
        run = run_of_seed(seed)
        student = run.students[0]
        true = truth_of(run)[student.slot][variant] if simulated else None
        arms.append(Arm(student.generations[variant], student.audits[when], true))
    return arms


def _arms(unevaluated: Run, truth: dict[str, Any] | None, people: People | None = None) -> dict[str, Any]:
    """metrics/arms.json with four runs of arms, for which other variants of the same student stand in.

    In a measured run (no `truth`) two more audit with other labels, and `people` may have labelled the pairs.
    """
    student, items = unevaluated.students[0], unevaluated.items
    by_id = {item.id: item for item in items}

    def arm(variant: str) -> Arm:
        when = {"distilled": "before", "repaired": "after", "control": "control"}[variant]
        true = None if truth is None else truth[student.slot][variant]
        return Arm(student.generations[variant], student.audits[when], true)

    def row(variant: str, name: str) -> dict[str, Any]:
        found = arm_report(items, arm(variant), default, STATISTICS, SEED, name)
        found["against_seeds"] = seed_differences(items, arm(variant), seeds["repaired"], STATISTICS, name)
        return found | {"against_base": contrast(items, arm(variant), base, STATISTICS, SEED, name)}

    seeds = {variant: _trainings(variant, truth is not None) for variant in ("repaired", "distilled")}
    default, distilled, base = arm("repaired"), arm("distilled"), student.generations["base"]
    untrained = arm_report(items, Arm(base, [], None), default, STATISTICS, SEED, "base")
    del untrained["drift"], untrained["against_default"]["drift"], untrained["against_default"]["grave"]
    rows = {"base": untrained | {"context": True}, "distilled": row("distilled", "distilled") | {"context": True}}
    stands_for = {"uniform": "control", "noise_up_20": "distilled", "second_judge": "control", "label_only": "control"}
    stands_for |= {} if truth else {"audit_predicted": "control", "audit_unlabelled": "distilled"}
    for name, variant in stands_for.items():
        rows[name] = row(variant, name) | {"arm": name, "about": f"what {name} is"}
    rows["label_only"]["against_distilled"] = differences(items, arm("control"), distilled, STATISTICS, SEED, "label")
    rows["label_only"]["against_distilled_seeds"] = seed_differences(
        items, arm("control"), seeds["distilled"], STATISTICS, "label"
    )
    rows["second_judge"]["same_as"] = "uniform"
    rows["second_judge"]["pool"] = pool_report(student.audits["control"], distilled.audit, distilled.true)
    for name in ("audit_predicted", "audit_unlabelled"):
        if name in rows:
            rows[name]["pool"] = pool_report(student.audits["control"], distilled.audit, None, people=people)
    alone = row("repaired", "default")
    del alone["against_default"], alone["against_seeds"]
    alone["pool"] = pool_report(distilled.audit, distilled.audit, distilled.true, people=people)
    alone["repair"] = repair_success(student.targets, default.answers, by_id)
    return {
        "student": student.slot,
        "tau_delta": 0.01,
        "default": alone,
        "arms": corrected_over_seeds(corrected(corrected(rows), "against_distilled")),
        "folds": {},
        "floor": {},
        "reaudit": {},
    }


@pytest.fixture(scope="session")
def run() -> PaperRun:
    """The evaluated run with its evidence: student "base" annotated, one judge, no second one."""
    return _run()


@functools.cache
def _run() -> PaperRun:
    unevaluated, evaluated = run_of_seed(REFERENCE_SEED), _evaluated()
    metrics = {name: content for path, content in evaluated.items() if (name := path[8:-5]) in METRICS}
    pairs = _annotated(unevaluated.students[1])
    said = {pair.item_id: (pair.consensus is not None) != (index % 8 == 0) for index, pair in enumerate(pairs)}
    found = calibration(pairs, {"judge": said})
    metrics["calibration"] = {"student": "base", **found["metrics"]}
    metrics["arms"] = _arms(unevaluated, truth_of(unevaluated))
    known = {name: getattr(unevaluated, name) for name in Run.model_fields if name != "metrics"}
    return PaperRun(
        **known,
        metrics=metrics,
        rationales=tuple(_rationale(item) for item in unevaluated.splits["train"]),
        pairs=pairs,
        roc=tuple(found["roc"]),
    )


@pytest.fixture(scope="session")
def unannotated(run: PaperRun) -> PaperRun:
    """What the calibrate stage leaves where nobody has annotated."""
    metrics = {**run.metrics, "calibration": {"student": "base", **calibration((), {})["metrics"]}}
    return run.model_copy(update={"pairs": (), "roc": (), "metrics": metrics})


@functools.cache
def _measured_metrics() -> dict[str, Any]:
    unevaluated, other = run_of_seed(REFERENCE_SEED), run_of_seed(OTHER_SEED)
    outs = evaluate(unevaluated, STATISTICS, SEED)
    metrics = {name: content for path, content in outs.items() if (name := path[8:-5]) in METRICS}
    return metrics | {"seeds": seed_metrics({REFERENCE_SEED: unevaluated, OTHER_SEED: other}, None)}


def measured(people: bool) -> PaperRun:
    """The same run with real models, whose truth nobody knows, with or without people's labels of both students."""
    unevaluated, metrics = run_of_seed(REFERENCE_SEED), dict(_measured_metrics())
    small, base = unevaluated.students
    pairs = _annotated(base) if people else ()
    said = {pair.item_id: (pair.consensus is not None) != (index % 8 == 0) for index, pair in enumerate(pairs)}
    found = calibration(pairs, {"judge": said, "second_judge": said} if people else {})
    labels = _annotated(small) if people else ()
    metrics["calibration"] = {"student": "base", **found["metrics"]}
    metrics["arms"] = _arms(unevaluated, None, People(labels, {pair.item_id: 1.0 for pair in labels}))
    fields = {name: getattr(unevaluated, name) for name in Run.model_fields if name != "metrics"}
    return PaperRun(
        **fields | {"settings": unevaluated.settings.model_copy(update={"label": "measured"})},
        metrics=metrics,
        rationales=tuple(_rationale(item) for item in unevaluated.splits["train"]),
        pairs=pairs,
        roc=tuple(found["roc"]),
    )


class Written(NamedTuple):
    """What `write_paper` left, and the coverage that it returned."""

    root: Path
    folder: Path
    coverage: dict[str, Any]


@pytest.fixture(scope="session")
def written(run: PaperRun, tmp_path_factory: pytest.TempPathFactory) -> Written:
    root = tmp_path_factory.mktemp("written")
    folder = root / "data" / "paper"
    return Written(root, folder, write_paper(run, folder))


@pytest.fixture
def on_disk(run: PaperRun, evaluated: dict[str, Any], tmp_path: Path) -> Path:
    """The run in the tree that the stages write."""
    data = tmp_path / "data"
    for split, items in run.splits.items():
        write_jsonl(data / "suite" / f"{split}.jsonl", items)
    write_json(data / "suite" / "card.json", run.card)
    for student in run.students:
        for variant, answers in student.generations.items():
            write_jsonl(tmp_path / layout.generations(student.slot, variant, REFERENCE_SEED), answers)
        for when, records in student.audits.items():
            write_jsonl(tmp_path / layout.audit(student.slot, when, REFERENCE_SEED), records)
        write_jsonl(tmp_path / layout.targets(student.slot, REFERENCE_SEED), student.targets)
        for name, adapter in student.adapters.items():
            folder = tmp_path / layout.adapter(student.slot, name, REFERENCE_SEED)
            write_json(folder / "adapter_config.json", adapter.config)
            write_json(folder / "log.json", [p.model_dump() for p in adapter.loss])
            table = "".join(f"| {key} | {value} |\n" for key, value in adapter.card.items())
            (folder / "README.md").write_text(
                f"---\nlibrary_name: peft\n---\n# Adapter\n\n| | |\n|---|---|\n{table}", encoding="utf-8"
            )
    for path, content in evaluated.items():
        write_json(tmp_path / path, content)
    write_jsonl(data / "distill" / "rationales.jsonl", run.rationales)
    write_jsonl(data / "annotation" / "pairs.jsonl", run.pairs)
    write_json(tmp_path / "metrics" / "calibration.json", run.metrics["calibration"])
    write_json(tmp_path / "metrics" / "arms.json", run.metrics["arms"])
    write_json(tmp_path / "plots" / "roc.json", run.roc)
    return tmp_path


def with_toxicity(run: Run, toxicity: float) -> Run:
    """The run with the same H for every rationale."""
    students = [
        student.model_copy(
            update={
                "generations": {
                    name: tuple(answer.model_copy(update={"toxicity": toxicity}) for answer in answers)
                    for name, answers in student.generations.items()
                }
            }
        )
        for student in run.students
    ]
    return run.model_copy(update={"students": tuple(students)})
