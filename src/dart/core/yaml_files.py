"""Read a YAML file of settings with bounds on time and memory, and refuse what YAML would take in silence.

A few lines of aliases stand for gigabytes, a thousand brackets end the interpreter's stack, and of two equal keys the
last one wins. So a file is measured before it is built: as events, which have no depth, and then as a graph of nodes.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from dart.core.errors import ParameterError
from dart.core.visible_text import shown, visible

MAX_BYTES = 1 << 20  # the longest shipped file has 12 KB
MAX_DEPTH = 40  # lists and mappings inside one another; shipped files have 5
MAX_NODES = 100_000  # with aliases written out
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in `path`.

    Raises:
        ParameterError: the file is missing, too large, not UTF-8, not YAML, or not a mapping; it is nested too deeply,
            stands for too much, or names a key twice.
    """
    if not path.is_file():
        raise ParameterError(f"{path} does not exist. Run from the root of the repository.")
    text = _text(path)
    try:
        _require_flat(text, path)
        root = yaml.compose(text, Loader=_LOADER)
        if root is not None:
            _require_small(root, path)
            for line, key in _repeated_keys(root):
                raise ParameterError(f"{path}, line {line}: the key '{shown(key)}' occurs a second time. Delete one.")
        content = yaml.load(text, Loader=_LOADER)
    except yaml.YAMLError as error:
        raise ParameterError(f"{path} is not valid YAML: {visible(' '.join(str(error).split()))[:300]}") from None
    except ParameterError:
        raise
    except (ValueError, OverflowError) as error:  # a number of 5,000 digits, the 31st of February
        raise ParameterError(f"{path} holds a value that cannot be read: {str(error)[:200]}") from None
    if not isinstance(content, dict):
        raise ParameterError(f"{path} must be a mapping, but it is a {type(content).__name__}.")
    return content


def _text(path: Path) -> str:
    content = path.read_bytes()[: MAX_BYTES + 1] if path.stat().st_size <= MAX_BYTES else None
    if content is None:
        raise ParameterError(f"{path} has {path.stat().st_size} bytes; a file of settings has at most {MAX_BYTES}.")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParameterError(f"{path} is not UTF-8 (byte {error.start}). Save it as UTF-8.") from None


def _require_flat(text: str, path: Path) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1
                raise ParameterError(f"{path}, line {line}: more than {MAX_DEPTH} lists and mappings in one another.")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield key
            yield value
    elif isinstance(node, yaml.SequenceNode):
        yield from node.value


def _require_small(root: yaml.Node, path: Path) -> None:
    """Refuse a file that stands for more than `MAX_NODES` values, or for itself."""
    sizes: dict[int, tuple[int, int]] = {}
    open_nodes: set[int] = set()

    def measure(node: yaml.Node, depth: int) -> tuple[int, int]:
        """Values that the node stands for, and how many levels it has; `depth` is that of the node itself."""
        if id(node) in open_nodes:
            raise ParameterError(f"{path}, line {node.start_mark.line + 1}: an alias that holds itself.")
        if depth > MAX_DEPTH:
            raise ParameterError(f"{path}, line {node.start_mark.line + 1}: aliases are nested too deeply.")
        if id(node) not in sizes:
            open_nodes.add(id(node))
            parts = [measure(child, depth + 1) for child in _children(node)]
            sizes[id(node)] = 1 + sum(size for size, _ in parts), 1 + max((levels for _, levels in parts), default=0)
            open_nodes.remove(id(node))
        return sizes[id(node)]

    size, levels = measure(root, 0)
    if levels > MAX_DEPTH + 1:
        raise ParameterError(f"{path}: its aliases are nested too deeply.")
    if size > MAX_NODES:
        raise ParameterError(f"{path}: its aliases stand for {size:.3g} values; at most {MAX_NODES} are read.")


def _repeated_keys(root: yaml.Node) -> Iterator[tuple[int, str]]:
    """(line, key) of every key that its mapping has already; merged keys may be written again, which replaces them."""
    seen: set[int] = set()
    stack = [root]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        stack += _children(node)
        if isinstance(node, yaml.MappingNode):
            keys: set[tuple[str, str]] = set()
            for key, _ in node.value:
                if isinstance(key, yaml.ScalarNode):
                    name = (key.tag, key.value)
                    if name in keys and key.tag != _MERGE:
                        yield key.start_mark.line + 1, key.value
                    keys.add(name)
