"""Random instances of declared features, and what a model's library is given for them."""

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


def encode(instance: Instance, features: list[Feature], framework: str) -> list[Any]:
    """Return a row in the order of declaration, null where a value is missing."""
    return [_encoded(instance[feature["name"]], feature, framework) for feature in features]


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
