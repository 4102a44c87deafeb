"""Random instances of declared features, and what a model's library is given for them."""

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

Feature = dict[str, Any]
Instance = dict[str, Any]

# Far enough apart to be seen, near enough to be exact in a float32.
UNBOUNDED = 1_000
MISSING_EVERY = 5


def draw(features: list[Feature], random: Random) -> Instance:
    """Draw values that the contract accepts, in an order of their own."""
    shuffled = random.sample(features, len(features))
    return {feature["name"]: _value(feature, random) for feature in shuffled}


def _value(feature: Feature, random: Random) -> Any:
    if feature.get("nullable") and random.randrange(MISSING_EVERY) == 0:
        return None
    if feature["type"] == "bool":
        return random.random() < 0.5
    if feature["type"] == "category":
        return _category(feature, random)
    if feature["type"] == "string":
        return "größe 1"[: random.randint(0, 7)]
    if feature["type"] == "datetime":
        zone = timezone(timedelta(hours=random.randint(-12, 12)))
        low, high = (
            int(datetime.fromisoformat(feature[key]).timestamp()) if key in feature else other
            for key, other in (("minimum", 0), ("maximum", 2**31))
        )
        return datetime.fromtimestamp(random.randint(low, high), zone).isoformat()
    low, high = _bounds(feature)
    return random.randint(low, high) if feature["type"] == "int" else random.uniform(low, high)


def _category(feature: Feature, random: Random) -> Any:
    values = feature["values"]
    if feature.get("unknown") in {"missing", "other"} and random.randrange(MISSING_EVERY) == 0:
        return "never seen" if isinstance(values[0], str) else max(values) + 1
    return random.choice(values)


def _bounds(feature: Feature) -> tuple[Any, Any]:
    low, high = feature.get("minimum"), feature.get("maximum")
    if low is None:
        low = min(0, high or 0) - UNBOUNDED
    return low, max(0, low) + UNBOUNDED if high is None else high


def encode(instance: Instance, model: dict[str, Any]) -> list[Any]:
    """Return a row in the order of declaration, null where a value is missing."""
    columns = [each for each in model["features"] if each["type"] not in {"datetime", "string"}]
    derived = model.get("derived", [])
    values = instance | {each["name"]: DERIVED[each["name"]](instance) for each in derived}
    return [
        _encoded(values[column["name"]], column, model["framework"])
        for column in [*columns, *derived]
    ]


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


# What a predictor is seeded with, for the columns of the variants.
DERIVED: dict[str, Callable[[Instance], Any]] = {
    "seen_hour": lambda row: (seen := _moment(row["seen at"])) and seen.hour,
    "seen_weekday": lambda row: (seen := _moment(row["seen at"])) and seen.weekday(),
    "notes_length": lambda row: len(row["notes"]),
    "ratio": lambda row: row["weight"] / row["Height (m)"] if row["Height (m)"] else None,
    "kind": lambda _: "x",
    "late": lambda _: False,
    "opening_hour": lambda row: datetime.fromisoformat(row["opens"]).hour,
    "opening_weekday": lambda row: datetime.fromisoformat(row["opens"]).weekday(),
    "customers_by_till": lambda row: row["customers"] / row["tills"] if row["tills"] else None,
}


def _encoded(value: Any, feature: Feature, framework: str) -> Any:
    if feature["type"] != "category":
        return None if value is None else float(value)
    known = value in feature["values"]
    if framework == "catboost":
        # The only library that takes text.
        other = value is not None and feature.get("unknown") == "other"
        return str(value) if known or other else "nan"
    if value is not None and feature.get("unknown") == "other":
        return [*feature["values"], value].index(value)
    return feature["values"].index(value) if known else None
