"""What the runs of an arm share: equal trainings are done once, and a killed arm finds what it had trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dart.ablations import context as module
from dart.ablations.context import ArmContext
from dart.core import hub, layout
from dart.core.files import write_json
from dart.core.records import TrainingRow
from dart.core.result_cache import ResultCache, result_cache
from dart.core.schema.method import Lora, Training
from tests.support.tiny_models import spec

LORA = Lora(r=4, alpha=8, dropout=0.0, target_modules=("q_proj",))
TRAINING = Training(epochs=1, global_batch=2, warmup_ratio=0.0, weight_decay=0.0, max_grad_norm=1.0, max_length=64)


def row(key: str) -> TrainingRow:
    return TrainingRow(key=key, messages=({"role": "user", "content": "q"},), response=f"a {key}")


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[int, int]]:
    """(rows, seed) of every training that really ran; a file stands for the weights."""
    done: list[tuple[int, int]] = []

    def train(base: Path, student: Any, rows: Any, lora: Any, training: Any, seed: int, out: Path, **_: Any) -> None:
        done.append((len(rows), seed))
        out.mkdir(parents=True)
        (out / "weights").write_text(f"{len(rows)} {lora.r} {seed}")

    monkeypatch.setattr(module, "train_adapter", train)
    monkeypatch.setattr(hub, "resolve", lambda base: (str(base), "revision 1"))
    monkeypatch.chdir(tmp_path)
    write_json(layout.CODE / "ablations.stage3.json", {})
    return done


def arm(results: ResultCache) -> ArmContext:
    nothing: Any = None
    return ArmContext(
        seed=1,
        training_seed=42,
        student=spec(),
        base=Path("base"),
        lora=LORA,
        training=TRAINING,
        generation=nothing,
        toxreg=None,
        classifier=nothing,
        results=results,
    )


def test_equal_rows_train_once_and_others_again(trained: list[tuple[int, int]]) -> None:
    with result_cache("ablations.stage3", "uniform") as results:
        context = arm(results)
        first, again = context.train([row("a")]), context.train([row("a")])
        assert first == again
        assert (first / "weights").read_text() == "1 4 42"
        others = [
            context.train([row("b")]),
            context.train([row("a")], lora=LORA.model_copy(update={"r": 8})),
        ]
        assert len({first, *others}) == 3
    assert trained == [(1, 42), (1, 42), (1, 42)]


def test_an_arm_that_was_killed_finds_what_it_had_trained(
    trained: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []

    def killed() -> None:
        with result_cache("ablations.stage3", "uniform") as results:
            folders.append(arm(results).train([row("a")]))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    with result_cache("ablations.stage3", "uniform") as results:
        assert arm(results).train([row("a")]) == folders[0]
    assert trained == [(1, 42)]
    monkeypatch.setattr(hub, "resolve", lambda base: (str(base), "revision 2"))
    with result_cache("ablations.stage3", "uniform") as results:
        assert arm(results).train([row("a")]) != folders[0], "trained from another base"
    assert trained == [(1, 42), (1, 42)]
    assert not folders[0].exists(), "what the last run did not use is gone"
