"""YAML from other people: bounded, without duplicate keys, and every error with its line."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stampede.errors import Finding, FleetError, shown

MAX_BYTES = 10_000_000
# What the aliases of a file may expand to: a few short lines can stand for billions of values.
MAX_VALUES = 1_000_000
MAX_DEPTH = 100


@dataclass(frozen=True)
class Document:
    """A file's value, and where the parts of it stand."""

    name: str
    value: Any
    _root: yaml.Node | None

    def place(self, *keys: str | int) -> str:
        """Return `file:line` of the value at *keys*, or of what comes nearest to holding it."""
        node, line = self._root, 1
        for key in (None, *keys):
            if key is not None:
                node = _child(node, key)
            if node is None:
                break
            line = node.start_mark.line + 1
        return f"{self.name}:{line}"


def read(file: Path, name: str) -> Document:
    """Read the one document in *file*, which messages call *name*.

    Raises:
        FleetError: It cannot be read, is no YAML, or is too large; with the line if there is one.
    """
    loader = None
    try:
        if file.stat().st_size > MAX_BYTES:
            raise _refused(f"{name}:1", f"is larger than {MAX_BYTES:,} bytes")
        loader = yaml.CSafeLoader(file.read_text(encoding="utf-8"))
        root = loader.get_single_node()
        if root is not None:
            _measure(root, name)
        value = None if root is None else loader.construct_document(root)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
        raise _refused(name, str(reason)) from error
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise _refused(f"{name}:{line}", f"is no YAML: {error.problem}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise _refused(f"{name}:1", f"is no YAML: {error}") from error
    finally:
        if loader is not None:
            loader.dispose()
    return Document(name, value, root)


def _refused(place: str, rule: str) -> FleetError:
    return FleetError([Finding(place, "", "", "", rule)])


def _child(node: yaml.Node | None, key: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(key, int):
        return node.value[key] if key < len(node.value) else None
    if isinstance(node, yaml.MappingNode):
        return next((value for name, value in node.value if name.value == key), None)
    return None


def _measure(root: yaml.Node, name: str) -> None:
    """Refuse duplicate keys, and what grows without bounds once its aliases are followed."""
    measured: dict[int, tuple[int, int]] = {}

    def measure(node: yaml.Node, depth: int) -> tuple[int, int]:
        """Return how many values *node* stands for, and how deep it is."""
        if id(node) in measured:
            return measured[id(node)]
        if depth <= MAX_DEPTH:
            _refuse_duplicates(node, name)
            parts = [measure(child, depth + 1) for child in _children(node)]
            values = 1 + sum(part for part, _ in parts)
            height = 1 + max((part for _, part in parts), default=0)
        place = f"{name}:{node.start_mark.line + 1}"
        if depth > MAX_DEPTH or height > MAX_DEPTH:
            raise _refused(place, f"is nested more than {MAX_DEPTH} deep, or within itself")
        if values > MAX_VALUES:
            raise _refused(place, f"stands for more than {MAX_VALUES:,} values")
        measured[id(node)] = values, height
        return values, height

    measure(root, 0)


def _children(node: yaml.Node) -> Iterator[yaml.Node]:
    if isinstance(node, yaml.SequenceNode):
        yield from node.value
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from (key, value)


def _refuse_duplicates(node: yaml.Node, name: str) -> None:
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if key.value in seen:
                place = f"{name}:{key.start_mark.line + 1}"
                raise _refused(place, f"the key {shown(key.value)} stands here twice")
            seen.add(key.value)
