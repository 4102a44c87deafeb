"""Save the price model as MLflow's flavour of XGBoost, into the folder that is named."""

import shutil
import sys
from pathlib import Path

import mlflow.xgboost
from xgboost import XGBRegressor

model = XGBRegressor(n_jobs=1)
model.load_model(Path("models/price.ubj"))
shutil.rmtree(sys.argv[1], ignore_errors=True)
mlflow.xgboost.save_model(model, sys.argv[1])
