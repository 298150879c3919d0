"""The only door to parameters: `params.yaml` and the profile, validated, and limited to what a stage declares.

Two checks, because they catch different mistakes. `check()` validates both files whole and reports every
problem at once, with the nearest known key for a misspelt one. `load(stage)` then gives a stage just the
sections that its entry in `dvc.yaml` declares (asked from DVC itself), so that a number cannot influence
a result without standing in `dvc.lock`.
"""

from __future__ import annotations

import difflib
import logging
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, Field, ValidationError

from dart.core.errors import ParameterError
from dart.core.records import BENCHMARKS, Record
from dart.core.schema.ablations import RESERVED, Arms, Variant, runs
from dart.core.schema.method import (
    Annotation,
    Audit,
    Distill,
    Equivalence,
    ExplanationPolicy,
    GenerationParams,
    Hypotheses,
    Lora,
    OpenEnded,
    Repair,
    SeverityWeights,
    Split,
    Statistics,
    ToxicityTerm,
    Training,
)
from dart.core.schema.profile import (
    Endpoint,
    ExternalSpec,
    OtherTeachers,
    ScorerSpec,
    Simulation,
    StudentSpec,
    SuiteSpec,
)

log = logging.getLogger(__name__)


# Whom a stage may ask, and where the profile says who that is.
ROLES: Mapping[str, str] = {
    "teacher": "teacher",
    "second_teacher": "other_teachers.second",
    "third_teacher": "other_teachers.third",
    "judge": "judge",
    "second_judge": "second_judge",
}


class Params(Record):
    """All of params.yaml."""

    profile: str
    students: tuple[str, ...] = Field(min_length=1)
    seed: int = Field(ge=0)
    split: Split
    distill: Distill
    lora: Lora
    training: Training
    generation: GenerationParams
    tau_delta: float = Field(strict=True)
    audit: Audit
    repair: Repair
    policy: ExplanationPolicy
    severity_weights: SeverityWeights
    annotation: Annotation
    openended: OpenEnded
    toxreg: ToxicityTerm
    statistics: Statistics
    hypotheses: Hypotheses
    equivalence: Equivalence
    arms: Arms
    variants: dict[str, Variant]


class Profile(Record):
    """All of profiles/<profile>.yaml."""

    label: Literal["simulated", "measured"]
    suite: SuiteSpec
    students: dict[str, StudentSpec]
    scorers: dict[Literal["toxicity", "hate"], ScorerSpec]
    teacher: Endpoint
    other_teachers: OtherTeachers
    judge: Endpoint
    second_judge: Endpoint | None
    external: ExternalSpec
    world: Simulation | None

    def party(self, name: str) -> Endpoint | None:
        """The endpoint of one of PARTIES; None: this profile has none."""
        section, _, key = ROLES[name].partition(".")
        found: Endpoint | None = getattr(getattr(self, section), key) if key else getattr(self, section)
        return found


ROOT_FILE = "params.yaml"


def _yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise ParameterError(f"{path} does not exist. Run from the root of the repository.")
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(content, dict):
        raise ParameterError(f"{path} must be a mapping, found {type(content).__name__}.")
    return content


def _known_keys(model: type[BaseModel], location: tuple[str | int, ...]) -> list[str]:
    """Field names at the parent of `location`, found by walking the annotations of `model`."""
    current: Any = model
    for part in location[:-1]:
        fields = getattr(current, "model_fields", None)
        annotation: Any = fields[part].annotation if fields and part in fields else current
        candidates = [annotation, *getattr(annotation, "__args__", ())]
        models = [entry for entry in candidates if isinstance(entry, type) and issubclass(entry, BaseModel)]
        current = models[0] if models else annotation
    return list(getattr(current, "model_fields", {}))


def problems(model: type[BaseModel], content: dict[str, Any], where: str) -> list[str]:
    """Every problem of `content` as one line each; an unknown key names the nearest known one."""
    try:
        model.model_validate(content)
    except ValidationError as error:
        lines = []
        for entry in error.errors():
            key = ".".join(str(part) for part in entry["loc"]) or "(top level)"
            if entry["type"] == "extra_forbidden":
                known = _known_keys(model, entry["loc"])
                near = difflib.get_close_matches(str(entry["loc"][-1]), known, n=1, cutoff=0.5)
                hint = f"did you mean '{near[0]}'?" if near else f"known here: {', '.join(known)}"
                lines.append(f"{where}: unknown parameter '{key}'; {hint}")
            elif entry["type"] == "missing":
                lines.append(f"{where}: missing parameter '{key}'")
            else:
                lines.append(f"{where}: {key} = {entry['input']!r}: {entry['msg']}")
        return lines
    return []


def _contradictions(params: Params, profile: Profile, where: str) -> list[str]:
    """What each file alone cannot know: slots that are not filled, sizes of unknown benchmarks."""
    lines = [
        f"{ROOT_FILE}: students: slot '{slot}' is not filled by {where}, which has {', '.join(profile.students)}"
        for slot in params.students
        if slot not in profile.students
    ]
    if params.variants and params.arms.student not in params.students:
        lines.append(
            f"{ROOT_FILE}: arms.student: slot '{params.arms.student}' is not among students "
            f"({', '.join(params.students)})"
        )
    lines += _contradictory_arms(params, profile, where)
    if params.distill.min_sentences > params.distill.max_sentences:
        lines.append(f"{ROOT_FILE}: distill.min_sentences is above distill.max_sentences")
    for key in OtherTeachers.model_fields:
        endpoint: Endpoint | None = getattr(profile.other_teachers, key)
        simulated = endpoint is not None and endpoint.base_url.startswith("embedded:")
        if simulated and (profile.world is None or getattr(profile.world.other_teachers, key) is None):
            lines.append(
                f"{where}: other_teachers.{key} is simulated, but world.other_teachers.{key} does not say how it errs"
            )
    known = {"default", *BENCHMARKS}
    if profile.suite.source in ("embedded", "difference_awareness"):
        lines += [
            f"{where}: suite.sizes names unknown benchmark '{name}'"
            for name in profile.suite.sizes
            if name not in known
        ]
    return lines


def _contradictory_arms(params: Params, profile: Profile, where: str) -> list[str]:
    names = [(name, row) for name, variant in params.variants.items() for row in variant.rows(name)]
    seen = Counter(row for _, row in names) + Counter(RESERVED)
    lines = [
        f"{ROOT_FILE}: variants.{name}: the name '{row}' is taken by another run or by a stage of the main path"
        for name, row in names
        if seen[row] > 1
    ]
    lines += [
        f"{ROOT_FILE}: variants.{name}.seeds: {params.seed} is the recipe's own seed; name others"
        for name, variant in params.variants.items()
        if params.seed in variant.seeds
    ]
    for arm, run in runs(params.variants).values():
        for fold in run.change.folds:
            if not 0 <= fold < params.split.folds:
                lines.append(f"{ROOT_FILE}: variants.{arm}.folds: {fold} is not below split.folds {params.split.folds}")
        for party in (run.change.judge, run.change.teacher):
            if profile.party(party) is None:
                lines.append(f"{ROOT_FILE}: variants.{arm} asks {party}, and {where} has none: fill it or drop the arm")
    if params.arms.reaudit != "none" and profile.party(params.arms.reaudit) is None:
        lines.append(f"{ROOT_FILE}: arms.reaudit: {where} has no {params.arms.reaudit}; say none")
    return sorted(set(lines))


def check(root: Path = Path(), profile: str | None = None) -> tuple[Params, Profile]:
    """Validate params.yaml and its profile whole; `profile` takes the place of the one that params.yaml names.

    Raises:
        ParameterError: listing every problem of both files at once.
    """
    content = _yaml(root / ROOT_FILE) | ({} if profile is None else {"profile": profile})
    lines = problems(Params, content, ROOT_FILE)
    name = content.get("profile")
    file = Path("profiles") / f"{name}.yaml"
    if not (root / file).is_file():
        known = sorted(path.stem for path in (root / "profiles").glob("*.yaml"))
        near = difflib.get_close_matches(str(name), known, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"profiles are: {', '.join(known)}"
        raise ParameterError("\n".join([*lines, f"{ROOT_FILE}: profile: {name!r} has no file {file}; {hint}"]))
    world = _yaml(root / file)
    lines += problems(Profile, world, str(file))
    if not lines:
        params, found = Params.model_validate(content), Profile.model_validate(world)
        lines = _contradictions(params, found, str(file))
        if not lines:
            return params, found
    raise ParameterError("\n".join(lines))


class StageParams:
    """What one stage declares, typed; reading anything else is an error that says how to declare it.

    Attributes are the sections of `Params`, and of `Profile` under `profile_<section>`; `student` is the
    slot of this stage.
    """

    def __init__(self, stage: str, params: Params, profile: Profile, declared: dict[str, Any]) -> None:
        self.stage = stage
        self._params = params
        self._profile = profile
        self._declared = declared
        for key, value in _leaves(declared):
            log.info("%s=%s (%s)", key, value, self._origin(key))

    def _declares(self, section: str) -> None:
        if section not in self._declared:
            raise ParameterError(
                f"stage '{self.stage}' reads '{section}' but dvc.yaml does not declare it, so it would be missing "
                f"in dvc.lock: add it to the stage's params."
            )

    def __getattr__(self, section: str) -> Any:
        if section in Params.model_fields:
            self._declares(section)
            return getattr(self._params, section)
        raise AttributeError(section)

    def _origin(self, key: str) -> str:
        # `students` is a list in params.yaml and a mapping of slots in the profile
        section = key.split(".")[0]
        ours = section in Params.model_fields and not (section == "students" and "." in key)
        return ROOT_FILE if ours else f"profiles/{self._params.profile}.yaml"

    def world(self, section: str) -> Any:
        """A section of the profile (suite, scorers, teacher, judge, second_judge, world, label)."""
        self._declares(section)
        return getattr(self._profile, section)

    def party(self, name: str) -> Endpoint:
        """The endpoint of one of PARTIES; only of one that this stage declares.

        Raises:
            ParameterError: it is not declared, or the profile has none.
        """
        section, _, key = ROLES[name].partition(".")
        self._declares(section)
        if key and key not in self._declared[section]:
            raise ParameterError(f"stage '{self.stage}' does not declare {ROLES[name]} of its profile in dvc.yaml.")
        endpoint = self._profile.party(name)
        if endpoint is None:
            raise ParameterError(
                f"stage '{self.stage}' asks the {name.replace('_', ' ')}, but {ROLES[name]} of "
                f"profiles/{self._params.profile}.yaml is null. Name an endpoint there, as for teacher."
            )
        return endpoint

    def variant(self, name: str) -> Variant:
        """The ablation arm `name`; only an arm that this stage declares."""
        declared = self._declared.get("variants")
        if not isinstance(declared, dict) or name not in declared:
            raise ParameterError(f"stage '{self.stage}' does not declare variants.{name} in its dvc.yaml.")
        return self._params.variants[name]

    def student(self, slot: str) -> StudentSpec:
        """The model in `slot`; only a slot that this stage declares."""
        students = self._declared.get("students")
        if not isinstance(students, dict) or slot not in students:
            raise ParameterError(f"stage '{self.stage}' does not declare students.{slot} of its profile in dvc.yaml.")
        return self._profile.students[slot]


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    leaves: list[tuple[str, Any]] = []
    for key, value in tree.items():
        if isinstance(value, dict):
            leaves += _leaves(value, f"{prefix}{key}.")
        else:
            leaves.append((prefix + key, value))
    return leaves


def load(stage: str) -> StageParams:
    """Parameters of `stage` (a name as `dvc repro` takes it, e.g. ``audit@base``), run from the repository root."""
    import dvc.api  # costs a quarter of a second: only stages pay it

    params, profile = check()
    return StageParams(stage, params, profile, dvc.api.params_show(stages=stage))
