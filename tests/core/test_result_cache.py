"""What a stage has trained or answered is computed once: after a kill, with one seed more, in another clone."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.core import layout
from dart.core.files import write_json
from dart.core.result_cache import copy_results, result_cache


@pytest.fixture(autouse=True)
def clone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A clone with its code."""
    folder = _clone(tmp_path, "clone")
    monkeypatch.chdir(folder)
    return folder


def _clone(tmp_path: Path, name: str) -> Path:
    write_json(tmp_path / name / layout.CODE / "train.json", {"dart.student.train": "one"})
    return tmp_path / name


class Work:
    """A stage that writes one file per seed, and dies in `dies_in`."""

    def __init__(self) -> None:
        self.done: list[int] = []

    def run(self, seeds: list[int], dies_in: int | None = None, part: str = "small") -> dict[str, Path]:
        paths = {}
        with result_cache("train", part) as results:
            for seed in seeds:

                def compute(path: Path, seed: int = seed) -> None:
                    if seed == dies_in:
                        raise KeyboardInterrupt
                    self.done.append(seed)
                    path.mkdir(parents=True)
                    (path / "weights").write_text(str(seed))

                paths[f"seed-{seed}"] = results.result(compute, seed)
            copy_results(paths, Path("out"))
        return paths


def test_a_stage_that_was_killed_goes_on_where_it_was() -> None:
    work = Work()
    with pytest.raises(KeyboardInterrupt):
        work.run([42, 0, 1], dies_in=1)
    assert not Path("out").exists()
    work.run([42, 0, 1])
    assert work.done == [42, 0, 1]
    assert {path.parent.name: path.read_text() for path in Path("out").glob("*/weights")} == {
        "seed-42": "42", "seed-0": "0", "seed-1": "1",
    }  # fmt: skip


def test_one_more_seed_is_the_only_one_that_is_computed() -> None:
    work = Work()
    work.run([42, 0])
    work.run([42, 0, 1])
    assert work.done == [42, 0, 1]


def test_what_the_last_run_did_not_use_is_gone() -> None:
    work = Work()
    dropped = work.run([42, 0])["seed-0"]
    work.run([42])
    assert not dropped.exists()
    assert [path.name for path in Path("out").iterdir()] == ["seed-42"]
    work.run([42, 0])
    assert work.done == [42, 0, 0]


def test_a_copy_is_no_link() -> None:
    work = Work()
    work.run([42])
    Path("out/seed-42/weights").write_text("changed by hand")
    work.run([42])
    assert Path("out/seed-42/weights").read_text() == "42"


def test_other_code_another_part_and_another_clone_compute_for_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = Work()
    work.run([42])
    work.run([42], part="base")
    assert work.done == [42, 42]
    write_json(layout.CODE / "train.json", {"dart.student.train": "two"})
    work.run([42])
    assert work.done == [42, 42, 42]
    monkeypatch.chdir(_clone(tmp_path, "second"))
    work.run([42])
    assert work.done == [42, 42, 42, 42]
