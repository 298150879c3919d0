"""The fingerprint of a stage's code: what decides a result changes it, a corrected sentence does not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from dart.core import graph
from dart.core.code import Reader, closure, fingerprints, scripts
from dart.core.errors import DataError

ROOT = Path(__file__).resolve().parents[2]
GPU = ("train", "repair", "control", "generate", "regenerate", "policy", "ablations.stage1", "ablations.stage3",
       "external.answers", "external.openended")  # fmt: skip
Fingerprints = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def ours() -> Fingerprints:
    return fingerprints(ROOT)


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    """A checkout with one stage and three modules."""
    files = {
        "stages/__init__.py": "",
        "stages/one.py": "from dart.a import used\n\n\ndef run():\n    return used()\n",
        "stages/helper.py": "X = 1\n",
        "src/dart/__init__.py": "",
        "src/dart/a.py": '"""A."""\nfrom dart import b\n\n\ndef used():\n    """Doc."""\n    return b.f() # note\n\n\n'
        "def idle():\n    return 1\n",
        "src/dart/b.py": "from dart.c import deep\n\nTABLE = 'table.json'\n\n\ndef f():\n    return deep(TABLE)\n\n\n"
        "def g():\n    return 2\n",
        "src/dart/c.py": "def deep(x):\n    return x\n",
        "src/dart/table.json": "{}",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def edit(root: Path, name: str, old: str, new: str) -> None:
    text = (root / name).read_text(encoding="utf-8")
    assert old in text
    (root / name).write_text(text.replace(old, new, 1), encoding="utf-8")


def test_a_stage_is_a_module_with_a_run(toy: Path) -> None:
    assert scripts(toy) == ["one"]


def test_the_closure_follows_symbols_and_names_data_files(toy: Path) -> None:
    assert set(fingerprints(toy)["one"]) == {"stages.one", "dart.a", "dart.b", "dart.c", "dart/table.json"}


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("src/dart/a.py", '"""A."""', '"""Another opening."""'),
        ("src/dart/a.py", '"""Doc."""', '"""Corrected."""'),
        ("src/dart/a.py", " # note", "  # another note"),
        ("src/dart/a.py", "return b.f()", "return (\n        b.f()\n    )"),
        ("src/dart/a.py", "return 1", "return 3"),  # a function that the stage does not reach
        ("src/dart/b.py", "return 2", "return 3"),
    ],
)
def test_what_decides_nothing_changes_nothing(toy: Path, name: str, old: str, new: str) -> None:
    before = fingerprints(toy)
    edit(toy, name, old, new)
    assert fingerprints(toy) == before


@pytest.mark.parametrize(
    ("name", "old", "new", "module"),
    [
        ("src/dart/a.py", "return b.f()", "return b.f() + 1", "dart.a"),
        ("src/dart/b.py", "deep(TABLE)", "deep(TABLE + '')", "dart.b"),
        ("src/dart/c.py", "return x", "return -x", "dart.c"),
        ("src/dart/c.py", "def deep", "print(1)\ndef deep", "dart.c"),  # more than a definition: always counts
        ("src/dart/table.json", "{}", "{ }", "dart/table.json"),
    ],
)
def test_what_decides_changes_the_entry_of_its_module(toy: Path, name: str, old: str, new: str, module: str) -> None:
    before = fingerprints(toy)["one"]
    edit(toy, name, old, new)
    after = fingerprints(toy)["one"]
    assert {key for key in after if after[key] != before[key]} == {module}


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("src/dart/b.py", "from dart.c import deep", "from dart.missing import deep", "no module dart.missing"),
        ("src/dart/b.py", "from dart.c import deep", "from dart.c import deeper as deep", "defines no 'deeper'"),
        ("src/dart/a.py", "b.f()", "b.h()", "defines no 'h'"),
        ("src/dart/a.py", "from dart import b", "from dart.b import *", r"import \*"),
        ("src/dart/a.py", "from dart import b", "import dart.b as b", "it says what is used"),
        ("src/dart/a.py", "from dart import b", "from . import b", "relative imports"),
    ],
)
def test_an_import_that_leads_nowhere_or_hides_is_refused(
    toy: Path, name: str, old: str, new: str, message: str
) -> None:
    edit(toy, name, old, new)
    with pytest.raises(DataError, match=message):
        fingerprints(toy)


def test_every_stage_of_the_graph_depends_on_its_own_entry(ours: Fingerprints) -> None:
    for name, stage in graph.stages(ROOT).items():
        script = stage["cmd"].split()[3]
        assert script in ours, f"{name}: stages/{script} defines no run()"
        code = [dep for dep in stage["deps"] if dep.startswith(("src", "stages", "data/code"))]
        assert code == (["src/dart", "stages"] if name == "code" else [f"data/code/{script}.json"])


def test_no_stage_that_trains_or_answers_reaches_a_judge_a_teacher_or_the_simulated_parties() -> None:
    reader = Reader(ROOT)
    for stage in GPU:
        reached = closure(stage, reader, simulated=False)
        for module in ("dart.harm.audit", "dart.harm.judge", "dart.harm.screen", "dart.repair.targets",
                       "dart.distill.rationales", "dart.prompts.judging", "stages.clients"):  # fmt: skip
            assert module not in reached, f"{stage} depends on {module}"
        sources = [statement.source for statement in reached.get("dart.prompts.classification", [])]
        assert not any("DISTILLATION_SYSTEM =" in source or "SAFE_TARGET_SYSTEM =" in source for source in sources)


def test_the_simulated_parties_belong_to_simulated_profiles_alone(ours: Fingerprints) -> None:
    def simulated(entries: Fingerprints) -> set[str]:
        return {stage for stage, modules in entries.items() if any("simulation" in name for name in modules)}

    assert {"suite", "student", "scorer", "distill", "audit", "reaudit"} <= simulated(ours)
    assert simulated(fingerprints(ROOT, simulated=False)) == set()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("src/dart", "stages"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_a_docstring_of_a_module_that_all_stages_use_changes_no_entry(checkout: Path, ours: Fingerprints) -> None:
    for name in ("records", "files", "seeds", "params", "hub", "store", "layout"):
        file = checkout / f"src/dart/core/{name}.py"
        text = file.read_text(encoding="utf-8")
        file.write_text(text.replace('"""', '"""Corrected: ', 1), encoding="utf-8")
    assert fingerprints(checkout) == ours


def test_the_weights_of_repair_rows_decide_repair_and_nothing_before_it(checkout: Path, ours: Fingerprints) -> None:
    edit(checkout, "src/dart/repair/mix.py", "range(1, copies + 1)", "range(1, copies + 2)")
    after = fingerprints(checkout)
    changed = {stage for stage in after if after[stage] != ours[stage]}
    assert changed == {"repair", "control", "ablations.stage3", "recipes.train"}
