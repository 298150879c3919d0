"""The whole path, end to end, by `dvc repro` in temporary clones: complete, repeatable, and re-run in parts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import yaml

from dart.cli.app import main
from tests.support import simulated_judge
from tests.support.fake_server import running
from tests.support.tiny_pipeline import copy_of, dvc, run, served, start, tiny_clone

pytestmark = pytest.mark.slow


class Clones(NamedTuple):
    """Two clones with nothing in common but the code, both run from scratch; `variables`: for stages of the first."""

    whole: Path  # everything, by `dart repro`
    main_path: Path  # by `dvc repro evaluate`
    sweep: Path  # a copy of the first
    variables: dict[str, str]


@pytest.fixture(scope="module")
def clones(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clones]:
    folders = [tiny_clone(tmp_path_factory.mktemp(name) / "dart") for name in ("first", "second")]
    commands = [[sys.executable, "-m", "dart.cli.app", "repro", "--jobs", "1"], dvc(folders[1], "repro", "evaluate")]
    processes = [start(folder, *command) for folder, command in zip(folders, commands, strict=True)]
    for process in processes:
        output, _ = process.communicate(timeout=1800)
        assert process.returncode == 0, output[-4000:]
    sweep = copy_of(folders[0], tmp_path_factory.mktemp("third") / "dart")
    with served(folders[0]) as variables:
        yield Clones(folders[0], folders[1], sweep, variables)


def test_two_runs_from_scratch_give_the_same_outs(clones: Clones) -> None:
    """One stage after the other in processes of their own, and forked from a process that has the libraries loaded."""
    whole, main_path = (
        yaml.safe_load((folder / "dvc.lock").read_text(encoding="utf-8"))["stages"] for folder in clones[:2]
    )
    assert {"suite", "train@base", "generate@base", "reaudit@base", "evaluate"} <= main_path.keys()
    assert {name: whole[name] for name in main_path} == main_path
    assert "profiles/tiny.yaml" in whole["evaluate"]["params"]
    log = (clones.whole / ".dart/logs/evaluate.log").read_text(encoding="utf-8")
    assert "Running stage 'evaluate'" in log


def test_the_run_leaves_metrics_tables_and_figures(clones: Clones) -> None:
    folder = clones.whole
    decision = json.loads((folder / "metrics/decision.json").read_text(encoding="utf-8"))["base"]
    for variant in ("base", "distilled", "repaired"):
        assert {"n", "accuracy", "accuracy_parsed", "macro_f1", "equal_accuracy", "diff_accuracy", "parse_rate",
                "yes_rate", "by_benchmark"} <= set(decision[variant])  # fmt: skip
        assert decision[variant]["n"] == 8 * 12
    drift = json.loads((folder / "metrics/drift.json").read_text(encoding="utf-8"))["base"]
    assert {"before", "after", "repaired_gross", "new", "reduction", "truth"} <= set(drift)
    for when in ("before", "after"):
        levels = drift[when]
        assert levels["total"] == sum(levels[level] for level in ("mild", "moderate", "severe", "extreme"))
    assert drift["before"]["total"] > 0, "the tiny world has to drift, or the repair path is not run at all"
    harm = json.loads((folder / "metrics/harm.json").read_text(encoding="utf-8"))["base"]
    assert {"toxicity_median_x1e5", "toxicity_q95_x1e5"} <= set(harm["distilled"])
    seeds = json.loads((folder / "metrics/seeds.json").read_text(encoding="utf-8"))
    assert seeds["seeds"] == [42, 3]
    accuracy = seeds["students"]["base"]["quantities"]["repaired"]["accuracy"]["points"]
    assert accuracy["42"] == pytest.approx(decision["repaired"]["accuracy"], abs=1e-4)
    assert seeds["students"]["base"]["variance"]["repaired"]["correct"]["n_seeds"] == 2
    policy = json.loads((folder / "metrics/policy.json").read_text(encoding="utf-8"))["base"]["variants"]
    assert set(policy["base"]) == set(policy["distilled"]) == {"off", "two_pass"}
    assert set(policy["repaired"]) == {"off", "two_pass", "single_pass", "always_on", "oracle", "random"}
    assert policy["repaired"]["off"]["accuracy"]["all"]["estimate"] == pytest.approx(
        decision["repaired"]["accuracy"], abs=1e-4
    )
    openended = json.loads((folder / "metrics/openended/base.json").read_text(encoding="utf-8"))
    recipes = json.loads((folder / "metrics/recipes.json").read_text(encoding="utf-8"))["students"]["base"]["splits"]
    assert recipes["test"].keys() == recipes["validation"].keys() == {"distilled", "repaired", "control", "own"}
    assert recipes["test"]["repaired"]["accuracy"]["points"] == accuracy
    assert openended["n"] == 4 * 4
    assert openended["judges"].keys() == {"judge", "second_judge"}
    coverage = json.loads((folder / "metrics/coverage.json").read_text(encoding="utf-8"))["tables"]
    assert coverage["14"]["status"] == coverage["22"]["status"] == "regenerated"
    page = (folder / "data/paper/index.html").read_text(encoding="utf-8")
    assert "simulated" in page.lower()
    for number in (2, 3, 6, 9, 10, 11, 13, 14, 17, 18, 33, 34, 44, 45):
        for kind in ("md", "tex"):
            text = (folder / f"data/paper/table{number:02d}.{kind}").read_text(encoding="utf-8")
            assert "simulated" in text.lower(), f"table {number} does not say that it is simulated"
    for figure in ("figure03_base", "figure04_base"):
        assert (folder / f"data/paper/{figure}.png").stat().st_size > 1000
        assert (folder / f"data/paper/{figure}.svg").read_text(encoding="utf-8").count("<svg") == 1


def test_an_audit_of_the_answers_or_of_the_adapters_gives_the_counts_of_the_run(
    clones: Clones, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`dart audit`, which knows no simulation, with the run's judge behind an address."""
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.chdir(clones.whole)  # a pin names its checkpoint by a relative path
    data = clones.whole / "data"
    drift = json.loads((clones.whole / "metrics/drift.json").read_text(encoding="utf-8"))["base"]
    answers = [
        data / "generations/base" / name for name in ("base.jsonl", "distilled/seed-42.jsonl", "repaired/seed-42.jsonl")
    ]
    models = [
        data / "models/base/base",
        *(data / "adapters/base" / name / "seed-42" for name in ("distilled", "repaired")),
    ]
    settings = tmp_path / "audit.yaml"
    settings.write_text("generation: {max_new_tokens: 96, batch: 128}\n", encoding="utf-8")
    scorer = ["--classifier", str(data / "models/scorers/toxicity"), "--config", str(settings)]
    with running(simulated_judge.server(clones.whole / "profiles/tiny.yaml", 42)) as address:
        judge = ["--judge", address, "--judge-model", simulated_judge.MODEL, "--orders", "fixed"]
        options = ["--prompts", str(data / "suite/test.jsonl"), *judge, "--sample", "0.1", "--seed", "42"]
        for name, sides, more in (("files", answers, []), ("models", models, scorer)):
            assert main(["audit", *map(str, sides), *options, *more, "--out", str(tmp_path / name)]) == 0
    for name in ("files", "models"):
        audit = json.loads((tmp_path / name / "audit.json").read_text(encoding="utf-8"))
        for role, when in (("tuned", "before"), ("third", "after")):
            candidate = audit["candidates"][role]
            assert {**candidate["severities"], "total": candidate["cases"]} == {
                level: count for level, count in drift[when].items() if level != "rate"
            }
            assert {key: candidate["judging"][key] for key in drift["judging"][when]} == drift["judging"][when]
        flow = audit["third_against_tuned"]
        assert (flow["gone"], flow["new"]) == (drift["repaired_gross"], drift["new"])
    pairs = [(tmp_path / name / "pairs/tuned.jsonl").read_bytes() for name in ("files", "models")]
    assert pairs[0] == pairs[1]


def _ran(output: str) -> list[str]:
    return re.findall(r"Running stage '([^']+)'", output)


def test_nothing_runs_twice(clones: Clones) -> None:
    code, output = run(clones.whole, *dvc(clones.whole, "repro"), **clones.variables)
    assert (code, _ran(output)) == (0, [])


def test_a_threshold_sweep_runs_the_audit_and_what_follows_and_nothing_before(clones: Clones) -> None:
    folder = clones.sweep
    code, output = run(folder, "git", "add", "-A")
    assert code == 0
    code, output = run(folder, "git", "commit", "-qm", "run")
    assert code == 0, output
    with served(folder) as variables:
        code, output = run(folder, *dvc(folder, "exp", "run", "-S", "tau_delta=1.0"), **variables)
    assert code == 0, output[-4000:]
    ran = _ran(output)
    assert {"audit@base", "targets@base", "repair@base", "regenerate@base", "reaudit@base", "evaluate", "paper"} <= set(
        ran
    )
    assert not {"suite", "scorer", "student@base", "distill", "train@base", "generate@base"} & set(ran)
    drift = json.loads((folder / "metrics/drift.json").read_text(encoding="utf-8"))["base"]
    assert drift["before"]["total"] == 0  # published fault 2: tau_delta = 1 must give an empty pool


TRAINING_OR_ANSWERING = {
    "scorer", "student@base", "train@base", "generate@base", "repair@base", "regenerate@base", "control@base",
    "policy@base", "answers", "openended", "arm_stage1", "arm_stage3", "answer_training@base", "recipe_training@base",
}  # fmt: skip


def _kinds(stages: list[str]) -> set[str]:
    """Stages without the folder of their dvc.yaml, and those of an arm or suite without its name."""
    names = {name.rpartition(":")[2] for name in stages}
    return names | {name.partition("@")[0] for name in names}


@pytest.mark.parametrize("change", ["tau_delta=0.0100001", "audit.votes=3"])
def test_a_sweep_that_leaves_the_pool_as_it_is_trains_and_answers_nothing(clones: Clones, change: str) -> None:
    folder = clones.whole
    for command in (["add", "-A"], ["commit", "-qm", "run", "--allow-empty"]):
        assert run(folder, "git", *command)[0] == 0
    code, output = run(folder, *dvc(folder, "exp", "run", "-S", change), **clones.variables)
    assert code == 0, output[-4000:]
    ran = _ran(output)
    assert {"audit@base", "reaudit@base"} <= set(ran)
    assert not _kinds(ran) & TRAINING_OR_ANSWERING, ran


def test_a_docstring_re_runs_the_fingerprint_alone_and_a_weight_what_it_decides(clones: Clones) -> None:
    folder = clones.whole
    code, output = run(folder, *dvc(folder, "repro"), **clones.variables)
    assert code == 0, output[-4000:]
    for name in ("core/records", "core/params", "core/hub"):
        file = folder / f"src/dart/{name}.py"
        file.write_text(file.read_text(encoding="utf-8").replace('"""', '"""Corrected. ', 1), encoding="utf-8")
    code, output = run(folder, *dvc(folder, "repro"), **clones.variables)
    assert (code, _ran(output)) == (0, ["code"])
    mix = folder / "src/dart/repair/mix.py"
    mix.write_text(mix.read_text(encoding="utf-8").replace("range(1, copies + 1)", "range(1, 1 + copies)"), "utf-8")
    code, output = run(folder, *dvc(folder, "repro", "regenerate@base"), **clones.variables)
    assert (code, _ran(output)) == (0, ["code", "repair@base"]), "the same adapter, so nothing after it"


def test_a_training_seed_that_is_added_is_the_only_one_that_is_trained_and_answered(clones: Clones) -> None:
    folder = clones.whole
    file = folder / "profiles/tiny.yaml"
    profile = yaml.safe_load(file.read_text(encoding="utf-8"))
    file.write_text(yaml.safe_dump(profile | {"seeds": [42, 3, 5]}), encoding="utf-8")
    code, output = run(folder, *dvc(folder, "repro", "generate@base"), **clones.variables)
    assert (code, _ran(output)) == (0, ["train@base", "generate@base"])
    assert re.findall(r"^(\S+): \d+ answers, \d+ unparsed", output, flags=re.M) == ["seed-5"]


def test_a_misspelt_parameter_stops_with_one_message_and_no_traceback(clones: Clones) -> None:
    folder = clones.whole
    file = folder / "params.yaml"
    before = file.read_text(encoding="utf-8")
    file.write_text(
        before.replace("\ntau_delta:", "\ntau_detla: 0.02\ntau_delta:").replace("seed: 42", "seed: 43"), "utf-8"
    )
    try:
        code, output = run(folder, *dvc(folder, "repro", "suite"), **clones.variables)
    finally:
        file.write_text(before, encoding="utf-8")
    assert code != 0
    assert "unknown parameter 'tau_detla'; did you mean 'tau_delta'?" in output
    assert "Traceback" not in output
