"""Parameters: every problem at once, nearest key named, and nothing read that is not declared."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml
from pydantic import ValidationError

from dart.core import params
from dart.core.errors import ParameterError
from dart.core.schema.ablations import Variant
from dart.core.schema.method import Lora, Recipes
from dart.core.schema.profile import StudentSpec, TrainedStudent

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    shutil.copy(ROOT / "params.yaml", tmp_path)
    shutil.copytree(ROOT / "profiles", tmp_path / "profiles")
    return tmp_path


def _edit(file: Path, change: Any) -> None:
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.parametrize("profile", ["embedded", "realsuite", "paper"])
def test_every_shipped_profile_is_valid(repository: Path, profile: str) -> None:
    _edit(repository / "params.yaml", lambda content: content.update(profile=profile))
    given, world = params.check(repository)
    assert given.profile == profile
    assert {"small", "base", "large"} <= set(world.students)
    assert (world.label == "measured") == (world.simulation is None) == (profile == "paper")


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [
        ("suite", "source", "embedded"),
        ("students", "large", {"model": "embedded://nano"}),
        ("scorers", "hate", {"model": "embedded://classifier"}),
        ("teacher", "base_url", "embedded://teacher"),
        ("judge", "base_url", "embedded://judge"),
        ("second_judge", "base_url", "embedded://judge"),
        ("external", "source", "embedded"),
    ],
)
def test_one_embedded_party_makes_the_numbers_simulated(section: str, key: str, value: Any) -> None:
    content = yaml.safe_load((ROOT / "profiles/paper.yaml").read_text(encoding="utf-8"))
    assert params.Profile.model_validate(content).label == "measured"
    entry = content[section]
    entry[key] = {**entry[key], **value} if isinstance(value, dict) else value
    assert params.Profile.model_validate(content).label == "simulated"


def test_a_declared_label_is_refused_with_the_reason(repository: Path) -> None:
    _edit(repository / "profiles/embedded.yaml", lambda content: content.update(label="measured"))
    with pytest.raises(ParameterError, match=r"embedded\.yaml: label: is derived from the parties .* delete the line"):
        params.check(repository)


def test_nobody_is_simulated_where_no_party_is_embedded(repository: Path) -> None:
    embedded = yaml.safe_load((repository / "profiles/embedded.yaml").read_text(encoding="utf-8"))
    _edit(repository / "params.yaml", lambda content: content.update(profile="paper"))
    _edit(repository / "profiles/paper.yaml", lambda content: content.update(simulation=embedded["simulation"]))
    with pytest.raises(ParameterError, match=r"paper\.yaml: simulation: no party is embedded"):
        params.check(repository)


def test_the_paper_profile_names_the_models_of_the_paper() -> None:
    world = params.Profile.model_validate(yaml.safe_load((ROOT / "profiles/paper.yaml").read_text(encoding="utf-8")))
    assert {slot: spec.name for slot, spec in world.students.items()} == {
        "small": "Llama-3.2-3B-Instruct",
        "base": "Llama-3-8B-Instruct",
        "large": "Qwen2.5-14B-Instruct",
        "mistral": "Mistral-7B-Instruct-v0.3",
        "gemma": "Gemma-2-9B-IT",
    }
    assert world.students["base"].learning_rate == 0.0002
    assert world.scorers.hate.label == "hate"


def test_all_problems_are_listed_at_once(repository: Path) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["tau_detla"] = content.pop("tau_delta")
        content["lora"]["rank"] = 8
        content["training"]["epohcs"] = 1
        content["split"]["by"] = "topic"

    _edit(repository / "params.yaml", spoil)
    _edit(repository / "profiles/embedded.yaml", lambda content: content["teacher"].update(temprature=1.0))
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    message = str(caught.value)
    assert "unknown parameter 'tau_detla'; did you mean 'tau_delta'?" in message
    assert "missing parameter 'tau_delta'" in message
    assert "unknown parameter 'lora.rank'; the keys here are: r, alpha, dropout, target_modules" in message
    assert "unknown parameter 'training.epohcs'; did you mean 'epochs'?" in message
    assert "split.by = 'topic'" in message
    assert "profiles/embedded.yaml: unknown parameter 'teacher.temprature'; did you mean 'temperature'?" in message


def test_a_float_written_as_2e_4_is_refused_because_yaml_reads_a_string(repository: Path) -> None:
    file = repository / "profiles/embedded.yaml"
    file.write_text(file.read_text(encoding="utf-8").replace("0.005", "5e-3"), encoding="utf-8")
    with pytest.raises(ParameterError, match=r"students\.base\.learning_rate = '5e-3'"):
        params.check(repository)


def test_an_unknown_profile_names_the_nearest(repository: Path) -> None:
    _edit(repository / "params.yaml", lambda content: content.update(profile="real_suite"))
    with pytest.raises(ParameterError, match="did you mean 'realsuite'"):
        params.check(repository)


def test_a_slot_that_the_profile_does_not_fill_is_named(repository: Path) -> None:
    _edit(repository / "params.yaml", lambda content: content.update(students=["small", "huge"]))
    with pytest.raises(ParameterError, match="slot 'huge'"):
        params.check(repository)


class Example(params.StageParams):
    """One field of every kind."""

    seed: int
    lora: Lora
    confidence: Annotated[float, params.FromParams("statistics.confidence")]
    variant: Annotated[Variant, params.FromParams("variants.{key}")]
    student: Annotated[TrainedStudent, params.FromProfile("students.{student}", by_field=True)]
    answering: Annotated[StudentSpec, params.FromProfile("students.{arms.student}")]
    judge: params.JudgeEndpoint


EXAMPLE = """
stages:
  example:
    cmd: python -m stages example
    params: [seed, lora, statistics.confidence, "variants.${key}",
      {"profiles/${profile}.yaml": ["students.${item.student}.name", "students.${item.student}.model",
        "students.${item.student}.revision", "students.${item.student}.learning_rate",
        "students.${item.student}.batch_per_device", "students.${item.student}.precision",
        "students.${item.student}.quantize", "students.${item.student}.epochs",
        "students.${item.student}.stage3_learning_rate", "students.${arms.student}", judge]}]
"""


@pytest.fixture
def example(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (repository / "dvc.yaml").write_text(EXAMPLE, encoding="utf-8")
    monkeypatch.chdir(repository)
    return repository


def test_a_stage_gets_what_it_states_from_where_it_stands(example: Path) -> None:
    loaded = Example.load("example", key="uniform", student="base")
    checked, profile = params.check(example)
    assert (loaded.seed, loaded.lora, loaded.confidence) == (checked.seed, checked.lora, checked.statistics.confidence)
    assert loaded.variant == checked.variants["uniform"]
    assert loaded.student.name == "nano-base"
    assert set(type(loaded.student).model_fields) == set(TrainedStudent.model_fields)
    assert loaded.answering == profile.students[checked.arms.student]
    assert loaded.judge == profile.judge


class Comparing(params.StageParams):
    recipes: Recipes


def test_recipes_of_a_slot_that_the_profile_does_not_have_are_named_and_not_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (repository / "dvc.yaml").write_text("stages: {example: {cmd: 'true', params: [recipes]}}", encoding="utf-8")
    _edit(repository / "params.yaml", lambda content: content["recipes"].update(huge=["own"]))
    monkeypatch.chdir(repository)
    assert Comparing.load("example").recipes["huge"] == ("own",)
    assert [line.getMessage() for line in caplog.records if line.levelname == "WARNING"] == [
        "params.yaml: recipes: profile embedded has no slot huge: nothing is compared there"
    ]


def test_what_no_field_states_cannot_be_read(example: Path) -> None:
    with pytest.raises(AttributeError):
        _ = Example.load("example", key="uniform", student="base").training  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (("seed, lora, ", "seed, "), "'lora' is read and not declared"),
        (("seed, lora, ", "seed, lora, tau_delta, "), "'tau_delta' is declared and not read"),
        ((", judge]", "]"), "'profile:judge' is read and not declared"),
        (('"students.${item.student}.quantize", ', ""), "'profile:students.{student}.quantize' is read and not"),
    ],
)
def test_a_stage_whose_entry_in_dvc_yaml_says_something_else_does_not_run(
    example: Path, edit: tuple[str, str], message: str
) -> None:
    (example / "dvc.yaml").write_text(EXAMPLE.replace(*edit), encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        Example.load("example", key="uniform", student="base")
    assert message in str(caught.value)


def test_every_role_has_an_endpoint_in_the_embedded_world(repository: Path) -> None:
    _, profile = params.check(repository)
    assert {role: profile.endpoint(role) is not None for role in params.ROLES} == dict.fromkeys(params.ROLES, True)
    second = profile.endpoint("second_teacher")
    assert second is not None
    assert second.model == "embedded-teacher-2"


def test_a_teacher_that_the_profile_does_not_have_is_named(repository: Path) -> None:
    _edit(repository / "profiles/embedded.yaml", lambda content: content["other_teachers"].update(second=None))
    with pytest.raises(ParameterError, match=r"variants\.second_teacher asks second_teacher, and .* has none"):
        params.check(repository)
    _edit(repository / "params.yaml", lambda content: content["variants"].pop("second_teacher"))
    _, profile = params.check(repository)
    assert profile.endpoint("second_teacher") is None


def test_a_simulated_teacher_whose_behaviour_is_not_declared_is_named(repository: Path) -> None:
    def spoil(content: dict[str, Any]) -> None:
        content["simulation"]["other_teachers"]["third"] = None
        del content["simulation"]["teacher"]["label_error"]

    _edit(repository / "profiles/embedded.yaml", spoil)
    with pytest.raises(ParameterError, match=r"missing parameter 'simulation\.teacher\.label_error'"):
        params.check(repository)
    _edit(
        repository / "profiles/embedded.yaml", lambda content: content["simulation"]["teacher"].update(label_error=0.1)
    )
    with pytest.raises(ParameterError, match=r"simulation\.other_teachers\.third does not say how it errs"):
        params.check(repository)
    _edit(repository / "profiles/embedded.yaml", lambda content: content["other_teachers"].update(third=None))
    _edit(repository / "params.yaml", lambda content: content["variants"].pop("third_teacher"))
    params.check(repository)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({}, "differs from the default in nothing"),
        ({"repair": "none"}, "distilled student of the main path"),
        ({"severity_noise": {"kind": "sideways", "share": 0.2}}, "up"),
        ({"severity_weight": {}}, "severity_weight"),
        ({"seeds": [1]}, "seeds"),
        ({"points": {"a": {"tau_delta": 0.02}, "b": {}}}, "point b differs from the default in nothing"),
        ({"tau_delta": 0.02, "folds": [0]}, "folds and again stand alone"),
        ({"again": "base", "repair": "sham"}, "folds and again stand alone"),
        ({"decoding": {"temperature": 0.2, "top_p": 0.9}}, "needs `again`"),
        ({"rank": 0}, "greater than or equal to 1"),
        ({"toxicity_weight": 0.0}, "greater than 0"),
    ],
)
def test_an_arm_that_says_nothing_or_nonsense_is_refused(entry: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Variant.model_validate({"about": "x", **entry})


@pytest.mark.parametrize(
    ("seeds", "problem"),
    [
        ([], "seeds = []"),
        ([42, 0, 42], "a training seed is named twice"),
        ([42, -1], "seeds.1 = -1"),
        ([42, 1.5], "seeds.1 = 1.5"),
        (list(range(101)), "at most 100 items"),
        (None, "seeds = None"),
    ],
)
def test_training_seeds_are_different_whole_numbers(repository: Path, seeds: Any, problem: str) -> None:
    _edit(repository / "profiles/embedded.yaml", lambda content: content.update(seeds=seeds))
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    assert problem in str(caught.value)
    _edit(repository / "profiles/embedded.yaml", lambda content: content.update(seeds=[3, 0]))
    assert params.check(repository)[1].seeds == (3, 0)


@pytest.mark.parametrize(
    "file", ["params.yaml", *sorted(f"profiles/{path.name}" for path in (ROOT / "profiles").glob("*.yaml"))]
)
def test_dvc_reads_the_files_with_its_fast_parser(file: str) -> None:
    """libyaml, which halves the time of every dvc command, is stricter than PyYAML: URLs in {...} need quotes."""
    from ruamel import yaml as ruamel

    assert ruamel.__with_libyaml__, "install ruamel.yaml.clib, as requirements.lock does"
    text = (ROOT / file).read_text(encoding="utf-8")
    assert ruamel.YAML(typ="safe").load(text) == yaml.safe_load(text)


SERVER = {
    "kind": "vllm", "base_url": "http://localhost:8000/v1", "model": None, "api_key_env": None, "concurrency": 8,
    "timeout_s": 60, "load_adapters": True,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"engine": "openai"}, "engine openai needs `server`, with kind, base_url"),
        ({"engine": "openai", "server": SERVER}, "embedded://nano is trained on this machine, and no server of kind"),
        ({"server": {**SERVER, "kind": "other"}}, "only a vLLM server loads adapters"),
        ({"server": {**SERVER, "base_url": "embedded://student"}}, "no student is served in this process"),
        ({"server": {**SERVER, "kind": "vlm"}}, "students.base.server.kind = 'vlm'"),
        ({"engine": "vllm"}, "students.base.engine = 'vllm'"),
    ],
)
def test_contradictions_of_engine_and_server_are_named(repository: Path, changes: dict[str, Any], problem: str) -> None:
    _edit(repository / "profiles/embedded.yaml", lambda content: content["students"]["base"].update(changes))
    with pytest.raises(ParameterError, match=problem):
        params.check(repository)


def test_the_paper_profile_switches_to_a_server_by_one_entry(repository: Path) -> None:
    _edit(repository / "profiles/paper.yaml", lambda content: content["students"]["base"].update(engine="openai"))
    _, world = params.check(repository, "paper")
    assert world.students["base"].engine == "openai"
    assert world.students["base"].server is not None


def test_transformers_serve_may_serve_an_embedded_student(repository: Path) -> None:
    server = {**SERVER, "kind": "transformers", "load_adapters": False}
    changes = {"engine": "openai", "server": server}
    _edit(repository / "profiles/embedded.yaml", lambda content: content["students"]["base"].update(changes))
    assert params.check(repository)[1].students["base"].server is not None


def test_points_stand_on_top_of_what_the_arm_says() -> None:
    arm = Variant.model_validate(
        {"about": "x", "repair": "none", "rank": 4, "points": {"a": {"rank": 8}, "b": {"stage1": "safe"}}}
    )
    changes = arm.changes("arm")
    assert list(changes) == ["a", "b"]
    assert (changes["a"].rank, changes["a"].repair, changes["a"].stage1) == (8, "none", "distilled")
    assert (changes["b"].rank, changes["b"].repair, changes["b"].stage1) == (4, "none", "safe")


def test_a_point_may_take_back_what_the_arm_says() -> None:
    arm = Variant.model_validate({"about": "x", "tau_delta": 0.02, "rank": 4, "points": {"a": {"tau_delta": None}}})
    assert arm.changes("arm")["a"].tau_delta is None


def test_an_arm_without_points_is_its_own_point() -> None:
    arm = Variant.model_validate({"about": "x", "tau_delta": 0.02})
    assert list(arm.changes("wide")) == ["wide"]
    found = arm.runs("wide")
    assert list(found) == ["wide"]
    assert found["wide"].change.tau_delta == 0.02


@pytest.mark.parametrize(
    ("change", "trained"),
    [
        ({"tau_delta": 0.02}, False),
        ({"repair_labels": "predicted"}, False),
        ({"stage1": "safe"}, True),
        ({"teacher": "second_teacher"}, True),
        ({"toxicity_weight": 0.1}, True),
        ({"rank": 4}, True),
    ],
)
def test_what_trains_stage_one_again(change: dict[str, Any], trained: bool) -> None:
    assert Variant.model_validate({"about": "x", **change}).trains_stage1 == trained


@pytest.mark.parametrize(
    ("variants", "message"),
    [
        ({"a": {"points": {"b": {"rank": 4}}}, "b": {"tau_delta": 0.02}}, "variants.a: the name 'b' is taken"),
        ({"control": {"tau_delta": 0.02}}, "variants.control: the name 'control' is taken"),
        ({"safe": {"stage1": "safe"}, "safe_stage1": {"tau_delta": 0.02}}, "the name 'safe_stage1' is taken"),
        ({"a": {"folds": [4, 5]}}, "variants.a.folds: 5 is not below split.folds 5"),
    ],
)
def test_arms_that_contradict_the_rest_are_named(
    repository: Path, variants: dict[str, dict[str, Any]], message: str
) -> None:
    said = {name: {"about": "x", **variant} for name, variant in variants.items()}
    _edit(repository / "params.yaml", lambda content: content.update(variants=said))
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    assert message in str(caught.value)


def test_arms_need_the_parties_that_they_name(repository: Path) -> None:
    _edit(repository / "profiles/embedded.yaml", lambda content: content.update(second_judge=None))
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    assert "variants.second_judge asks second_judge, and profiles/embedded.yaml has none" in str(caught.value)
    assert "arms.reaudit: profiles/embedded.yaml has no second_judge; say none" in str(caught.value)


@pytest.mark.parametrize(
    ("guard", "message"),
    [
        ({"model": "owner/name", "revision": "main"}, "revision of owner/name is 'main'; name its commit"),
        ({"model": "no such folder", "revision": None}, "model 'no such folder' is neither a folder on this machine"),
        ({"model": ".", "revision": None}, ". has no config.json, so it is no checkpoint"),
        ({"model": ".", "revision": "a" * 40}, "revision '" + "a" * 40 + "' belongs to a hub id; . is a folder"),
        (
            {"model": "owner/name", "revision": "a" * 40, "chat_template": "none.jinja"},
            "chat_template 'none.jinja' is no file on this machine",
        ),
    ],
)
def test_guards_of_this_machine_are_named_by_what_is_there(
    repository: Path, guard: dict[str, Any], message: str
) -> None:
    section = {"mine": {"format": "llama_guard", "local": guard}}
    _edit(repository / "profiles/embedded.yaml", lambda content: content.update(guards=section))
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    assert f"profiles/embedded.yaml: guards.mine.local: {message}" in str(caught.value)


def test_a_key_is_no_name_of_a_variable_for_a_guard_either(repository: Path) -> None:
    def edit(content: dict[str, Any]) -> None:
        server = {**content["judge"], "base_url": "http://127.0.0.1:1/v1", "api_key_env": "sk-0123456789abcdef01234567"}
        content["guards"] = {"mine": {"format": "llama_guard", "endpoint": server}}

    _edit(repository / "profiles/embedded.yaml", edit)
    with pytest.raises(ParameterError) as caught:
        params.check(repository)
    assert "guards.mine.endpoint.api_key_env: api_key_env is not the name" in str(caught.value)
    assert "0123456789" not in str(caught.value)
