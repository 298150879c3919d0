"""What the runs of an arm share: equal trainings are done once, and a killed arm finds what it had trained."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dart.ablations import context as module
from dart.ablations.context import ArmContext, Sources
from dart.chat.tasks import Cost
from dart.core.records import TrainingRow
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
        out.mkdir()
        (out / "weights").write_text(f"{len(rows)} {lora.r} {seed}")

    monkeypatch.setattr(module, "train_adapter", train)
    monkeypatch.setattr(module, "resolve", lambda base: (str(base), "revision 1"))
    monkeypatch.setenv("DART_CACHE_DIR", str(tmp_path / "cache"))
    return done


def arm(stack: ExitStack) -> ArmContext:
    given = SimpleNamespace(
        seed=42, lora=LORA, training=TRAINING, arms=SimpleNamespace(student="base"), student=lambda _: spec()
    )
    nothing: Any = None
    costs: list[Cost] = []
    return ArmContext(
        given, Sources(Path("base"), Path("distilled")), nothing, nothing, [], {}, {}, [], [], [], [], nothing, costs,
        stack,
    )  # type: ignore[arg-type]  # fmt: skip


def test_equal_rows_train_once_and_others_again(trained: list[tuple[int, int]]) -> None:
    with ExitStack() as stack:
        setting = arm(stack)
        first, again = setting.trained([row("a")], None), setting.trained([row("a")], None)
        assert first == again
        assert (first / "weights").read_text() == "1 4 42"
        others = [
            setting.trained([row("b")], None),
            setting.trained([row("a")], 7),
            setting.trained([row("a")], None, lora=LORA.model_copy(update={"r": 8})),
        ]
        assert len({first, *others}) == 4
    assert trained == [(1, 42), (1, 42), (1, 7), (1, 42)]


def test_an_arm_that_was_killed_finds_what_it_had_trained(
    trained: list[tuple[int, int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Path] = []

    def killed() -> None:
        with ExitStack() as stack:
            found.append(arm(stack).trained([row("a")], None))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        killed()
    [kept] = found
    assert (kept / "weights").is_file()
    with ExitStack() as stack:
        assert arm(stack).trained([row("a")], None) == kept
    assert trained == [(1, 42)]
    assert not kept.exists(), "an arm that is written leaves nothing behind"
    for name, other in (("resolve", lambda base: (str(base), "revision 2")), ("_code", lambda: "other code")):
        with ExitStack() as stack, monkeypatch.context() as changed:
            changed.setattr(module, name, other)
            assert arm(stack).trained([row("a")], None) != kept, "trained from another base or by other code"
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:
        assert arm(stack).trained([row("a")], None) != kept, "another clone's arm must not clear this one's"
