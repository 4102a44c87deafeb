"""The answers that are rendered: every example, and every pair of choices."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from allpairspy import AllPairs

from support.repositories import ROOT

Answers = dict[str, Any]


@dataclass(frozen=True)
class Variant:
    """Named answers; those that are not given keep their defaults."""

    name: str
    answers: Answers

    @property
    def service_name(self) -> str:
        name: str = self.answers.get("service_name", QUESTIONS["service_name"]["default"])
        return name

    @property
    def package(self) -> str:
        return self.service_name.replace("-", "_")

    @property
    def models(self) -> list[dict[str, Any]]:
        """The models as declared; a bare name stands for the first sample under that name."""
        declared = self.answers.get("models", SAMPLES)
        return [
            SAMPLES[0] | {"name": model, "endpoint": f"/predict/{model}"}
            if isinstance(model, str)
            else model
            for model in declared
        ]


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


QUESTIONS: Answers = load(ROOT / "copier.yml")
SAMPLES: list[dict[str, Any]] = load(ROOT / "includes/samples.yml")

FLOAT = {"type": "float", "minimum": -10, "maximum": 10}


def model(name: str, framework: str, task: str = "regression", **more: object) -> dict[str, Any]:
    features = [{"name": "x", **FLOAT}, {"name": "y", **FLOAT}]
    return {"name": name, "framework": framework, "task": task, "features": features} | more


TYPED = model(
    "typed",
    "sklearn",
    "classification",
    classes=["stay", "leave"],
    endpoint="/v3/typed",
    features=[
        {"name": "area m²", "type": "float", "minimum": 0, "maximum": 1e4, "unit": "m2"},
        {"name": "class", "type": "int", "minimum": 1, "nullable": True},
        {"name": "größe", "type": "category", "values": ["S", "M"], "unknown": "missing"},
        {"name": "colour", "type": "category", "values": [3, 1], "unknown": "other"},
        {"name": "2nd", "type": "category", "values": ["a b", 'c"d'], "nullable": True},
        {"name": "model_age", "type": "float", "nullable": True, "example": 3.5},
        {"name": "has garden?", "type": "bool", "description": "Whether it has a garden"},
    ],
)

# What is no number, and what is derived from it and from numbers.
DERIVED = model(
    "visit",
    "xgboost",
    features=[
        {"name": "weight", **FLOAT},
        {"name": "Height (m)", **FLOAT, "nullable": True},
        {"name": "ward", "type": "category", "values": ["a", "b"]},
        {"name": "seen at", "type": "datetime", "nullable": True},
        {
            "name": "left",
            "type": "datetime",
            "minimum": "2001-09-11T02:00:00+02:00",
            "maximum": "2038-01-01T00:00:00.5Z",
            "example": "2026-03-01T21:40:00+01:00",
        },
        {"name": "notes", "type": "string", "max_length": 50, "unit": "characters"},
        {"name": "remark", "type": "string", "nullable": True, "example": "none"},
    ],
    derived=[
        {"name": "seen_hour", "type": "int", "description": "Of the day"},
        {"name": "seen_weekday", "type": "category", "values": [0, 1, 2, 3, 4, 5, 6]},
        {"name": "notes_length", "type": "float"},
        {"name": "ratio", "type": "float"},
        {"name": "kind", "type": "category", "values": ["x", "y z"]},
        {"name": "late", "type": "bool"},
    ],
)

# Each shape is chosen for what its code looks like: lengths from one to many, every
# framework, every task, every type of feature.
MODELS: dict[str, list[Any]] = {
    "names": ["price", "churn"],
    "one-feature": [model("m", "onnx", features=[{"name": "x", "type": "float"}])],
    "every-kind": [
        model("boosted", "xgboost", unit="EUR"),
        model("pipeline", "sklearn", "classification", classes=["no", "yes"]),
        model("pickled", "sklearn", format="joblib"),
        model("light", "lightgbm", "classification", classes=[0, 1, 2]),
        model("cat", "catboost"),
        model("exported", "onnx", "classification", classes=["a", "b"]),
        model("margin", "xgboost", "classification", classes=["no", "yes"], output="raw"),
        model("margins", "sklearn", "classification", classes=[2, 0, 1], output="raw"),
        model("margin_light", "lightgbm", "classification", classes=["a", "b"], output="raw"),
        model("margin_cat", "catboost", "classification", classes=["a", "b"], output="raw"),
        model("margin_exported", "onnx", "classification", classes=["a", "b"], output="raw"),
        model("bounds", "xgboost", "multioutput_regression", outputs=["low", "high"]),
        model("forest_bounds", "sklearn", "multioutput_regression", outputs=["low", "mid", "high"]),
        model("order", "lightgbm", "ranking"),
        TYPED,
        DERIVED,
        DERIVED | {"name": "visit_cat", "framework": "catboost"},
        DERIVED | {"name": "visit_light", "framework": "lightgbm"},
        model("boosted_next", "lightgbm", shadow_of="boosted"),
    ],
    "many": [
        model("wide", "xgboost", features=[{"name": f"V{i}", **FLOAT} for i in range(300)]),
        *(model(f"m{i}", "sklearn") for i in range(19)),
    ],
}


def accepted(choices: list[Any] | dict[str, Any]) -> list[Any]:
    """Return the values of a choice question, without those that a later version brings."""
    values = choices.values() if isinstance(choices, dict) else choices
    return [value for value in values if not isinstance(value, dict)]


CHOICES: dict[str, list[Any]] = {
    name: accepted(question["choices"])
    for name, question in QUESTIONS.items()
    if isinstance(question, dict) and len(accepted(question.get("choices", []))) > 1
} | {
    "open_inference_protocol": [True, False],
    "mlflow_invocations": [False, True],
    "explain": [False, True],
    "prediction_log": [False, True],
    "drift": [False, True],
}


def examples() -> Iterator[Variant]:
    # All but the one that holds no answers.
    for path in sorted({*(ROOT / "examples").glob("*.yml")} - {ROOT / "examples/fleet.yml"}):
        yield Variant(path.stem, load(path))


def pairs() -> Iterator[Variant]:
    """Yield answers in which every two values of different choices meet at least once."""
    names = ["models", *CHOICES]
    for values in AllPairs([list(MODELS), *CHOICES.values()], filter_func=_are_allowed):
        answers = dict(zip(names, values, strict=True))
        label = "-".join(str(value).lower() for value in values)
        yield Variant(label, answers | {"models": MODELS[answers["models"]]})


def _are_allowed(values: list[Any]) -> bool:
    """Whether the first values may meet: no ONNX model can be explained, nor every one be ONNX."""
    answers = dict(zip(["models", *CHOICES], values, strict=False))
    lean = answers.get("runtime") == "onnx"
    if answers.get("explain") and (lean or answers["models"] == "one-feature"):
        return False
    return not (lean and answers["models"] == "every-kind")


FREE_TEXT = Variant("free-text", load(ROOT / "tests/free-text.yml"))
ONLY_SKLEARN = Variant(
    "only-sklearn",
    {
        "service_name": "only-sklearn",
        "auth": "api_key",
        "models": [
            TYPED,
            model("pickled", "sklearn", format="joblib", unit="EUR"),
            model("spread", "sklearn", "multioutput_regression", outputs=["low", "mid", "high"]),
            model("margin", "sklearn", "classification", classes=["stay", "leave"], output="raw"),
        ],
    },
)
# A lean image: what was trained is compiled to ONNX.
ONLY_ONNX = Variant(
    "only-onnx",
    {
        "service_name": "only-onnx",
        "runtime": "onnx",
        "models": [
            TYPED,
            TYPED | {"name": "boosted", "framework": "xgboost", "endpoint": "/v3/boosted"},
            model("grade", "xgboost", "classification", classes=[3, 1, 2]),
            model("spread", "xgboost", "multioutput_regression", outputs=["low", "high"]),
            model("order", "xgboost", "ranking"),
            DERIVED,
        ],
    },
)

# What of it the scars of a template would be.
FREE_TEXT_BRACES = ("{{7*7}}", "{% raw %}", "{# x #}")

DEFAULTS = Variant("defaults", {})
VARIANTS = {
    variant.name: variant
    for variant in [DEFAULTS, *examples(), ONLY_SKLEARN, ONLY_ONNX, FREE_TEXT, *pairs()]
}
