"""The honesty of dvc.yaml: code, parameters and drawing agree with what really decides a result."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core.graph import feeds, mermaid, stages
from dart.core.schema.profile import StudentSpec
from dart.external.items import SUITES

ROOT = Path(__file__).resolve().parents[2]
GRAPH = stages(ROOT)
EXTERNAL: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "external/dvc.yaml").read_text(encoding="utf-8"))["stages"]
# These start a stage and print its errors; they decide no number.
TRAINED = {"learning_rate", "batch_per_device", "precision", "quantize"}  # of the slot; the base is made without them
DISPATCH = {"stages/__init__.py", "stages/__main__.py", "src/dart/__init__.py", "src/dart/core/errors.py"}


def _file_of(module: str) -> Path | None:
    base = ROOT if module.split(".")[0] == "stages" else ROOT / "src"
    path = base.joinpath(*module.split("."))
    for candidate in (path.with_suffix(".py"), path / "__init__.py"):
        if candidate.is_file():
            return candidate
    return None


def _imports(file: Path) -> set[Path]:
    """Project files that `file` imports, anywhere in it, with the packages around them."""
    found: set[Path] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{file}: relative import"
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        for name in names:
            if name.split(".")[0] not in ("dart", "stages"):
                continue
            parts = name.split(".")
            for length in range(1, len(parts) + 1):
                path = _file_of(".".join(parts[:length]))
                if path:
                    found.add(path)
    return found


def script(stage: str) -> Path:
    """The script that the stage runs: `python -m stages external.prompts ...` is stages/external/prompts.py."""
    words: list[str] = GRAPH[stage]["cmd"].split()
    assert words[:3] == ["python", "-m", "stages"], GRAPH[stage]["cmd"]
    return ROOT.joinpath("stages", *words[3].split(".")).with_suffix(".py")


def closure(stage: str) -> set[str]:
    """Every project file that the stage's script reaches by imports."""
    frontier = [script(stage)]
    seen: set[Path] = set()
    while frontier:
        file = frontier.pop()
        if file not in seen:
            seen.add(file)
            frontier += _imports(file)
    return {str(file.relative_to(ROOT)) for file in seen if not _is_empty(file)} - DISPATCH


def _is_empty(file: Path) -> bool:
    """Whether a package's __init__ holds a docstring and no code, so that it cannot decide anything."""
    body = ast.parse(file.read_text(encoding="utf-8")).body
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


@pytest.mark.parametrize("stage", list(GRAPH))
def test_every_imported_file_is_a_declared_dep(stage: str) -> None:
    deps = GRAPH[stage]["deps"]
    missing = {file for file in closure(stage) if not any(file == dep or file.startswith(dep + "/") for dep in deps)}
    assert not missing, f"{stage}: add to deps in dvc.yaml: {sorted(missing)}"


@pytest.mark.parametrize("stage", list(GRAPH))
def test_every_declared_source_is_imported(stage: str) -> None:
    """The other direction: a dep on code that the stage never loads re-runs it for nothing."""
    files = closure(stage)
    idle = [
        dep
        for dep in GRAPH[stage]["deps"]
        if dep.split("/")[0] in ("src", "stages") and not any(f == dep or f.startswith(dep + "/") for f in files)
    ]
    assert not idle, f"{stage}: not imported, drop from deps: {idle}"


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


@pytest.mark.parametrize(("stage", "idle"), [("train", set()), ("repair", set()), ("student", TRAINED)])
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
    assert count(root) <= 25
    assert count(GRAPH) <= 60
    assert all(stage.get("desc") for stage in GRAPH.values())


def test_readme_shows_this_graph() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"```mermaid\n{mermaid(ROOT)}```" in readme, "paste the output of `dart graph` into README.md"


def test_compiled_python_does_not_enter_the_hash_of_a_dep() -> None:
    """Deps are folders; with __pycache__ in their hash, a clone that has run anything would re-run everything."""
    assert "__pycache__" in (ROOT / ".dvcignore").read_text(encoding="utf-8").split()
