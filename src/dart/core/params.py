"""The only door to parameters: `params.yaml` and the profile, validated, and limited to what a stage declares.

`check()` validates both files whole and reports every problem at once, with the nearest known key for a misspelt one.
A stage states what it needs as a type: a subclass of `StageParams` is declaration, validation and documentation in
one place. `load()` refuses to go on where the type and the stage's entry in dvc.yaml differ, so that a number cannot
influence a result without standing in `dvc.lock`.
"""

from __future__ import annotations

import difflib
import logging
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple, TypeVar

from pydantic import BaseModel, Field

from dart.core import graph
from dart.core.api_keys import key_name_problem
from dart.core.errors import ParameterError
from dart.core.guards import guard_problems
from dart.core.records import BENCHMARKS, Record
from dart.core.schema.ablations import RESERVED, Arms, Variant, runs
from dart.core.schema.margins import knife_edges, margins
from dart.core.schema.method import (
    Annotation,
    Audit,
    Distill,
    Equivalence,
    ExplanationPolicy,
    GenerationParams,
    Hypotheses,
    Lora,
    Objectives,
    OpenEnded,
    RecipeComparison,
    Recipes,
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
    Guard,
    Judge,
    Label,
    OtherTeachers,
    Scorers,
    Seeds,
    Simulation,
    StudentSpec,
    SuiteSpec,
    label_of,
)
from dart.core.tuned import tuned_problems
from dart.core.validation import problems
from dart.core.visible_text import short, shown
from dart.core.yaml_files import read_yaml

log = logging.getLogger(__name__)

# Whom a stage may ask, and where the profile says who that is.
GUARD = "guard "  # before a guard's name, as the role of its endpoint
PANEL = "panel "  # before the name of a further member of the judge's panel
ROLES: Mapping[str, str] = {
    "teacher": "teacher",
    "second_teacher": "other_teachers.second",
    "third_teacher": "other_teachers.third",
    "judge": "judge",
    "second_judge": "second_judge",
}
ROOT_FILE = "params.yaml"
PROFILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
FOLDER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
MAX_PROBLEMS = 50  # listed in one message


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
    objectives: Objectives
    recipes: Recipes
    recipe_comparison: RecipeComparison
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

    seeds: Seeds
    suite: SuiteSpec
    students: dict[str, StudentSpec]
    scorers: Scorers
    teacher: Endpoint
    other_teachers: OtherTeachers
    judge: Judge
    second_judge: Endpoint | None
    guards: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")], Guard]  # each has a file of its name
    external: ExternalSpec
    simulation: Simulation | None

    @property
    def label(self) -> Label:
        """Whether numbers of this profile are of simulated parties; derived, never declared."""
        return label_of(self.suite, self.students, self.scorers, self.teacher, self.other_teachers, self.judge,
                        self.second_judge, self.guards, self.external)  # fmt: skip

    def endpoint(self, role: str) -> Endpoint | None:
        """The endpoint of one of `roles`; None: this profile has none."""
        if role.startswith(PANEL):
            return self.judge.panel[role.removeprefix(PANEL)]
        guard = role.removeprefix(GUARD)
        endpoint: Endpoint | None = self.guards[guard].party if guard != role else _get(self, ROLES[role])
        return endpoint

    @property
    def roles(self) -> tuple[str, ...]:
        """`ROLES`, "panel NAME" of every further judge of the panel, and "guard NAME" of every guard model."""
        return (*ROLES, *(f"{PANEL}{name}" for name in self.judge.panel), *(f"{GUARD}{name}" for name in self.guards))


class FromParams(NamedTuple):
    """Where a field of `StageParams` stands in params.yaml, if not under its own name: a dotted key with `{axis}`."""

    key: str


class FromProfile(NamedTuple):
    """Where a field of `StageParams` stands in the profile; `by_field`: the stage declares only this type's fields."""

    key: str
    by_field: bool = False


# Sections of the profile as fields of a stage's parameters.
TeacherEndpoint = Annotated[Endpoint, FromProfile("teacher")]
OtherTeacherEndpoints = Annotated[OtherTeachers, FromProfile("other_teachers")]
JudgeEndpoint = Annotated[Judge, FromProfile("judge")]
GuardEndpoints = Annotated[dict[str, Guard], FromProfile("guards")]
SecondJudgeEndpoint = Annotated[Endpoint | None, FromProfile("second_judge")]
ScorerSpecs = Annotated[Scorers, FromProfile("scorers")]
SimulationSpec = Annotated[Simulation | None, FromProfile("simulation")]
StudentSlot = Annotated[StudentSpec, FromProfile("students.{student}")]
TrainingSeeds = Annotated[Seeds, FromProfile("seeds")]  # the first is the reference seed

S = TypeVar("S", bound="StageParams")


class StageParams(Record):
    """What one stage reads, typed. A subclass names it; a stage gets an instance from `load`.

    A field is a top-level section of params.yaml of the same name, unless its annotation says `FromParams` or
    `FromProfile`. The keys are those of the stage's `params` in dvc.yaml, no more and no fewer.
    """

    @classmethod
    def declared(cls) -> dict[str, str]:
        """{key as dvc.yaml writes it, `${...}` as `{...}`: field}; keys of the profile begin with ``profile:``."""
        keys: dict[str, str] = {}
        for name, field in cls.model_fields.items():
            source = _source(name, field.metadata)
            prefix = "profile:" if isinstance(source, FromProfile) else ""
            if isinstance(source, FromProfile) and source.by_field:
                parts: type[BaseModel] = field.annotation  # type: ignore[assignment]  # a model, by the rule above
                keys |= {f"{prefix}{source.key}.{part}": name for part in parts.model_fields}
            else:
                keys[prefix + source.key] = name
        return keys

    @classmethod
    def load(cls: type[S], stage: str, **axes: str) -> S:
        """The parameters of `stage` (its name in dvc.yaml), run from the root of the repository.

        Args:
            axes: what stands in the place of `{...}` in keys, e.g. ``student="base"``.

        Raises:
            ParameterError: both files have problems (all of them are named), or dvc.yaml declares something else.
        """
        params, profile = check()
        cls._agree_with_graph(stage)
        values = {}
        for name, field in cls.model_fields.items():
            source = _source(name, field.metadata)
            root: Record = profile if isinstance(source, FromProfile) else params
            key = re.sub(r"\{([^}]*)\}", lambda axis: _axis(axis[1], axes, params), source.key)
            value = _get(root, key)
            if isinstance(source, FromProfile) and source.by_field:
                parts: Any = field.annotation
                value = parts(**{part: getattr(value, part) for part in parts.model_fields})
            values[name] = value
            file = ROOT_FILE if root is params else f"profiles/{params.profile}.yaml"
            for leaf, setting in _leaves(value, key):
                log.info("%s=%s (%s)", leaf, setting, file)
        if profile.simulation is not None and {"simulation", "severity_weights"} & cls.model_fields.keys():
            for margin in margins(profile.simulation, params.severity_weights, profile.suite):
                log.info("world %s", margin)
        if "recipes" in cls.model_fields and (slots := sorted(params.recipes.keys() - profile.students.keys())):
            log.warning(
                "%s: recipes: profile %s has no slot %s: nothing is compared there",
                ROOT_FILE, params.profile, ", ".join(slots),
            )  # fmt: skip
        return cls.model_construct(**values)

    @classmethod
    def _agree_with_graph(cls, stage: str) -> None:
        entries = graph.params(graph.stages()[stage])
        missing, surplus = set(cls.declared()) - entries, entries - set(cls.declared())
        if missing or surplus:
            raise ParameterError(
                f"stage '{stage}' and its params in dvc.yaml differ, so dvc.lock would not be the truth: "
                + "; ".join(
                    [f"'{key}' is read and not declared" for key in sorted(missing)]
                    + [f"'{key}' is declared and not read" for key in sorted(surplus)]
                )
                + ". Change the stage's params in dvc.yaml or its Params class."
            )


def _source(name: str, metadata: list[Any]) -> FromParams | FromProfile:
    sources = [entry for entry in metadata if isinstance(entry, FromParams | FromProfile)]
    return sources[0] if sources else FromParams(name)


def _axis(name: str, axes: Mapping[str, str], params: Params) -> str:
    return axes[name] if name in axes else str(_get(params, name))


def _get(root: Any, key: str) -> Any:
    """The value at a dotted key of nested records and mappings."""
    for part in key.split("."):
        root = root[part] if isinstance(root, Mapping) else getattr(root, part)
    return root


def _leaves(value: Any, prefix: str) -> list[tuple[str, Any]]:
    tree = value.model_dump() if isinstance(value, BaseModel) else value
    if isinstance(tree, Mapping) and tree:
        return [leaf for key, entry in tree.items() for leaf in _leaves(entry, f"{prefix}.{key}")]
    return [(prefix, tree)]


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
    lines += [*_pasted_keys(profile, where), *guard_problems(profile.guards, where)]
    lines += [
        f"{where}: missing parameter 'students.{slot}.distilled'; null: Stage I is trained here"
        for slot, spec in profile.students.items()
        if "distilled" not in spec.model_fields_set  # the default is for callers in code: DVC needs the key
    ]
    lines += tuned_problems(profile.students, where)
    if profile.simulation is not None and profile.label == "measured":
        lines.append(f"{where}: simulation: no party is embedded, so there is nobody to simulate; set it to null")
    lines += [
        f"{file}: {shown(name)!r} must be a name of letters, digits, _ and -, because folders are named so"
        for file, names in ((where, list(profile.students)), (ROOT_FILE, list(runs(params.variants))))
        for name in (*names, *(params.variants if file == ROOT_FILE else ()))
        if not FOLDER_NAME.fullmatch(name)
    ]
    lines += [
        f"{where}: students.{slot}.nano: hidden_size {spec.nano.hidden_size} is no multiple of heads {spec.nano.heads}"
        for slot, spec in profile.students.items()
        if spec.nano is not None and spec.nano.hidden_size % spec.nano.heads
    ]
    if params.distill.min_sentences > params.distill.max_sentences:
        lines.append(f"{ROOT_FILE}: distill.min_sentences is above distill.max_sentences")
    for key in OtherTeachers.model_fields:
        endpoint: Endpoint | None = getattr(profile.other_teachers, key)
        simulated = endpoint is not None and endpoint.base_url.startswith("embedded:")
        if simulated and (profile.simulation is None or getattr(profile.simulation.other_teachers, key) is None):
            lines.append(
                f"{where}: other_teachers.{key} is simulated, but simulation.other_teachers.{key} does not say how it "
                "errs"
            )
    if profile.simulation is not None:
        edges = knife_edges(profile.simulation, params.severity_weights, profile.suite)
        lines += [f"{where}: {edge}" for edge in edges]
    benchmarks = {"default", *BENCHMARKS}
    if profile.suite.source in ("embedded", "difference_awareness"):
        lines += [
            f"{where}: suite.sizes names unknown benchmark '{name}'"
            for name in profile.suite.sizes
            if name not in benchmarks
        ]
    return lines


def _pasted_keys(profile: Profile, where: str) -> list[str]:
    """Keys that stand where the name of a variable belongs; refused before anything prints the parameters."""
    names = {f"{key}.api_key_env": _get(profile, key) for key in ROLES.values()}
    names |= {f"judge.panel.{name}.api_key_env": endpoint for name, endpoint in profile.judge.panel.items()}
    names |= {f"students.{slot}.server.api_key_env": spec.server for slot, spec in profile.students.items()}
    return [
        f"{where}: {key}: {problem}"
        for key, section in names.items()
        if section is not None and section.api_key_env is not None
        and (problem := key_name_problem(section.api_key_env)) is not None
    ]  # fmt: skip


def _contradictory_arms(params: Params, profile: Profile, where: str) -> list[str]:
    names = [(name, row) for name, variant in params.variants.items() for row in variant.rows(name)]
    counts = Counter(row for _, row in names) + Counter(RESERVED)
    lines = [
        f"{ROOT_FILE}: variants.{name}: the name '{row}' is taken by another run or by a stage of the main path"
        for name, row in names
        if counts[row] > 1
    ]
    for arm, run in runs(params.variants).values():
        for fold in run.change.folds:
            if not 0 <= fold < params.split.folds:
                lines.append(f"{ROOT_FILE}: variants.{arm}.folds: {fold} is not below split.folds {params.split.folds}")
        for role in (run.change.judge, run.change.teacher):
            if profile.endpoint(role) is None:
                lines.append(f"{ROOT_FILE}: variants.{arm} asks {role}, and {where} has none: fill it or drop the arm")
    if params.arms.reaudit != "none" and profile.endpoint(params.arms.reaudit) is None:
        lines.append(f"{ROOT_FILE}: arms.reaudit: {where} has no {params.arms.reaudit}; say none")
    return sorted(set(lines))


def check(root: Path = Path(), profile: str | None = None) -> tuple[Params, Profile]:
    """Validate params.yaml and its profile whole; `profile` takes the place of the one that params.yaml names.

    Raises:
        ParameterError: listing every problem of both files at once.
    """
    content = read_yaml(root / ROOT_FILE) | ({} if profile is None else {"profile": profile})
    lines = problems(Params, content, ROOT_FILE)
    name = content.get("profile")
    if not isinstance(name, str) or not PROFILE_NAME.fullmatch(name):
        named = f"{ROOT_FILE}: profile = {short(name)}: must be the name of a file in profiles/, without .yaml"
        raise ParameterError("\n".join([*_first(lines), named]))
    file = Path("profiles") / f"{name}.yaml"
    if not (root / file).is_file():
        names = sorted(path.stem for path in (root / "profiles").glob("*.yaml"))
        near = difflib.get_close_matches(str(name), names, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"profiles are: {', '.join(names)}"
        raise ParameterError("\n".join([*_first(lines), f"{ROOT_FILE}: profile: {name!r} has no file {file}; {hint}"]))
    sections = read_yaml(root / file)
    if sections.pop("label", None) is not None:
        lines.append(
            f"{file}: label: is derived from the parties (simulated if any is embedded, else measured) and cannot be "
            "declared; delete the line"
        )
    lines += problems(Profile, sections, str(file))
    if not lines:
        params, filled = Params.model_validate(content), Profile.model_validate(sections)
        lines = _contradictions(params, filled, str(file))
        if not lines:
            return params, filled
    raise ParameterError("\n".join(_first(lines)))


def _first(lines: list[str]) -> list[str]:
    more = len(lines) - MAX_PROBLEMS
    return [*lines[:MAX_PROBLEMS], f"and {more} more"] if more > 0 else lines
