"""The graph of dvc.yaml as Mermaid: what README shows, generated so that it cannot drift from the pipeline.

Stages of a matrix are drawn once, as `name@S` (S: a student's slot), those of an ablation arm as `name@NAME`; an edge
means that an out of one stage is a dep of another.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from dart.core.errors import DataError


def files(root: Path = Path()) -> list[Path]:
    """dvc.yaml of the root, then those of its folders (their stages run in the root, by `wdir: ..`)."""
    return [root / "dvc.yaml", *sorted(root.glob("*/dvc.yaml"))]


def _load(file: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml where it is there: every stage pays for this
    content: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), Loader=loader)
    return content


def stages(root: Path = Path()) -> dict[str, dict[str, Any]]:
    """The stages of all dvc.yaml files as written (templates not resolved), in file order; names are unique.

    A `foreach` stage is its `do` part with the key `foreach` added.
    """
    found: dict[str, dict[str, Any]] = {}
    for file in files(root):
        for name, stage in _load(file)["stages"].items():
            if name in found:
                raise DataError(f"{file}: there is a stage '{name}' in another dvc.yaml as well. Rename one.")
            found[name] = {"foreach": stage["foreach"], **stage["do"]} if "foreach" in stage else stage
    return found


def uses_launcher(script: str, root: Path = Path()) -> bool:
    """Whether the stages that run a script (``python -m stages SCRIPT``) may be started through DART_LAUNCHER."""
    return any(
        bool(stage.get("meta", {}).get("launcher"))
        for stage in stages(root).values()
        if stage["cmd"].split()[3:4] == [script]
    )


def params(stage: dict[str, Any]) -> set[str]:
    """Keys of a stage's `params`, with `${item.x}` as `{x}`; those of the profile's file begin with ``profile:``."""
    keys = set()
    for entry in stage.get("params", []):
        if isinstance(entry, dict):
            keys |= {f"profile:{_axis_names(key)}" for sections in entry.values() for key in sections}
        else:
            keys.add(_axis_names(entry))
    return keys


def _axis_names(key: str) -> str:
    return re.sub(r"\$\{(?:item\.)?([^}]*)\}", r"{\1}", key)


def _paths(entries: list[Any]) -> list[str]:
    return [next(iter(entry)) if isinstance(entry, dict) else entry for entry in entries]


def outs(stage: dict[str, Any]) -> list[str]:
    """Paths of all outs, metrics and plots that the stage itself writes."""
    return [path for key in ("outs", "metrics", "plots") for path in _paths(stage.get(key, []))]


def leftovers(script: str, slots: list[str], root: Path = Path()) -> list[Path]:
    """What a killed run of `python -m stages SCRIPT SLOT` has left beside its outs (`dart.core.files.replacing`).

    While the stage runs again these belong to nobody: DVC runs it once at a time.
    """
    mine = [stage for stage in stages(root).values() if stage["cmd"].split()[3:4] == [script]]
    found = []
    for out in (
        root / re.sub(r"\$\{[^}]*\}", slots[0] if slots else "*", path) for stage in mine for path in outs(stage)
    ):
        pattern = re.compile(rf"\.{re.escape(out.name)}\.[a-z0-9_]{{8}}")
        found += [path for path in out.parent.glob(".*") if pattern.fullmatch(path.name) and path.is_dir()]
    return sorted({*found})


def feeds(out: str, dep: str) -> bool:
    """Whether one path is the other or lies in it; a template stands for any name."""
    pairs = zip(out.split("/"), dep.split("/"), strict=False)
    return all(_may_be(first, second) or _may_be(second, first) for first, second in pairs)


def _may_be(template: str, name: str) -> bool:
    """Whether `template` can become `name` (itself perhaps a template)."""
    pattern = "".join(
        ".*" if part.startswith("${") else re.escape(part) for part in re.split(r"(\$\{[^}]*\})", template)
    )
    return re.fullmatch(pattern, name) is not None


def edges(graph: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """(producer, consumer) pairs in file order."""
    return [
        (producer, consumer)
        for producer, made in graph.items()
        for consumer, used in graph.items()
        if producer != consumer and any(feeds(out, dep) for out in outs(made) for dep in used.get("deps", []))
    ]


def _reduced(pairs: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Transitive reduction: an edge that a longer path implies is left out of the drawing."""
    following: dict[str, set[str]] = {}
    for first, second in pairs:
        following.setdefault(first, set()).add(second)

    def reachable(start: str) -> set[str]:
        found: set[str] = set()
        frontier = list(following.get(start, ()))
        while frontier:
            node = frontier.pop()
            if node not in found:
                found.add(node)
                frontier += following.get(node, ())
        return found

    implied = {(a, c) for a, direct in following.items() for b in direct for c in reachable(b)}
    return [pair for pair in pairs if pair not in implied]


def mermaid(root: Path = Path()) -> str:
    """The graph as Mermaid text, transitively reduced; one line for each stage, with what it feeds."""
    graph = stages(root)
    readers: dict[str, list[str]] = {name: [] for name in graph}
    for first, second in _reduced(edges(graph)):
        readers[first].append(second)
    lines = ["flowchart LR"]
    for name, stage in graph.items():
        label = "@".join([name, *_axes(stage)])
        node = name if label == name else f'{name}["{label}"]'
        lines.append(f"    {node}" + (f" --> {' & '.join(readers[name])}" if readers[name] else ""))
    return "\n".join(lines) + "\n"


def _axes(stage: dict[str, Any]) -> list[str]:
    """What stands behind the @ of a stage: S for a student's slot, else the axis in capitals."""
    if "foreach" in stage:
        return ["NAME"]
    names = ["S" if axis == "student" else axis.upper() for axis in stage.get("matrix", {})]
    return ["-".join(names)] if names else []
