"""Which libraries a stage loads before it works: no stage pays for what it does not use."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

from dart.core.code import scripts

ROOT = Path(__file__).resolve().parents[2]
MODELS = {"torch", "transformers"}
STATISTICS = {"scipy", "sklearn", "statsmodels"}
HEAVY = MODELS | STATISTICS | {"peft", "trl", "datasets", "accelerate", "pandas", "matplotlib", "dvc"}
TRAINER = "dart.student.trainer"  # takes transformers' Trainer, and so datasets and pandas
ASK = {"ablations.audits", "code", "distill", "provenance", "reaudit", "recipes.audits", "suite"}
SCORE = {"ablations.pools", "ablations.rationales", "audit", "audit_training", "recipes.pools", "scorer", "student",
         "targets"}  # fmt: skip
COMPUTE = {"ablations.compare", "calibrate", "evaluate", "external.openended_judgements", "external.suite",
           "judge_annotated", "recipes.compare"}  # fmt: skip
ANSWER = {"answer_training", "external.answers", "external.openended", "generate", "policy", "regenerate"}
TRAIN = {"ablations.stage1", "ablations.stage3", "control", "recipes.train", "repair", "train"}
KINDS = [
    (ASK, set()), (COMPUTE, STATISTICS), (SCORE, MODELS | {"scipy"}),
    ({"external.hatecheck", "external.hatecheck_rewrites"}, MODELS | STATISTICS),
    ({"paper"}, STATISTICS | {"matplotlib"}), (ANSWER, MODELS | {"scipy", "peft"}), (TRAIN, MODELS | {"scipy", "peft"}),
]  # fmt: skip


def _path(module: str) -> Path | None:
    base = ROOT if module.split(".")[0] == "stages" else ROOT / "src"
    path = base.joinpath(*module.split("."))
    return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)


def _executed(body: list[ast.stmt]) -> list[ast.stmt]:
    """Statements that run while a module is imported; blocks for the type checker do not."""
    inner = [part for node in body if isinstance(node, ast.Try | ast.With) for part in _executed(node.body)]
    return [*body, *inner]


@functools.cache
def _imports(module: str) -> frozenset[str]:
    """Modules that one module imports while it is imported, of this project and of libraries."""
    path = _path(module)
    assert path is not None, module
    names: set[str] = set()
    for node in _executed(ast.parse(path.read_text(encoding="utf-8")).body):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            parts = node.module.split(".")
            names |= {".".join(parts[: k + 1]) for k in range(len(parts))}
            names |= {whole for alias in node.names if _path(whole := f"{node.module}.{alias.name}")}
    return frozenset(names)


def _loaded(script: str) -> set[str]:
    """What `import stages.<script>` imports, directly or through modules of this project."""
    seen: set[str] = set()
    frontier = [f"stages.{script}"]
    while frontier:
        module = frontier.pop()
        if module not in seen:
            seen.add(module)
            frontier += _imports(module) if _path(module) else ()
    return seen


@pytest.mark.parametrize("script", scripts(ROOT))
def test_a_stage_loads_the_libraries_of_its_kind_and_no_others(script: str) -> None:
    allowed = [libraries for kind, libraries in KINDS if script in kind]
    assert len(allowed) == 1, f"which kind of stage is {script}?"
    loaded = _loaded(script)
    assert {name.split(".")[0] for name in loaded} & HEAVY <= allowed[0]
    assert TRAINER not in loaded or script in TRAIN


def test_what_a_library_loads_in_turn_is_not_overlooked() -> None:
    """A stage that asks, and the command that waits for a fork of the server, in real processes."""
    for module, light in (("stages.reaudit", HEAVY), ("stages.__main__", HEAVY | {"pydantic", "yaml"})):
        loads = f"import sys, {module}; print([name for name in {sorted(light)} if name in sys.modules])"
        done = subprocess.run([sys.executable, "-c", loads], cwd=ROOT, capture_output=True, text=True, check=False)
        assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
