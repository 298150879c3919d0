"""Whether a run reproduced a commit: outs byte by byte, headline numbers against what training seeds make.

Equal bytes are the answer on every machine with the same arithmetic. On a GPU bytes cannot be equal; there a number is
reproduced if it lies as near to the committed one as two sets of training seeds lie to each other.
"""

from __future__ import annotations

import json
import math
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import yaml

from dart.core.dvc_graph import open_repo, when_free
from dart.core.errors import DataError
from dart.metrics.headline import BOUNDS, INTERVALS
from dart.suite.pins import git_blob_id

HEADLINE = "metrics/headline.json"
SEEDS = "metrics/seeds.json"
FAMILY_ALPHA = 0.05  # chance that a faithful run fails, over all numbers together (Bonferroni)

StageState = Literal["same", "differs", "missing", "not committed"]
NumberState = Literal["same", "within", "outside", "unknown", "missing"]


class StageComparison(NamedTuple):
    """One stage: outs of the working tree against those of the revision."""

    state: StageState
    outs: tuple[str, ...]  # those that differ or are missing
    settings_differ: bool  # command or parameters in its lock entry are not those of the revision
    modified: bool  # an out is not what its own run wrote, by the working tree's dvc.lock


class Spread(NamedTuple):
    """What training seeds make of one number, which is a mean over them."""

    sd: float  # of one training
    n_seeds: int


class NumberComparison(NamedTuple):
    """One headline number."""

    committed: float | None
    this_run: float | None
    limit: float | None  # largest difference that seeds explain; None: not measured
    state: NumberState


class Verification(NamedTuple):
    """The comparison of a working tree with a revision."""

    revision: str  # commit id
    stages: dict[str, StageComparison]
    stale: tuple[str, ...]  # stages that DVC would run, although their outs are here
    numbers: dict[str, NumberComparison]  # "student.leaf"

    @property
    def same_bytes(self) -> bool:
        return all(stage.state == "same" for stage in self.stages.values())

    @property
    def reproduced(self) -> bool:
        if not self.stages or self.stale or self.modified or self.different_settings or self.count("missing"):
            return False
        explained = {number.state for number in self.numbers.values()} <= {"same", "within"}
        return explained and (self.same_bytes or bool(self.numbers))

    @property
    def different_settings(self) -> list[str]:
        return [address for address, stage in self.stages.items() if stage.settings_differ]

    @property
    def modified(self) -> list[str]:
        return [address for address, stage in self.stages.items() if stage.modified]

    def count(self, state: StageState) -> int:
        return sum(stage.state == state for stage in self.stages.values())

    @property
    def verdict(self) -> str:
        """One line: reproduced or not, and why."""
        name = self.revision[:12]
        states = [number.state for number in self.numbers.values()]
        n, total, same = len(states), len(self.stages), self.count("same")
        if self.reproduced and self.same_bytes:
            return f"reproduced: same bytes as {name} in {total} of {total} stages"
        if self.reproduced:
            return f"reproduced within training seeds: {n} of {n} headline numbers of {name}; bytes differ"
        if self.different_settings and not self.count("missing"):
            names = _some(self.different_settings)
            return (
                f"another run than {name}: other parameters or commands in {names}; {same} of {total} stages the same"
            )
        return f"not reproduced: {self._reason(states)} ({name}, {same} of {total} stages the same)"

    def _reason(self, states: list[NumberState]) -> str:
        if not self.stages:
            return "this revision has no dvc.lock"
        if self.count("missing"):
            return f"{self.count('missing')} stages have no outs here; run `dart repro` or `dvc pull`"
        if self.modified:
            return f"outs of {_some(self.modified)} were changed after the run"
        if self.stale:
            return f"{_some(self.stale)} not up to date; run `dart repro`"
        if not states:
            return f"outs differ, and there is no {HEADLINE} to compare by numbers"
        outside, unknown = states.count("outside") + states.count("missing"), states.count("unknown")
        if outside:
            return f"{outside} of {len(states)} headline numbers differ by more than training seeds make"
        if unknown:
            return f"{unknown} of {len(states)} headline numbers differ, and how far seeds move them is not measured"
        return "outs differ"

    def as_json(self) -> dict[str, Any]:
        return {
            "reproduced": self.reproduced,
            "verdict": self.verdict,
            "revision": self.revision,
            "stale": list(self.stale),
            "stages": {name: stage._asdict() for name, stage in self.stages.items()},
            "numbers": {name: number._asdict() for name, number in self.numbers.items()},
        }


def _some(names: tuple[str, ...] | list[str], limit: int = 3) -> str:
    rest = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + rest


class Revision:
    """Files of a commit.

    Raises:
        DataError: `root` is not a git repository, or there is no such revision.
    """

    def __init__(self, root: Path, name: str) -> None:
        self.root = root
        self.id = self._git("rev-parse", "--verify", f"{name}^{{commit}}").decode().strip()
        listing = self._git("ls-tree", "-r", "-z", self.id).decode().split("\0")
        entries = (line.split("\t", 1) for line in listing if line)
        self.blobs = {path: entry.split()[2] for entry, path in entries}

    def _git(self, *arguments: str) -> bytes:
        done = subprocess.run(["git", *arguments], cwd=self.root, capture_output=True, check=False)
        if done.returncode:
            message = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
            raise DataError(f"git {arguments[0]} failed: {message}. Name a commit, tag or branch of this repository.")
        return done.stdout

    def read(self, path: str) -> bytes | None:
        """Contents of a file; None if the revision has none."""
        return self._git("cat-file", "blob", self.blobs[path]) if path in self.blobs else None

    def json(self, path: str) -> dict[str, Any]:
        """A JSON object; empty if the revision has no such file."""
        contents = self.read(path)
        return _object(contents, f"{path} of {self.id[:12]}") if contents is not None else {}

    def lock_entries(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(address of a stage, its entry) of all lock files."""
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        for path in self.blobs:
            if Path(path).name == "dvc.lock":
                contents = yaml.load(self.read(path) or b"", Loader=loader) or {}
                for name, entry in contents.get("stages", {}).items():
                    yield (
                        (name if path == "dvc.lock" else f"{Path(path).with_suffix('.yaml').as_posix()}:{name}"),
                        entry,
                    )


def _object(contents: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(contents)
    except ValueError as error:
        raise DataError(f"{name}: not JSON ({error}). Restore it with `git checkout`, or run `dart repro`.") from None
    if not isinstance(value, dict):
        raise DataError(f"{name}: expected a JSON object. Restore it with `git checkout`, or run `dart repro`.")
    return value


def verify(root: Path, revision: str = "HEAD") -> Verification:
    """Compare the working tree at `root` with a commit.

    Raises:
        DataError: not a git and DVC repository, no such revision, or a metrics file that is not JSON.
    """
    commit = Revision(root, revision)
    stages, stale = _compare_stages(root, commit)
    file = root / HEADLINE
    this_run = _object(file.read_bytes(), HEADLINE) if file.is_file() else {}
    numbers = compare_numbers(commit.json(HEADLINE), this_run, seed_spreads(commit.json(SEEDS)))
    return Verification(commit.id, stages, stale, numbers)


def _compare_stages(root: Path, commit: Revision) -> tuple[dict[str, StageComparison], tuple[str, ...]]:
    """Outs as they lie in the working tree, hashed by DVC, against the revision's lock files and blobs."""
    committed = dict(commit.lock_entries())
    if not committed:
        return {}, ()
    with open_repo(root) as repo:

        def compare() -> tuple[dict[str, StageComparison], tuple[str, ...]]:
            with repo.lock:
                graph = repo.index.graph
                stages = sorted(graph, key=lambda stage: str(stage.addressing))
                compared = {
                    stage.addressing: _stage(stage, committed.get(stage.addressing), commit) for stage in stages
                }
                # an out that differs from the lock is reported as such: here only what should have run counts
                stale = [stage.addressing for stage in stages if stage.changed_stage() or stage.changed_deps()]
            present = tuple(name for name in stale if compared[name].state != "missing")
            return compared, present

        return when_free(compare)


def _stage(stage: Any, entry: Mapping[str, Any] | None, commit: Revision) -> StageComparison:
    if entry is None:
        return StageComparison("not committed", (), False, False)
    hashes = {out["path"]: out.get(out.get("hash", "md5")) for out in entry.get("outs", [])}
    missing = [str(out) for out in stage.outs if not out.exists]
    different = [
        str(out)
        for out in stage.outs
        if out.exists and (out.get_hash().value != hashes.get(out.def_path) or not _same_blob(out, commit))
    ]
    different += [path for path in hashes if path not in {out.def_path for out in stage.outs}]
    state: StageState = "missing" if missing else "differs" if different else "same"
    modified = any(out.exists and out.changed_checksum() for out in stage.outs)
    return StageComparison(state, tuple(missing + different), _settings(stage) != _committed_settings(entry), modified)


def _same_blob(out: Any, commit: Revision) -> bool:
    """Whether a file that git keeps (`cache: false`) is the committed one; True for what DVC keeps."""
    path = Path(out.fs_path)
    if out.use_cache or not path.is_file():
        return True
    contents = path.read_bytes()
    blob = commit.blobs.get(path.relative_to(commit.root.resolve()).as_posix())
    name = git_blob_id(contents)
    return blob is None or len(blob) != len(name) or blob == name


def _settings(stage: Any) -> tuple[Any, dict[str, Any]]:
    """(command, {file: {parameter: value}}) of the stage's entry in the working tree's lock file."""
    params: dict[str, Any] = {}
    for dep in stage.params:
        values = dep.hash_info.value if dep.hash_info else {}
        params.setdefault(dep.def_path, {}).update(values or {})
    return stage.cmd, params


def _committed_settings(entry: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    return entry.get("cmd"), dict(entry.get("params", {}))


def seed_spreads(seeds: Mapping[str, Any]) -> dict[str, Spread]:
    """{"student.leaf": spread over seeds} of the headline numbers in metrics/seeds.json, of two seeds or more.

    The bounds of an interval move as their estimate does and with its estimated sd: at five seeds about 1.4 times as
    far.
    """
    spreads = {}
    for student, metrics in seeds.get("students", {}).items():
        for leaf, entry in metrics.get("quantities", {}).get("headline", {}).items():
            if entry.get("sd") is not None:
                spread = Spread(float(entry["sd"]), entry["n"])
                spreads[f"{student}.{leaf}"] = spread
                if leaf in INTERVALS:
                    spreads |= {f"{student}.{leaf}_{side}": spread._replace(sd=1.4 * spread.sd) for side in BOUNDS}
    return spreads


def compare_numbers(
    committed: Mapping[str, Any], this_run: Mapping[str, Any], spreads: Mapping[str, Spread]
) -> dict[str, NumberComparison]:
    """Headline numbers of two runs; {student: {leaf: number}} each."""
    first, second = dict(_leaves(committed)), dict(_leaves(this_run))
    names = list(dict.fromkeys([*first, *second]))
    return {name: _number(first.get(name), second.get(name), spreads.get(name), len(names)) for name in names}


def _leaves(value: Any, prefix: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, Mapping):
        for key, entry in value.items():
            yield from _leaves(entry, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield prefix, float(value)


def _number(first: float | None, second: float | None, spread: Spread | None, n_numbers: int) -> NumberComparison:
    limit = None if spread is None else largest_difference(spread, n_numbers)
    if first is None or second is None:
        return NumberComparison(first, second, limit, "missing")
    if first == second:
        return NumberComparison(first, second, limit, "same")
    if limit is None:
        return NumberComparison(first, second, None, "unknown")
    return NumberComparison(first, second, limit, "within" if abs(second - first) <= limit else "outside")


def largest_difference(spread: Spread, n_numbers: int) -> float:
    """How far apart the means of two runs lie with probability 1 - 0.05 / n_numbers: t x sqrt(2 / seeds) x sd."""
    from scipy.stats import t  # a second: a run with equal bytes does not need it

    quantile = float(t.ppf(1 - FAMILY_ALPHA / n_numbers / 2, spread.n_seeds - 1))
    return quantile * math.sqrt(2 / spread.n_seeds) * spread.sd
