"""The code behind a stage as a fingerprint, so that dvc.lock names it and a reader need not keep lists of files.

A stage's results depend on what its script reaches by imports. `closure` follows them symbol by symbol: of an imported
module only the definitions that are used, and what these use in turn. `fingerprints` hashes what is left, without
docstrings, comments and layout, so a corrected sentence re-runs nothing and a changed formula re-runs what it decides.

Limits: imports are those that stand in the code (nothing is imported by a computed name), and statements at the top
of a module that do more than define a name always count. Libraries are pinned in requirements.lock, not hashed here.
"""

from __future__ import annotations

import ast
import functools
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from dart.core.errors import DataError

# They start a stage, validate its parameters (whose values stand in dvc.lock) and print its errors; no number is
# decided here. With them in a closure, every stage would depend on every section of params.yaml.
DISPATCH = ("stages", "stages.__main__", "dart.core.params", "dart.core.graph", "dart.core.errors")
PACKAGES = ("dart", "stages")
SIMULATION = "dart.simulation"  # is no part of what runs where every party of the profile is real
EVERYTHING = "*"  # the whole of a module in the place of a symbol

Target = tuple[str, str]  # module and symbol


class Statement(NamedTuple):
    """One statement at the top of a module."""

    source: str  # normalised: without docstrings, comments and layout
    defines: frozenset[str]
    names: frozenset[str]  # read anywhere in it
    attributes: frozenset[tuple[str, str]]  # (name, attribute) where a name is read as `name.attribute` alone
    imports: tuple[Target, ...]  # of this project, inside it
    files: tuple[Path, ...]  # data files that it names


class Module(NamedTuple):
    """A module of this project, taken apart."""

    name: str
    statements: tuple[Statement, ...]
    bindings: dict[str, Target]  # names that imports at the top bind to this project's modules and symbols


def script(stage: str, root: Path) -> Path:
    """The script of a stage: ``external.answers`` is stages/external/answers.py."""
    return root.joinpath("stages", *stage.split(".")).with_suffix(".py")


def scripts(root: Path) -> list[str]:
    """The names of all stage scripts, as `python -m stages NAME` takes them: modules that define `run`."""
    folder = root / "stages"
    names = [".".join(path.relative_to(folder).with_suffix("").parts) for path in sorted(folder.rglob("*.py"))]
    return [name for name in names if _defines_run(script(name, root))]


def _defines_run(path: Path) -> bool:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return any(isinstance(node, ast.FunctionDef) and node.name == "run" for node in tree.body)


def fingerprints(root: Path = Path(), simulated: bool = True) -> dict[str, dict[str, str]]:
    """{stage script: {module or data file: md5}} of everything of this project that each script reaches.

    Args:
        simulated: whether a party of the profile is simulated; if none is, `dart.simulation` is left out.

    Raises:
        DataError: an import names a module or symbol of this project that does not exist.
    """
    reader = Reader(root)
    return {stage: _hashes(closure(stage, reader, simulated)) for stage in scripts(root)}


def _hashes(modules: dict[str, list[Statement]]) -> dict[str, str]:
    hashes = {}
    for module, statements in sorted(modules.items()):
        digest = hashlib.md5(usedforsecurity=False)
        for statement in statements:
            digest.update(statement.source.encode() + b"\n")
            for file in statement.files:
                name = f"{module.rpartition('.')[0]}/{file.name}"
                hashes[name] = hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
        hashes[module] = digest.hexdigest()
    return hashes


def closure(stage: str, reader: Reader, simulated: bool = True) -> dict[str, list[Statement]]:
    """{module: its statements that the stage's script reaches}, in the order of the file."""
    reached: dict[str, set[int]] = {}
    frontier: list[Target] = [(f"stages.{stage}", EVERYTHING)]
    done: set[Target] = set()
    while frontier:
        target = frontier.pop()
        if target in done or _is_outside(target[0], simulated):
            continue
        done.add(target)
        module = reader.module(target[0])
        indices = reached.setdefault(module.name, set())
        for index in reader.selected(module, target[1]):
            if index not in indices:
                indices.add(index)
                frontier += reader.references(module, module.statements[index])
        if target[1] in module.bindings:  # a name that the module itself imports
            frontier.append(module.bindings[target[1]])
    ordered = {name: sorted(indices) for name, indices in reached.items() if indices}
    return {name: [reader.module(name).statements[i] for i in indices] for name, indices in ordered.items()}


def _is_outside(module: str, simulated: bool) -> bool:
    return module in DISPATCH or (not simulated and (module + ".").startswith(SIMULATION + "."))


class Reader:
    """Modules of one checkout, each parsed once."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.module = functools.cache(self._module)

    def path(self, name: str) -> Path | None:
        """The file of a module or package of this project; None if there is none."""
        base = self._root if name.split(".")[0] == "stages" else self._root / "src"
        path = base.joinpath(*name.split("."))
        return next((file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()), None)

    def _module(self, name: str) -> Module:
        path = self.path(name)
        if path is None:
            raise DataError(f"there is no module {name} in this checkout, but an import names it.")
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
        bindings: dict[str, Target] = {}
        statements = []
        for node in tree.body:
            if isinstance(node, ast.ImportFrom | ast.Import):
                for bound, target in self._imported(node, path):
                    bindings[bound] = target
                if not _is_ours(node):
                    statements.append(_statement(node, path.parent, ()))
            elif not _is_docstring(node):
                nested = tuple(target for _, target in self._nested_imports(node, path))
                statements.append(_statement(node, path.parent, nested))
        return Module(name, tuple(statements), bindings)

    def _nested_imports(self, node: ast.stmt, path: Path) -> Iterator[tuple[str, Target]]:
        for inner in ast.walk(node):
            if isinstance(inner, ast.ImportFrom | ast.Import):
                yield from self._imported(inner, path)

    def _imported(self, node: ast.ImportFrom | ast.Import, path: Path) -> Iterator[tuple[str, Target]]:
        """(bound name, target) of what an import takes from this project."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] in PACKAGES:
                    raise DataError(
                        f"{path}:{node.lineno}: write `from {alias.name} import ...`: it says what is used."
                    )
            return
        if node.level or node.module is None:
            raise DataError(f"{path}:{node.lineno}: relative imports hide what a stage depends on; name the module.")
        if node.module.split(".")[0] not in PACKAGES:
            return
        for alias in node.names:
            if alias.name == EVERYTHING:
                raise DataError(f"{path}:{node.lineno}: `import *` hides what a stage depends on; name the symbols.")
            whole = f"{node.module}.{alias.name}"
            target = (whole, EVERYTHING) if self.path(whole) else (node.module, alias.name)
            yield alias.asname or alias.name, target

    def selected(self, module: Module, symbol: str) -> list[int]:
        """Indices of the statements that stand for `symbol`: its definitions, and those that do more than define."""
        if symbol == EVERYTHING:
            return list(range(len(module.statements)))
        indices = [i for i, statement in enumerate(module.statements) if symbol in statement.defines]
        if not indices and symbol not in module.bindings:
            raise DataError(f"{module.name} defines no '{symbol}', but an import or an attribute names it.")
        return indices + [i for i, statement in enumerate(module.statements) if not statement.defines]

    def references(self, module: Module, statement: Statement) -> Iterable[Target]:
        """What a statement uses of its own module and of others."""
        local = {name for other in module.statements for name in other.defines}
        for name in statement.names:
            if name in module.bindings:
                target = module.bindings[name]
                attributes = {attribute for bound, attribute in statement.attributes if bound == name}
                if target[1] == EVERYTHING and attributes and not any(a.startswith("__") for a in attributes):
                    yield from ((target[0], attribute) for attribute in sorted(attributes))
                else:
                    yield target
            elif name in local:
                yield module.name, name
        yield from statement.imports


def _is_ours(node: ast.ImportFrom | ast.Import) -> bool:
    names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return all(name.split(".")[0] in (*PACKAGES, "__future__") for name in names)


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def _statement(node: ast.stmt, folder: Path, imports: tuple[Target, ...]) -> Statement:
    _strip_docstrings(node)
    reads = [inner for inner in ast.walk(node) if isinstance(inner, ast.Name)]
    dotted = [inner for inner in ast.walk(node) if isinstance(inner, ast.Attribute)]
    attributes = [(inner.value.id, inner.attr) for inner in dotted if isinstance(inner.value, ast.Name)]
    total = {name: sum(read.id == name for read in reads) for name in {read.id for read in reads}}
    alone = {name for name in total if sum(bound == name for bound, _ in attributes) == total[name]}
    return Statement(
        source=ast.unparse(node),
        defines=frozenset(_defined(node)),
        names=frozenset(total),
        attributes=frozenset(pair for pair in attributes if pair[0] in alone),
        imports=imports,
        files=tuple(_named_files(node, folder)),
    )


def _defined(node: ast.stmt) -> Iterator[str]:
    """Names that a statement defines and does nothing else; none for a statement with another effect."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield node.name
    elif isinstance(node, ast.Import | ast.ImportFrom):
        yield from ((alias.asname or alias.name).split(".")[0] for alias in node.names)
    elif isinstance(node, ast.Assign | ast.AnnAssign):
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            parts = target.elts if isinstance(target, ast.Tuple) else [target]
            yield from (part.id for part in parts if isinstance(part, ast.Name))


def _strip_docstrings(node: ast.stmt) -> None:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and _is_docstring(inner.body[0]):
            inner.body = inner.body[1:] or [ast.Pass()]


def _named_files(node: ast.stmt, folder: Path) -> Iterator[Path]:
    """Data files beside the module that a statement names by a constant."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str) and 0 < len(inner.value) < 100:
            name = inner.value
            if "\n" in name or "\0" in name or name.endswith(".py") or name.startswith(("/", ".")):
                continue
            path = folder / name
            if path.is_file():
                yield path
            elif "." not in name and path.is_dir() and not (path / "__init__.py").exists():
                yield from sorted(file for file in path.rglob("*") if file.is_file() and file.suffix != ".pyc")
