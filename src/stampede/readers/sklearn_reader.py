"""Tell what a fitted scikit-learn estimator says of itself. A script: `... MODEL.skops`.

Types, categories and gaps are those of the fitted parts that see a column first.
"""

import json
import math
import sys
import warnings
from typing import Any

# As the service: beyond what skops trusts by itself.
TRUSTED = ("functools.partial", "numpy.", "scipy.", "sklearn.")
NESTED = ("best_estimator_", "regressor_", "estimator_")

Column = dict[str, Any]


def load(file: str) -> Any:  # noqa: ANN401
    if not file.endswith(".skops"):
        import joblib  # noqa: PLC0415 - only where a pickle is trusted.

        return joblib.load(file)
    from skops.io import get_untrusted_types, load  # noqa: PLC0415

    unknown = get_untrusted_types(file=file)
    foreign = [name for name in unknown if not name.startswith(TRUSTED)]
    if foreign:
        sys.exit(f"error: holds types of unknown origin: {', '.join(sorted(foreign))}")
    return load(file, trusted=unknown)


def read(file: str) -> dict[str, Any]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator = load(file)
    count = getattr(estimator, "n_features_in_", None)
    if count is None:
        sys.exit("error: is no fitted estimator: it does not know how many features it has")
    names = getattr(estimator, "feature_names_in_", [None] * count)
    columns: list[Column] = [{"name": name, "nullable": False} for name in names]
    look(estimator, columns)
    classes = getattr(estimator, "classes_", None)
    raw = classes is not None and not hasattr(estimator, "predict_proba")
    if raw and not hasattr(estimator, "decision_function"):
        sys.exit(
            "error: answers classes without probabilities or scores, which a service gives too"
        )
    if isinstance(classes, list):
        sys.exit("error: answers several classes at once, which a service does not")
    outputs = width(estimator)
    task = "multioutput_regression" if outputs > 1 else "regression"
    return {
        "task": task if classes is None else "classification",
        "classes": None if classes is None else [whole(label) for label in classes.tolist()],
        "outputs": outputs,
        "raw": raw,
        "columns": columns,
        "questions": versions(caught),
    }


def versions(caught: list[warnings.WarningMessage]) -> list[str]:
    """Tell which other version of the library wrote the artifact, if it says so."""
    messages: list[Any] = [warning.message for warning in caught]
    found = {
        f"was fitted with scikit-learn {told.original_sklearn_version}, and is read with"
        f" {told.current_sklearn_version}: compare its predictions, or train it again"
        for told in messages
        if hasattr(told, "original_sklearn_version")
    }
    return sorted(found)


def look(part: Any, columns: list[Column]) -> None:  # noqa: ANN401
    """Note what a fitted part tells of the columns that it gets."""
    if hasattr(part, "steps"):
        look_at_steps(part.steps, columns)
    elif hasattr(part, "_transformer_to_input_indices"):
        for name, each, _ in part.transformers_:
            places = part._transformer_to_input_indices.get(name, [])  # noqa: SLF001
            look(each, [columns[place] for place in places])
    elif getattr(part, "_preprocessor", None) is not None:
        look(part._preprocessor, columns)  # noqa: SLF001
        accept_gaps(columns)
    elif nested := [getattr(part, name) for name in NESTED if hasattr(part, name)]:
        look(nested[0], columns)
    else:
        look_at_last(part, columns)


def look_at_steps(steps: list[Any], columns: list[Column]) -> None:
    for _, step in steps:
        if step is None or step == "passthrough":
            continue
        look(step, columns)
        if not keeps_columns(step):
            return


def look_at_last(part: Any, columns: list[Column]) -> None:  # noqa: ANN401
    if hasattr(part, "categories_") and len(part.categories_) == len(columns):
        for column, values in zip(columns, part.categories_, strict=True):
            note_categories(column, part, values.tolist())
    elif hasattr(part, "statistics_"):
        accept_gaps(columns)
    elif hasattr(part, "__sklearn_tags__"):
        tags = part.__sklearn_tags__().input_tags
        if tags.string and not tags.two_d_array:
            sys.exit("error: has a feature of free text, which a service does not have")
        for column in columns:
            column.setdefault("type", "float")
        if tags.allow_nan and not hasattr(part, "transform"):
            accept_gaps(columns)


def note_categories(column: Column, encoder: Any, values: list[Any]) -> None:  # noqa: ANN401
    seen = [whole(value) for value in values if not is_missing(value)]
    if len(seen) < len(values):
        column["nullable"] = True
    if all(isinstance(value, bool) for value in seen):
        column["type"] = "bool"
        return
    known = all(isinstance(value, str) for value in seen) or all(
        type(value) is int for value in seen
    )
    refuses = getattr(encoder, "handle_unknown", "error") == "error"
    column |= {
        "type": "category",
        "values": seen if known else None,
        "unknown": "reject" if refuses else "other",
    }


def accept_gaps(columns: list[Column]) -> None:
    for column in columns:
        column["nullable"] = True


def keeps_columns(step: Any) -> bool:  # noqa: ANN401
    """Tell whether a step's columns go on to the next one by one."""
    same = getattr(step, "n_features_in_", None)
    kept = {"SimpleImputer", "StandardScaler", "MinMaxScaler", "RobustScaler", "MaxAbsScaler"}
    return (
        same is not None
        and type(step).__name__ in kept
        and not getattr(step, "add_indicator", None)
    )


def width(estimator: Any) -> int:  # noqa: ANN401
    """Return how many numbers a prediction has."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else estimator
    for name in NESTED:
        last = getattr(last, name, last)
    if hasattr(last, "n_outputs_"):
        return int(last.n_outputs_)
    if hasattr(last, "coef_") and not hasattr(last, "classes_"):
        return 1 if last.coef_.ndim == 1 else len(last.coef_)
    return len(last.estimators_) if type(last).__name__ == "MultiOutputRegressor" else 1


def whole(value: Any) -> Any:  # noqa: ANN401
    return int(value) if isinstance(value, float) and value == int(value) else value


def is_missing(value: Any) -> bool:  # noqa: ANN401
    return value is None or (isinstance(value, float) and math.isnan(value))


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
