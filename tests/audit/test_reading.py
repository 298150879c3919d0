"""Whatever is wrong with files or settings is one message that names it, before anything is loaded or asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from dart.audit.run import plan
from dart.audit.settings import AuditSettings, load_settings
from dart.audit.sources import ModelSource, source_of
from dart.core.errors import DartError, DataError, ParameterError
from tests.audit.conftest import Files, write

ROWS = [{"id": "a", "text": "One.", "toxicity": 0.1}, {"id": "b", "text": "Two.", "toxicity": 0.2}]


def planned(tmp_path: Path, base: list[dict[str, object]], tuned: list[dict[str, object]], **settings: object) -> None:
    paths = [write(tmp_path / f"{name}.jsonl", rows) for name, rows in (("base", base), ("tuned", tuned))]
    plan(paths, AuditSettings.model_validate(settings))


@pytest.mark.parametrize(
    ("tuned", "message"),
    [
        ([*ROWS, ROWS[0]], "1 x duplicate id: a (lines 1 and 3)"),
        ([{**ROWS[0], "toxicity": float("nan")}, ROWS[1]], "'toxicity' that is not a number in [0, 1]"),
        ([ROWS[0]], "id in"),
        ([{"text": "One."}, ROWS[1]], "no column 'id': line 1"),
        ([{"id": "a"}, {"id": "b"}], "no column 'text' or 'rationale'"),
        ([{**ROWS[0], "text": None}, ROWS[1]], "neither text nor rationale: a (line 1)"),
        ([{**ROWS[0], "colour": "red"}, ROWS[1]], "unknown column: colour"),
        ([{**ROWS[0], "prompt": ["p"]}, ROWS[1]], "'prompt' that is not a string"),
    ],
)
def test_what_is_wrong_with_answers_is_named(tuned: list[dict[str, object]], message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="tuned") as caught:
        planned(tmp_path, ROWS, tuned)
    assert message in str(caught.value)


def test_an_id_that_stands_for_two_prompts_is_an_error(tmp_path: Path) -> None:
    base, tuned = ([{**row, "prompt": f"{row['id']}{turn}?"} for row in ROWS] for turn in ("", "!"))
    with pytest.raises(DataError, match="different prompts under one id: a, b"):
        planned(tmp_path, base, tuned)
    with pytest.raises(DataError, match="'gold' differs: b"):
        planned(
            tmp_path, [{**row, "gold": "YES"} for row in ROWS], [{**ROWS[0], "gold": "YES"}, {**ROWS[1], "gold": "NO"}]
        )


def test_without_scores_a_classifier_is_asked_for_by_name(tmp_path: Path) -> None:
    bare = [{"id": row["id"], "text": row["text"]} for row in ROWS]
    with pytest.raises(DataError, match=r"no toxicity in the answers of tuned.*--classifier"):
        planned(tmp_path, ROWS, bare)
    planned(tmp_path, bare, bare, classifier="none")


def test_a_judge_needs_the_prompts(files: Files) -> None:
    settings = load_settings(None, {"judge": {"base_url": "http://127.0.0.1:1/v1", "model": "m"}})
    with pytest.raises(ParameterError, match="a judge reads the prompts: name their file"):
        plan(files.sides, settings)


def test_a_side_is_told_by_what_is_there(files: Files) -> None:
    adapter, checkpoint, pinned, other = (files.folder / name for name in ("adapter", "checkpoint", "pinned", "other"))
    contents = {adapter: "adapter_config.json", checkpoint: "config.json", pinned: "pin.json", other: "notes.txt"}
    for folder, name in contents.items():
        folder.mkdir()
        (folder / name).write_text("{}", encoding="utf-8")
    assert source_of(files.sides[0]) == Path(files.sides[0])
    assert source_of(str(adapter)) == ModelSource(str(adapter), "main", is_adapter=True)
    for model in (checkpoint, pinned):
        assert source_of(str(model)) == ModelSource(str(model), "main", is_adapter=False)
    with pytest.raises(DataError, match=r"without config\.json"):
        source_of(str(other))
    for name in ("answers/tuned.jsonl", "a b", "tuned.csv"):
        with pytest.raises(DataError, match="is missing"):
            source_of(name)


def test_options_win_over_the_file_and_a_dialect_over_defaults(tmp_path: Path) -> None:
    file = tmp_path / "audit.yaml"
    file.write_text(
        "tau_delta: 0.05\nsample: 5\n"
        "judge: {base_url: 'https://a/v1', model: m, dialect: anthropic, format: llama_guard}\n"
        "classifier: {model: x, label: hateful}\n",
        encoding="utf-8",
    )
    settings = load_settings(file, {"tau_delta": 0.02, "judge": {"model": "other"}, "seed": None})
    assert (settings.tau_delta, settings.sample, settings.seed) == (0.02, 5, 0)
    assert settings.judge is not None
    assert settings.judge.format == "llama_guard"
    assert settings.judge.party.model == "other"
    assert settings.judge.party.temperature is None  # Anthropic refuses one
    assert settings.judge.party.max_tokens == 500
    assert settings.classifier.label == "hateful"  # type: ignore[union-attr]
    assert load_settings(file, {"judge": "none"}).judge is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tau_delta: .nan", "tau_delta"),
        ("tau: 0.1", "tau: Extra inputs are not permitted"),
        ("sample: 2.5", "a number of pairs, or a share below 1"),
        ("votes: 2", "votes must be odd"),
        ("judge: {base_url: 'http://localhost/v1'}", "judge.model: Field required"),
        ("judge: {base_url: 'embedded://judge', model: m}", "no simulated judge answers here"),
        ("generation: {task: chat}", "generation.task"),
        ("classifier: {label: toxic}", "audit.yaml: classifier.model: Field required. docs"),
    ],
)
def test_settings_that_mean_nothing_are_refused(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "audit.yaml"
    file.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(DartError) as caught:
        load_settings(file, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
