"""MLflow's client of its scoring server, and the helpers that it is made of."""

import json
import sys

import numpy as np
import pandas as pd
import requests
from mlflow.deployments import PredictionsResponse
from mlflow.pyfunc.scoring_server.client import ScoringServerClient
from mlflow.utils.proto_json_utils import dump_input_data

url, asked = sys.argv[1], json.loads(sys.stdin.read())
host, _, port = url.removeprefix("http://").rpartition(":")
client = ScoringServerClient(host, port)
client.wait_server_ready(timeout=10)


def invoke(path: str, data: object) -> requests.Response:
    headers = {"Content-Type": "application/json"}
    return requests.post(url + path, data=dump_input_data(data), headers=headers, timeout=30)


answers = {}
for number, model in enumerate(asked):
    path = f"/models/{model['name']}/invocations"
    # The columns of a frame may be in any order; those of an array are in the model's.
    frame = pd.DataFrame(model["instances"])
    in_order = frame[model["features"]]
    forms = {
        "split": frame,
        "records": {"dataframe_records": frame.to_dict(orient="records")},
        "inputs by name": {"inputs": frame.to_dict(orient="list")},
        "instances": {"instances": frame.to_dict(orient="records")},
        "array": in_order.to_numpy(),
    }
    for form, data in forms.items():
        # What is no frame and no array is sent as it is, in text.
        sent = json.dumps(data) if isinstance(data, dict) else data
        for place in ["/invocations", path] if number == 0 else [path]:
            answer = invoke(place, sent)
            assert answer.status_code == 200, (form, answer.text)
            predictions = PredictionsResponse.from_json(answer.text)
            found = predictions.get_predictions()[0].tolist()
            assert found == predictions.get_predictions("ndarray").tolist()
            answers[f"{model['name']}, {form}, {place}"] = found
    if number == 0:
        answers[f"{model['name']}, invoke"] = client.invoke(frame)["predictions"]

    without = frame.drop(columns=model["features"][-1])
    refused = invoke(path, without)
    assert refused.status_code == 422, refused.text
    assert model["features"][-1] in refused.text
    missing = frame.astype(object)
    missing.iloc[0, 0] = np.nan
    assert invoke(path, missing).status_code == 422
print(json.dumps(answers))
