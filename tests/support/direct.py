"""Predict with a model's own library alone. A script, for the interpreter of a service.

Reads {"artifact", "framework", "classifies", "raw", "narrow", "rows"} from stdin, writes
{"outputs", "labels"}: a list of numbers a row (of a classifier probabilities, or raw scores if
asked), and the labels that the artifact itself knows, if it knows them. It shares no code with
the service, on purpose.
"""

import json
import sys
from importlib import import_module
from typing import Any

import numpy as np


def xgboost(artifact: str, rows: Any, *, classifies: bool, raw: bool) -> tuple[Any, Any]:
    library = import_module("xgboost")
    booster, rows = library.Booster(model_file=artifact), library.DMatrix(rows.astype("f4"))
    outputs = booster.predict(rows, output_margin=raw)
    return _both_classes(outputs) if classifies and not raw else outputs, None


def lightgbm(artifact: str, rows: Any, *, classifies: bool, raw: bool) -> tuple[Any, Any]:
    booster = import_module("lightgbm").Booster(model_file=artifact)
    outputs = booster.predict(rows.astype("f8"), raw_score=raw)
    return _both_classes(outputs) if classifies and not raw else outputs, None


def catboost(artifact: str, rows: Any, *, classifies: bool, raw: bool) -> tuple[Any, Any]:
    model = import_module("catboost").CatBoost().load_model(artifact)
    kind = "Probability" if classifies and not raw else "RawFormulaVal"
    return model.predict(rows.tolist(), prediction_type=kind), None


def onnx(artifact: str, rows: Any, *, classifies: bool, raw: bool) -> tuple[Any, Any]:
    session = import_module("onnxruntime").InferenceSession(artifact)
    outputs = session.run(None, {session.get_inputs()[0].name: rows.astype("f4")})
    if raw and outputs[1].shape[1] == 2:  # the first class's score is the second's opposite
        return outputs[1][:, 1], None
    return outputs[1 if classifies else 0], None


def sklearn(artifact: str, rows: Any, *, classifies: bool, raw: bool) -> tuple[Any, Any]:
    if artifact.endswith(".joblib"):
        estimator = import_module("joblib").load(artifact)
    else:
        skops = import_module("skops.io")
        trusted = skops.get_untrusted_types(file=artifact)
        estimator = skops.load(artifact, trusted=trusted)
    if raw:
        return estimator.decision_function(rows.astype("f8")), estimator.classes_.tolist()
    if classifies:
        return estimator.predict_proba(rows.astype("f8")), estimator.classes_.tolist()
    return estimator.predict(rows.astype("f8")), None


def _both_classes(outputs: Any) -> Any:
    """Add the first class where a binary objective answers the second one's probability alone."""
    return outputs if outputs.ndim > 1 else np.column_stack([1 - outputs, outputs])


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    predict = globals()[asked["framework"]]
    matrix = np.array(
        [[np.nan if value is None else value for value in row] for row in asked["rows"]],
        dtype=object,
    )
    if asked["narrow"]:  # A compiled model sees float32, whatever the library would take.
        matrix = matrix.astype("f4").astype("f8")
    found, labels = predict(
        asked["artifact"], matrix, classifies=asked["classifies"], raw=asked["raw"]
    )
    outputs = np.asarray(found, dtype="f8").reshape(len(matrix), -1)
    json.dump({"outputs": outputs.tolist(), "labels": labels}, sys.stdout)
