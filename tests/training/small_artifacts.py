"""Train the small boosters beside this script, whose files the tests read without a library.

A script for an environment with lightgbm, pandas and xgboost. The data is made up.
"""

from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd
import xgboost

HERE = Path(__file__).parent
ROWS = 200


def frame() -> pd.DataFrame:
    generator = np.random.default_rng(0)
    columns = {
        "area m2": generator.uniform(20, 200, ROWS).round(1),
        "rooms": generator.integers(1, 6, ROWS),
        "garden": generator.random(ROWS) < 0.5,
        "district": pd.Categorical(generator.choice(["south", "north"], ROWS)),
        "floor": pd.Categorical(generator.choice([1, 2, 5], ROWS)),
    }
    found = pd.DataFrame(columns)
    found.loc[::9, "area m2"] = np.nan
    return found


def target(rows: pd.DataFrame) -> np.ndarray:
    north, high = rows["district"] == "north", rows["floor"] == 5
    price = rows["area m2"].fillna(90) + 40 * north + 30 * high + 9 * rows["rooms"]
    found: np.ndarray = price.to_numpy()
    return found


if __name__ == "__main__":
    rows = frame()
    price = target(rows)
    grade = np.digitize(price, [120, 180])
    small = {"n_estimators": 2, "max_depth": 2}
    xgboost.XGBRegressor(**small, enable_categorical=True).fit(rows, price).save_model(
        HERE / "xgb.ubj"
    )
    xgboost.XGBClassifier(**small, enable_categorical=True).fit(rows, grade).save_model(
        HERE / "xgb_classes.json"
    )
    both = np.column_stack([price, grade])
    xgboost.XGBRegressor(**small).fit(rows[["rooms"]].to_numpy(), both).save_model(
        HERE / "xgb_outputs.ubj"
    )
    options = small | {"verbose": -1, "min_data_per_group": 5, "cat_smooth": 1}
    model = lightgbm.LGBMClassifier(**options).fit(rows, grade)
    model.booster_.save_model(HERE / "lgb.txt")
    ranker = lightgbm.LGBMRanker(**options)
    ranker.fit(rows[["rooms", "area m2"]].to_numpy(), grade, group=[20] * 10)
    ranker.booster_.save_model(HERE / "lgb_matrix.txt")
    rows.assign(price=price.round(1)).head(30).to_csv(HERE / "rows.csv", index=False)
