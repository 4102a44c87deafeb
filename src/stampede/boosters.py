"""XGBoost's and LightGBM's own files: JSON, UBJSON and text, which say most of what is asked."""

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from stampede import ubjson
from stampede.errors import StampedeError
from stampede.features import Column, Label, Model

XGBOOST_TYPES = {"float": "float", "q": "float", "int": "int", "i": "bool", "c": "category"}
ASCII = 128
LABELS = "the classes are numbers in the artifact: write the labels that they stand for, in order"
LABELLED = "multi:softmax answers the class alone: train it with multi:softprob"


def xgboost(file: Path) -> Model:
    """Read a booster stored as JSON or UBJSON.

    Raises:
        StampedeError: It is neither, or its objective is none that a service serves.
    """
    try:
        data = file.read_bytes()
        # A UBJSON object goes on with the length of its first name.
        text = data[1:2] in {b'"', b" ", b"\n", b"\r"}
        learner = (json.loads(data) if text else ubjson.loads(data))["learner"]
        names, types = learner.get("feature_names") or [], learner.get("feature_types") or []
        parameters = learner["learner_model_param"]
        count = int(parameters["num_feature"])
        objective = learner["objective"]["name"]
        classes, targets = int(parameters["num_class"]), int(parameters.get("num_target", "1"))
        categories = _categories(learner["gradient_booster"])
    except (ValueError, KeyError, TypeError, AttributeError, StampedeError) as error:
        raise StampedeError(f"is no model of XGBoost as JSON or UBJSON ({error})") from error
    task, classes = _xgboost_task(objective, classes, targets)
    columns = [
        Column(
            name=names[index] if names else None,
            type=XGBOOST_TYPES.get(types[index]) if types else None,
            values=categories.get(index),
        )
        for index in range(count)
    ]
    for column in columns:
        if column.type == "category":
            # The library refuses a category that it does not know.
            column.unknown = "reject"
    labels: list[Label] | None = list(range(classes)) if task == "classification" else None
    raw = objective == "binary:logitraw"
    model = Model("xgboost", "native", task, columns, labels, targets, raw=raw)
    if labels:
        model.questions.append(LABELS)
    return model


def _xgboost_task(objective: str, classes: int, targets: int) -> tuple[str, int]:
    kind = objective.partition(":")[0]
    if objective == "multi:softmax":
        raise StampedeError(LABELLED)
    if kind == "rank":
        return "ranking", 0
    if kind in {"binary", "multi"}:
        return "classification", max(classes, 2)
    return ("multioutput_regression" if targets > 1 else "regression"), 0


def _categories(booster: dict[str, Any]) -> dict[int, list[Label] | None]:
    """Return the categories by column; None where the file's own are not whole."""
    model = booster.get("gbtree", booster).get("model", {})
    found: dict[int, list[Label] | None] = {}
    for index, known in enumerate(model.get("cats", {}).get("enc", [])):
        values = known["values"]
        if not values:
            continue
        if "offsets" not in known:
            found[index] = values if all(isinstance(value, int) for value in values) else None
            continue
        # XGBoost 3.2 counts characters where it stores bytes: the text of other alphabets is cut.
        if not all(0 <= value < ASCII for value in values):
            found[index] = None
            continue
        text = bytes(values).decode("ascii")
        found[index] = [text[start:end] for start, end in pairwise(known["offsets"])]
    return found


def lightgbm(file: Path) -> Model:
    """Read a booster stored as text.

    Raises:
        StampedeError: It is none.
    """
    try:
        text = file.read_text(encoding="utf-8")
        head, _, trees = text.partition("\nTree=0\n")
        told = dict(line.split("=", 1) for line in head.splitlines() if "=" in line)
        names, infos = told["feature_names"].split(" "), told["feature_infos"].split(" ")
        objective = told.get("objective", "").split(" ")[0]
        known = re.search(r"^pandas_categorical:(.+)$", trees, re.M)
        categories: list[list[Label]] = json.loads(known[1]) if known else []
        classes = int(told["num_class"])
    except (ValueError, KeyError) as error:
        raise StampedeError(f"is no model of LightGBM as text ({error})") from error
    columns = [_lightgbm_column(name, info) for name, info in zip(names, infos, strict=True)]
    _name_categories(columns, _declared(trees), categories or [])
    gaps = _with_gaps(trees)
    unnamed = all(re.fullmatch(r"Column_\d+", name) for name in names)
    for index, column in enumerate(columns):
        column.name = None if unnamed else column.name
        column.nullable = None if column.type == "category" else index in gaps
    return _lightgbm_model(columns, objective, classes)


def _lightgbm_model(columns: list[Column], objective: str, classes: int) -> Model:
    if objective in {"lambdarank", "rank_xendcg"}:
        return Model("lightgbm", "native", "ranking", columns)
    if objective in {"binary", "multiclass", "multiclassova"}:
        labels: list[Label] = list(range(max(2, classes)))
        return Model("lightgbm", "native", "classification", columns, labels, questions=[LABELS])
    model = Model("lightgbm", "native", "regression", columns)
    if not objective:
        model.questions.append("the artifact names no objective: is it a regression?")
    return model


def _lightgbm_column(name: str, info: str) -> Column:
    """Read one column off its range, `[0.5:3]`, or its categories, `-1:2:0:1`."""
    column = Column(name=name)
    if info.startswith("["):
        low, high = info.strip("[]").split(":")
        column.minimum, column.maximum = float(low), float(high)
    elif info != "none":
        column.type, column.unknown = "category", "missing"
        column.values = list(range(max(map(int, info.split(":"))) + 1))
    return column


def _declared(trees: str) -> list[int]:
    """Return the columns that training was told to take as categories."""
    found = re.search(r"^\[categorical_feature: ([\d,]+)\]$", trees, re.M)
    return [int(index) for index in found[1].split(",")] if found else []


def _name_categories(columns: list[Column], declared: list[int], named: list[list[Label]]) -> None:
    """Give the columns that were categories of a data frame their names for the codes."""
    if len(declared) == len(named):
        for index, values in zip(declared, named, strict=True):
            columns[index].type, columns[index].unknown = "category", "missing"
            columns[index].values = values
        return
    for column in columns:
        if column.type == "category":
            column.questions.append("codes: the artifact has no names for them")


def _with_gaps(trees: str) -> set[int]:
    """Return the columns of which some split knows a missing value (NaN)."""
    features = re.findall(r"^split_feature=(.*)$", trees, re.M)
    types = re.findall(r"^decision_type=(.*)$", trees, re.M)
    nan = 2
    return {
        int(feature)
        for one, other in zip(features, types, strict=False)
        for feature, kind in zip(one.split(), other.split(), strict=False)
        if int(kind) >> 2 & 3 == nan
    }
