"""No number of a file of settings may be nonsense, and no file may cost much before it is refused."""

from __future__ import annotations

import copy
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from dart.core import params
from dart.core.errors import ParameterError
from dart.core.params import Params, Profile
from dart.core.records import Record
from dart.core.validation import problems
from dart.core.yaml_files import MAX_DEPTH, MAX_NODES, read_yaml

ROOT = Path(__file__).resolve().parents[2]
FILES: dict[str, type[Record]] = {
    "params.yaml": Params, "profiles/embedded.yaml": Profile, "profiles/paper.yaml": Profile,
}  # fmt: skip
INFINITE = (float("inf"), float("-inf"), float("nan"))
HUGE = (10**30, -(10**16), 1e300)
NO_NUMBERS = (True, "1", False, "0.5", [1], {"a": 1})


def _numbers(content: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    entries = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in entries:
        if isinstance(value, dict | list):
            yield from _numbers(value, (*path, key))
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield (*path, key)


def _with(content: Any, path: tuple[Any, ...], value: Any) -> Any:
    changed = copy.copy(content)
    changed[path[0]] = value if len(path) == 1 else _with(content[path[0]], path[1:], value)
    return changed


@pytest.mark.parametrize("file", FILES)
def test_every_number_of_the_shipped_files_has_a_range(file: str) -> None:
    content = read_yaml(ROOT / file)
    assert problems(FILES[file], content, file) == []
    paths = list(_numbers(content))
    assert len(paths) > 30
    for value in (*INFINITE, *HUGE):
        spoilt = content
        for path in paths:
            spoilt = _with(spoilt, path, value)
        lines = problems(FILES[file], spoilt, file)
        for path in paths:
            key = ".".join(map(str, path))
            assert any(f"{key} " in line for line in lines), f"{key} = {value} is accepted"
        assert all("\n" not in line and len(line) < 400 for line in lines)


@pytest.mark.parametrize("file", FILES)
def test_what_is_no_number_is_not_taken_for_one(file: str) -> None:
    content = read_yaml(ROOT / file)
    paths = list(_numbers(content))
    for index, path in enumerate(paths[:: len(paths) // 15]):
        value = NO_NUMBERS[index % len(NO_NUMBERS)]
        lines = problems(FILES[file], _with(content, path, value), file)
        assert any(".".join(map(str, path)) in line for line in lines), f"{path} = {value} is accepted"


@pytest.mark.parametrize(
    ("key", "value", "accepted"),
    [
        ("tau_delta", 1.0, True), ("tau_delta", -1, True), ("tau_delta", 1.01, False), ("tau_delta", -1.01, False),
        ("seed", 2**63 - 1, True), ("seed", 2**64, False), ("lora.r", 1024, True), ("lora.r", 1025, False),
        ("audit.votes", 99, True), ("audit.votes", 101, False), ("statistics.resamples", 1_000_001, False),
        ("split.folds", 101, False), ("generation.temperature", 5.01, False), ("training.weight_decay", 11, False),
        ("repair.correction_rounds", 21, False), ("severity_weights.mild", 1001, False),
        ("students", ["small", "small"], False), ("students", ["small"], True), ("arms.tau_delta", 2, False),
        ("variants.thresholds.points.tau_0005.tau_delta", -3, False),
        ("variants.ranks.points.rank_4.rank", 2000, False),
        ("variants.folds_first.folds", [0, 400], False),
    ],
)  # fmt: skip
def test_both_ends_of_a_range_belong_to_it(key: str, value: Any, accepted: bool) -> None:
    content = _with(read_yaml(ROOT / "params.yaml"), tuple(key.split(".")), value)
    assert (problems(Params, content, "params.yaml") == []) is accepted


def test_all_numbers_are_reported_at_once() -> None:
    content = read_yaml(ROOT / "params.yaml")
    for path in (("tau_delta",), ("lora", "r"), ("statistics", "resamples")):
        content = _with(content, path, float("inf"))
    lines = "\n".join(problems(Params, content | {"surprise": 1}, "params.yaml"))
    assert all(name in lines for name in ("tau_delta", "lora.r", "statistics.resamples", "surprise"))


ALIASES = "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 10))
BOMBS: dict[str, tuple[bytes, str]] = {
    "UTF-16": ("seed: 1\n".encode("utf-16"), "is not UTF-8 (byte 0)"),
    "Latin-1": ("seed: 1 # Größe\n".encode("latin-1"), "is not UTF-8 (byte 12)"),
    "a NUL": (b"seed: \x00\n", "is not valid YAML"),
    "a tab": (b"a:\n\tb: 1\n", "is not valid YAML"),
    "a list": (b"- 1\n", "must be a mapping, but it is a list"),
    "nothing": (b"", "must be a mapping, but it is a NoneType"),
    "two documents": (b"a: 1\n---\na: 2\n", "is not valid YAML"),
    "a tag that runs code": (b"a: !!python/object/apply:os.system ['true']\n", "is not valid YAML"),
    "5,000 digits": (b"seed: " + b"9" * 5000 + b"\n", "holds a value that cannot be read"),
    "no such day": (b"seed: 2026-02-31\n", "holds a value that cannot be read"),
    "a key twice": (b"tau_delta: 0.01\na: 1\ntau_delta: 0.5\n", "line 3: the key 'tau_delta' occurs a second time"),
    "a nested key twice": (b"a: {b: {c: 1, c: 2}}\n", "the key 'c' occurs a second time"),
    "3,000 maps": (b"a: " + b"{a: " * 3000 + b"1" + b"}" * 3000, "line 1: more than"),
    "100,000 lists": (b"a: " + b"[" * 100_000, "line 1: more than"),
    "aliases": (b"a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + ALIASES.encode(), "its aliases stand for"),
    "merged aliases": (
        b"a0: &a0 {x: 1}\n" + b"".join(b"a%d: &a%d {<<: [*a%d, *a%d]}\n" % (i, i, i - 1, i - 1) for i in range(1, 30)),
        "alias",
    ),
    "an alias of itself": (b"a: &a [*a]\n", "alias"),
    "a chain of aliases": (
        b"a0: &a0 [1]\n" + b"".join(b"a%d: &a%d [*a%d]\n" % (i, i, i - 1) for i in range(1, 2000)), "nested too deeply",
    ),
    "a large file": (b"#" * (2 << 20), "has 2097152 bytes"),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_file_that_cannot_be_read_is_one_line_at_once(bomb: str, tmp_path: Path) -> None:
    content, message = BOMBS[bomb]
    (tmp_path / "params.yaml").write_bytes(content)
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    with pytest.raises(ParameterError) as error:
        read_yaml(tmp_path / "params.yaml")
    assert time.monotonic() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert len(str(error.value)) < 600


def test_what_the_limits_allow_is_read(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("base: &base {a: 1, b: 2}\nother: {<<: *base, b: 3}\nlist: [*base, *base]\n", encoding="utf-8")
    assert read_yaml(file)["other"] == {"a": 1, "b": 3}
    deep = "a: " + "[" * (MAX_DEPTH - 1) + "1" + "]" * (MAX_DEPTH - 1)
    file.write_text(deep, encoding="utf-8")
    assert read_yaml(file) == yaml.safe_load(deep)
    file.write_text("a: &a [" + "1, " * 1000 + "]\nb: [" + "*a, " * (MAX_NODES // 1001 - 2) + "]", encoding="utf-8")
    assert len(read_yaml(file)["b"]) == MAX_NODES // 1001 - 2


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/b", "..", ".", "", "x" * 5000, "a\nb", "-rf", ["embedded"], None, 7, "ä"]
)
def test_a_profile_is_a_name_and_no_path(name: Any, tmp_path: Path) -> None:
    for file in ("params.yaml", "evil.yaml"):
        (tmp_path / file).write_bytes((ROOT / "params.yaml").read_bytes())
    (tmp_path / "profiles").mkdir()
    with pytest.raises(ParameterError, match="must be the name of a file in profiles/") as error:
        params.check(tmp_path, name) if name is not None else _without_profile(tmp_path)
    assert len(str(error.value)) < 400


def _without_profile(root: Path) -> None:
    text = (root / "params.yaml").read_text(encoding="utf-8")
    (root / "params.yaml").write_text(text.replace("profile: embedded", "profile: null"), encoding="utf-8")
    params.check(root)


def test_many_problems_are_cut(tmp_path: Path) -> None:
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "p.yaml").write_text("{}", encoding="utf-8")
    lines = "".join(f"nonsense_{i}: 1\n" for i in range(5000))
    (tmp_path / "params.yaml").write_text(f"profile: p\n{lines}", encoding="utf-8")
    with pytest.raises(ParameterError) as error:
        params.check(tmp_path)
    assert len(str(error.value).splitlines()) == 51
    assert "more" in str(error.value).splitlines()[-1]
