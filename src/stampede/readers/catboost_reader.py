"""Tell what a CatBoost model says of itself. A script: `python catboost_reader.py MODEL.cbm`."""

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import catboost

UNSEEN = "the artifact has hashes of its categories, not their text"


def read(file: str) -> dict[str, Any]:
    model = catboost.CatBoost().load_model(file)
    with tempfile.TemporaryDirectory() as folder:
        exported = Path(folder) / "model.json"
        model.save_model(str(exported), format="json")
        told = json.loads(exported.read_text())
    features = told["features_info"]
    if features.get("text_features") or features.get("embedding_features"):
        sys.exit("error: has text or embedding features, which a service does not have")
    columns = [{"name": name, "nullable": False} for name in model.feature_names_]
    for index, column in enumerate(columns):
        if column["name"] == str(index):
            column["name"] = None
    for feature in features.get("float_features", []):
        place = feature["flat_feature_index"]
        columns[place] |= {"type": "float", "nullable": feature["has_nans"]}
    for feature in features.get("categorical_features", []):
        place = feature["flat_feature_index"]
        columns[place] |= {
            "type": "category",
            "unknown": "other",
            "nullable": None,
            "questions": [UNSEEN],
        }
    task, classes, outputs = answers(model, told["model_info"])
    return {"task": task, "classes": classes, "outputs": outputs, "columns": columns}


def answers(model: Any, about: dict[str, Any]) -> tuple[str, list[Any] | None, int]:  # noqa: ANN401
    """Return the task, the classes, and how many numbers a prediction has."""
    loss = str(model.get_all_params().get("loss_function", ""))
    if classes := about.get("class_params", {}).get("class_names"):
        whole = [
            int(each) if isinstance(each, float) and each == int(each) else each for each in classes
        ]
        return "classification", whole, 1
    if loss.startswith(
        ("YetiRank", "PairLogit", "QueryRMSE", "QuerySoftMax", "LambdaMart", "StochasticRank")
    ):
        return "ranking", None, 1
    outputs = len(told) if isinstance(told := model.get_scale_and_bias()[1], list) else 1
    return "multioutput_regression" if outputs > 1 else "regression", None, outputs


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
