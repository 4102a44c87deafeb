"""Strict readers of what is rendered: what a lenient parser forgives is an error here."""

import ast
import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml


class StrictLoader(yaml.CSafeLoader):
    """Refuses duplicate keys; knows that tags such as GitLab's `!reference` exist."""


def _mapping(loader: StrictLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [loader.construct_object(key, deep=True) for key, _ in node.value]
    _refuse_duplicates([str(key) for key in keys])
    return loader.construct_mapping(node, deep=True)


def _tagged(loader: StrictLoader, _suffix: str, node: yaml.Node) -> object:
    return loader.construct_sequence(node) if isinstance(node, yaml.SequenceNode) else node.value


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)
StrictLoader.add_multi_constructor("!", _tagged)


def _refuse_duplicates(keys: list[str]) -> None:
    duplicates = {key for key in keys if keys.count(key) > 1}
    assert not duplicates, f"duplicate keys: {sorted(duplicates)}"


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    _refuse_duplicates([key for key, _ in pairs])
    return dict(pairs)


def documents(text: str) -> list[Any]:
    """Return the documents of a YAML file."""
    return list(yaml.load_all(text, Loader=StrictLoader))


def parse_json(text: str) -> object:
    return json.loads(text, object_pairs_hook=_object)


PARSERS: dict[str, Callable[[str], object]] = {
    ".json": parse_json,
    ".py": ast.parse,
    ".toml": tomllib.loads,
    ".yaml": documents,
    ".yml": documents,
}


def files(root: Path) -> list[Path]:
    """Return every file under *root*, sorted, relative to it."""
    return sorted(path.relative_to(root) for path in root.rglob("*") if path.is_file())
