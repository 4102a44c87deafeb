"""Train ten models, each as another team would, and tell what each predicts for held-out rows.

A script for an environment of its own: it knows nothing of Stampede. It writes to the folder that
it is given, for each model, the artifact, NAME.csv (the rows that it was fitted on, with their
target) and NAME.expected.json: held-out instances, as a caller sends them, with the library's own
predictions, and of some classifiers the raw scores. The data is what scikit-learn bundles; some
columns are cut into named bands, some values left out.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import catboost
import joblib
import lightgbm
import numpy as np
import pandas as pd
import skl2onnx
import skops.io
import xgboost
from onnxruntime import InferenceSession
from sklearn import datasets
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

HELD_OUT = 60
UNSEEN = "never seen"

Frame = Any


def diabetes() -> tuple[Frame, Any]:
    """Ten baseline variables, the sex and a band of the body mass as text, with gaps."""
    frame, target = datasets.load_diabetes(as_frame=True, scaled=False, return_X_y=True)
    frame["sex"] = frame["sex"].map({1: "female", 2: "male"})
    frame["bmi"] = banded(frame["bmi"], ["slim", "medium", "heavy"])
    return gaps(frame, ["bp", "s4", "bmi"]), target.to_numpy()


def wine() -> tuple[Frame, Any]:
    """Analyses of wines of three growers, two of them as bands, with gaps."""
    data = datasets.load_wine(as_frame=True)
    frame = data.data.rename(columns={"od280/od315_of_diluted_wines": "od280/od315"})
    frame["hue"] = banded(frame["hue"], ["brown", "red", "violet"])
    frame["alcohol"] = banded(frame["alcohol"], ["light", "full"])
    return gaps(frame, ["malic_acid", "ash", "hue"]), np.array(["Asti", "Bra", "Chieri"])[
        data.target
    ]


def cancer() -> tuple[Frame, Any]:
    """Ten measures of tumours, one of them as a code, with gaps; the target is 0 or 1."""
    data = datasets.load_breast_cancer(as_frame=True)
    frame = data.data.iloc[:, :10].copy()
    frame["mean radius"] = pd.qcut(frame["mean radius"], 5, labels=False).astype(float)
    return gaps(frame, ["mean texture", "mean area"]), data.target.to_numpy()


def banded(column: Any, names: list[str]) -> Any:
    return pd.qcut(column, len(names), labels=names).astype(object)


def gaps(frame: Frame, names: list[str]) -> Frame:
    """Leave out every twelfth value or so of some columns."""
    generator = np.random.default_rng(len(frame))
    for name in names:
        frame.loc[generator.random(len(frame)) < 1 / 12, name] = np.nan
    return frame


def split(frame: Frame, target: Any) -> tuple[Frame, Any, Frame]:
    order = np.random.default_rng(7).permutation(len(frame))
    held_out, fitted = order[:HELD_OUT], order[HELD_OUT:]
    return (
        frame.iloc[fitted].reset_index(drop=True),
        target[fitted],
        frame.iloc[held_out].reset_index(drop=True),
    )


def with_unseen(frame: Frame, name: str) -> Frame:
    """Put a value that no row had into every tenth row."""
    frame = frame.copy()
    frame[name] = frame[name].astype(object)
    frame.loc[frame.index % 10 == 3, name] = UNSEEN
    return frame


def as_categories(frame: Frame, names: list[str], of: Frame | None = None) -> Frame:
    """Make columns categorical, with the categories that another frame's have."""
    frame = frame.copy()
    for name in names:
        known = frame[name].dropna().unique() if of is None else of[name].cat.categories
        frame[name] = pd.Categorical(
            frame[name].where(frame[name].isin(known)), categories=sorted(known)
        )
    return frame


def xgb_frame(file: Path) -> tuple[Any, ...]:
    """scikit-learn's interface, on a frame with categories."""
    fitted, target, held_out = split(*diabetes())
    rows = as_categories(fitted, ["sex", "bmi"])
    model = xgboost.XGBRegressor(n_estimators=60, max_depth=4, enable_categorical=True)
    model.fit(rows, target)
    model.save_model(file)
    return fitted, target, held_out, model.predict(as_categories(held_out, ["sex", "bmi"], rows))


def xgb_matrix(file: Path) -> tuple[Any, ...]:
    """XGBoost's own interface, on a matrix without names, with a column of codes."""
    fitted, target, held_out = split(*cancer())
    types = ["c"] + ["float"] * 9
    matrix = xgboost.DMatrix(
        fitted.to_numpy(), target, feature_types=types, enable_categorical=True
    )
    model = xgboost.train({"objective": "binary:logistic", "max_depth": 3}, matrix, 40)
    model.save_model(file)
    rows = xgboost.DMatrix(held_out.to_numpy(), feature_types=types, enable_categorical=True)
    second, scores = model.predict(rows), model.predict(rows, output_margin=True)
    return fitted, target, held_out, np.column_stack([1 - second, second]), scores


def lgb_frame(file: Path) -> tuple[Any, ...]:
    """scikit-learn's interface, on a frame with categories, three classes with names."""
    fitted, target, held_out = split(*wine())
    rows = as_categories(fitted, ["hue", "alcohol"])
    model = lightgbm.LGBMClassifier(n_estimators=30, min_child_samples=5, cat_smooth=1, verbose=-1)
    model.fit(rows, target)
    model.booster_.save_model(file)
    held_out = with_unseen(held_out, "hue")
    seen = as_categories(held_out, ["hue", "alcohol"], rows)
    scores = model.predict(seen, raw_score=True)
    return fitted, target, held_out, model.predict_proba(seen), scores


def lgb_matrix(file: Path) -> tuple[Any, ...]:
    """LightGBM's own interface, on a matrix with a column of codes."""
    frame, target = diabetes()
    frame["bmi"] = frame["bmi"].map({"slim": 0, "medium": 1, "heavy": 2})
    frame["sex"] = frame["sex"].map({"female": 0, "male": 1})
    fitted, target, held_out = split(frame, target)
    data = lightgbm.Dataset(
        fitted.to_numpy(), target, feature_name=list(frame), categorical_feature=["sex", "bmi"]
    )
    options = {"objective": "regression", "num_leaves": 15, "min_data_per_group": 5, "verbose": -1}
    model = lightgbm.train(options, data, 60)
    model.save_model(file)
    return fitted, target, held_out, model.predict(held_out.to_numpy())


def sk_columns(file: Path) -> tuple[Any, ...]:
    """A pipeline that chooses columns by name: imputed, scaled, one-hot encoded."""
    fitted, target, held_out = split(*wine())
    texts = ["alcohol", "hue"]
    numbers = [name for name in fitted if name not in texts]
    columns = ColumnTransformer(
        [
            ("n", make_pipeline(SimpleImputer(strategy="median"), StandardScaler()), numbers),
            ("c", OneHotEncoder(handle_unknown="ignore"), texts),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500)).fit(fitted, target)
    skops.io.dump(model, file)
    held_out = with_unseen(held_out, "hue")
    return fitted, target, held_out, model.predict_proba(held_out)


def sk_boosting(file: Path) -> tuple[Any, ...]:
    """Histogram boosting that takes its categories from the frame's types; a pickle."""
    fitted, target, held_out = split(*diabetes())
    rows = as_categories(fitted, ["sex", "bmi"])
    model = HistGradientBoostingRegressor(max_iter=40, random_state=0).fit(rows, target)
    joblib.dump(model, file)
    held_out = with_unseen(held_out, "bmi")
    seen = held_out.replace({"bmi": {UNSEEN: np.nan}})
    assert model.is_categorical_.sum() == 2
    outputs = model.predict(as_categories(seen, ["sex", "bmi"], rows))
    return fitted, target, held_out, outputs


def cat_frame(file: Path) -> tuple[Any, ...]:
    """scikit-learn's interface, on a frame with text, three classes with names."""
    fitted, target, held_out = split(*wine())
    texts = {"hue": "nan", "alcohol": "nan"}
    model = catboost.CatBoostClassifier(
        iterations=40, depth=4, cat_features=[*texts], allow_writing_files=False, verbose=False
    )
    model.fit(fitted.fillna(texts), target)
    model.save_model(str(file))
    held_out = with_unseen(held_out, "hue")
    seen = held_out.fillna(texts)
    scores = model.predict(seen, prediction_type="RawFormulaVal")
    return fitted, target, held_out, model.predict_proba(seen), scores


def cat_pool(file: Path) -> tuple[Any, ...]:
    """CatBoost's own interface, on a pool with a category of whole numbers."""
    frame, target = diabetes()
    frame["sex"] = frame["sex"].map({"female": 1, "male": 2})
    frame["bmi"] = frame["bmi"].fillna("nan")
    fitted, target, held_out = split(frame, target)
    texts = ["sex", "bmi"]
    pool = catboost.Pool(fitted, target, cat_features=texts)
    options = {"iterations": 60, "depth": 4, "allow_writing_files": False, "verbose": False}
    model = catboost.train(pool, options | {"loss_function": "RMSE"})
    model.save_model(str(file))
    held_out = with_unseen(held_out, "bmi")
    outputs = model.predict(catboost.Pool(held_out, cat_features=texts))
    # As the service has it: what is missing is null there, and `nan` here.
    return fitted.replace({"nan": None}), target, held_out.replace({"nan": None}), outputs


def onnx_regressor(file: Path) -> tuple[Any, ...]:
    """A forest behind an imputer, converted."""
    frame, target = datasets.load_diabetes(as_frame=True, scaled=False, return_X_y=True)
    fitted, target, held_out = split(gaps(frame, ["bp", "s4"]), target.to_numpy())
    model = make_pipeline(SimpleImputer(), RandomForestRegressor(20, max_depth=5, random_state=0))
    model.fit(fitted.to_numpy(), target)
    return fitted, target, held_out, converted(model, file, held_out)


def onnx_classifier(file: Path) -> tuple[Any, ...]:
    """A linear model behind imputer, scaler and encoder of codes, converted without `zipmap`."""
    frame, target = wine()
    frame["alcohol"] = frame["alcohol"].map({"light": 0, "full": 1})
    fitted, target, held_out = split(frame.drop(columns="hue"), target)
    names = list(fitted)
    columns = ColumnTransformer(
        [
            ("c", OneHotEncoder(handle_unknown="ignore"), [names.index("alcohol")]),
            (
                "n",
                make_pipeline(SimpleImputer(), StandardScaler()),
                [names.index(name) for name in names if name != "alcohol"],
            ),
        ]
    )
    model = make_pipeline(columns, LogisticRegression(max_iter=500))
    model.fit(fitted.to_numpy(), target)
    return fitted, target, held_out, converted(model, file, held_out)


def converted(model: Any, file: Path, held_out: Frame) -> Any:
    options = {id(model): {"zipmap": False}} if hasattr(model, "classes_") else None
    rows = held_out.to_numpy().astype("f4")
    whole = skl2onnx.to_onnx(model, rows[:1], options=options, target_opset=18)
    file.write_bytes(whole.SerializeToString())
    return InferenceSession(file).run(None, {"X": rows})[-1]


def instances(held_out: Frame) -> list[dict[str, Any]]:
    """Return the rows as a caller has them: null where nothing is, in another order."""
    shuffled = held_out[held_out.columns[::-1]].astype(object)
    records: list[dict[str, Any]] = shuffled.where(shuffled.notna(), None).to_dict("records")
    return records


TEN: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    "xgb_frame.ubj": xgb_frame,
    "xgb_matrix.json": xgb_matrix,
    "lgb_frame.txt": lgb_frame,
    "lgb_matrix.txt": lgb_matrix,
    "sk_columns.skops": sk_columns,
    "sk_boosting.joblib": sk_boosting,
    "cat_frame.cbm": cat_frame,
    "cat_pool.cbm": cat_pool,
    "onnx_regressor.onnx": onnx_regressor,
    "onnx_classifier.onnx": onnx_classifier,
}

if __name__ == "__main__":
    folder = Path(sys.argv[1])
    for name, train in TEN.items():
        fitted, target, held_out, *predicted = train(folder / name)
        stem = (folder / name).with_suffix("")
        fitted.assign(target=target).to_csv(stem.with_suffix(".csv"), index=False)
        told = {
            key: np.asarray(values, dtype=float).reshape(len(held_out), -1).tolist()
            for key, values in zip(("outputs", "scores"), predicted, strict=False)
        } | {"instances": instances(held_out)}
        stem.with_suffix(".expected.json").write_text(json.dumps(told))
