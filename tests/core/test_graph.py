"""The honesty of dvc.yaml: code, parameters and drawing agree with what really decides a result."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core.graph import feeds, leftovers, mermaid, outs, params, stages, uses_launcher
from dart.core.schema.profile import StudentSpec
from dart.external.items import SUITES

ROOT = Path(__file__).resolve().parents[2]
GRAPH = stages(ROOT)
EXTERNAL: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "external/dvc.yaml").read_text(encoding="utf-8"))["stages"]
TRAINED = {"learning_rate", "stage3_learning_rate", "epochs", "batch_per_device", "precision", "quantize"}


def _leaves(tree: Any, prefix: str = "") -> list[str]:
    if isinstance(tree, dict) and tree:
        return [leaf for key, value in tree.items() for leaf in _leaves(value, f"{prefix}{key}.")]
    return [prefix[:-1]]


def _declared(own: bool) -> set[str]:
    """Parameters named by any stage: those of params.yaml (own) or those of the profile."""
    names: set[str] = set()
    for stage in GRAPH.values():
        for entry in stage.get("params", []):
            if isinstance(entry, dict):
                names |= set() if own else {name for values in entry.values() for name in values}
            elif own:
                names.add(entry)
    return names


def _covered(leaf: str, declared: set[str]) -> bool:
    return any(leaf == name or leaf.startswith(name + ".") for name in declared)


@pytest.mark.parametrize("stage", list(GRAPH))
def test_the_parameters_of_a_stage_are_those_of_its_type(stage: str) -> None:
    """`Params` of the script is the declaration; dvc.yaml must say the same, or dvc.lock would not be the truth."""
    script = importlib.import_module(f"stages.{GRAPH[stage]['cmd'].split()[3]}")
    assert set(script.Params.declared()) == params(GRAPH[stage])


def test_every_leaf_of_params_is_declared_by_a_stage() -> None:
    content = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert [leaf for leaf in _leaves(content) if not _covered(leaf, _declared(own=True))] == []


def test_external_stages_are_those_of_the_root_in_another_file() -> None:
    """Paths and parameters mean the root's, and every suite is a stage that is reached from `paper`."""
    assert all(stage["wdir"] == ".." for stage in EXTERNAL.values())
    assert set(SUITES) < set(EXTERNAL)
    assert EXTERNAL["answers"]["matrix"]["suite"] == list(SUITES)
    assert {"metrics/external", "metrics/openended"} <= set(GRAPH["paper"]["deps"])
    made = {next(iter(EXTERNAL[suite]["outs"][-1])) for suite in SUITES}
    assert made == {f"metrics/external/{suite}.json" for suite in SUITES}


@pytest.mark.parametrize("profile", sorted(path.name for path in (ROOT / "profiles").glob("*.yaml")))
def test_every_leaf_of_a_profile_is_declared_by_a_stage(profile: str) -> None:
    content = yaml.safe_load((ROOT / "profiles" / profile).read_text(encoding="utf-8"))
    slots = {f"students.{slot}" for slot in content["students"]}  # students.${item.student} is any of them
    sizes = {f"external.sizes.{suite}" for suite in SUITES}  # as external.sizes.${item.suite}
    declared = {name for name in _declared(own=False) if "${" not in name} | slots | sizes
    assert [leaf for leaf in _leaves(content) if not _covered(leaf, declared)] == []
    assert {"students.${item.student}", "external.sizes.${item.suite}"} <= _declared(own=False)


@pytest.mark.parametrize(
    ("stage", "idle"),
    [("train", set()), ("repair", {"distilled"}), ("student", TRAINED | {"distilled"})],
)
def test_who_generates_the_answers_does_not_train_a_student_again(stage: str, idle: set[str]) -> None:
    """`engine` and `server` say where answers come from: hours of training must not depend on it."""
    declared = {
        name for entry in GRAPH[stage]["params"] if isinstance(entry, dict) for name in next(iter(entry.values()))
    }
    fields = {name.rpartition(".")[2] for name in declared if name.startswith("students.")}
    elsewhere = {"generation_batch", "engine", "server", *idle} | ({"nano"} if stage != "student" else set())
    assert fields == set(StudentSpec.model_fields) - elsewhere


def _path(out: Any) -> str:
    return next(iter(out)) if isinstance(out, dict) else out


def test_stages_read_only_what_they_declare_of_the_data() -> None:
    """Every dep under data/ is the out of another stage: nothing enters the graph unseen."""
    made = [next(iter(out)) if isinstance(out, dict) else out for s in GRAPH.values() for out in s.get("outs", [])]
    made.append("data/human")  # people's labels: committed
    for name, stage in GRAPH.items():
        for dep in stage["deps"]:
            if dep.startswith("data/"):
                assert any(feeds(out, dep) for out in made), f"{name}: {dep} is made by no stage"


def test_stages_are_few_enough_to_read() -> None:
    given = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))

    def count(names: Iterable[str]) -> int:
        """Stages as DVC sees them, matrix and foreach resolved."""
        total = 0
        for name in names:
            axes = GRAPH[name].get("matrix", {})
            many = math.prod(len(given["students"] if isinstance(values, str) else values) for values in axes.values())
            total += len(given["variants"]) if "foreach" in GRAPH[name] else many
        return total

    root = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    assert count(root) <= 30
    assert count(GRAPH) <= 105
    assert all(stage.get("desc") for stage in GRAPH.values())


def test_readme_shows_this_graph() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{mermaid(ROOT)}```" in readme, "paste the output of `dart graph` into README.md"


PAID = {"distill", "audit", "targets", "reaudit", "judge_annotated", "arm_rationales", "arm_pools", "arm_audits",
        "hatecheck_rewrites", "openended_judgements", "audit_training", "recipe_pools", "recipe_audits"}  # fmt: skip
ROLES = {"profile:teacher", "profile:other_teachers", "profile:judge", "profile:second_judge"}


def test_who_may_be_paid_is_asked_in_a_stage_of_its_own() -> None:
    """A stage that asks names whom; one that trains or answers names neither a party nor the threshold."""
    for name, stage in GRAPH.items():
        keys = params(stage)
        costs = [out for out in outs(stage) if out.startswith("data/cost/")]
        assert bool(costs) == (name in PAID), f"{name}: who asks writes what it costs"
        if name in PAID:
            assert keys & ROLES
        if stage.get("meta", {}).get("launcher"):
            assert not keys & (
                ROLES | {"tau_delta", "arms.tau_delta", "audit", "distill", "repair", "profile:simulation"}
            )


def test_a_stage_that_trains_or_answers_may_use_a_launcher() -> None:
    launched = {name for name in GRAPH if uses_launcher(GRAPH[name]["cmd"].split()[3], ROOT)}
    assert launched == {"train", "generate", "repair", "regenerate", "control", "policy", "arm_stage1", "arm_stage3",
                        "answers", "openended", "answer_training", "recipe_training"}  # fmt: skip


def test_compiled_python_does_not_enter_the_hash_of_a_dep() -> None:
    """Deps are folders; with __pycache__ in their hash, a clone that has run anything would re-run everything."""
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8").split()


def test_what_a_killed_run_has_left_is_found_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n"
        "  train:\n    matrix: {student: [a, b]}\n    cmd: python -m stages train ${item.student}\n"
        "    outs: ['data/adapters/${item.student}/distilled', {data/cost/train.json: {cache: false}}]\n"
        "  other:\n    cmd: python -m stages other\n    outs: [data/other]\n",
        encoding="utf-8",
    )
    names = {
        "data/adapters/a/.distilled.k3x_9abc": True,
        "data/cost/.train.json.abcdefgh": True,
        "data/adapters/b/.distilled.k3x_9abc": False,  # another slot's
        "data/adapters/a/.distilled.old": False,
        "data/adapters/a/.hidden.k3x_9abc": False,
        "data/.other.k3x_9abc": False,  # another stage's
    }
    for name in names:
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "data/adapters/a/.distilled.12345678").write_text("a file", encoding="utf-8")
    found = {str(path.relative_to(tmp_path)) for path in leftovers("train", ["a"], tmp_path)}
    assert found == {name for name, left in names.items() if left}
