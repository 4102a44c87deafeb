"""The default service through the Python client that openapi-python-client writes of it."""

import json
import sys
from typing import Any

from tabular_client import Client
from tabular_client.api.predictions import (
    post_predict_iris_predict_iris_post as iris,
)
from tabular_client.api.predictions import (
    post_predict_progression_batch_predict_progression_batch_post as progression_batch,
)
from tabular_client.api.predictions import (
    post_predict_progression_predict_progression_post as progression,
)
from tabular_client.models import (
    IrisInstance,
    IrisPrediction,
    Problem,
    ProgressionBatch,
    ProgressionColumns,
    ProgressionInstance,
    ProgressionPrediction,
    ProgressionPredictions,
)

asked: dict[str, list[dict[str, Any]]] = json.loads(sys.stdin.read())
client = Client(base_url=sys.argv[1])

numbers: list[float] = []
instances = [ProgressionInstance.from_dict(each) for each in asked["progression"]]
for instance in instances:
    one = progression.sync(client=client, body=instance)
    assert isinstance(one, ProgressionPrediction), one
    numbers.append(one.prediction)

classes: list[str] = []
for each in asked["iris"]:
    flower = iris.sync(client=client, body=IrisInstance.from_dict(each))
    assert isinstance(flower, IrisPrediction), flower
    assert len(flower.probabilities.additional_properties) == 3
    classes.append(flower.prediction.value)

rows = progression_batch.sync(client=client, body=ProgressionBatch(instances=instances))
assert isinstance(rows, ProgressionPredictions), rows
by_name = {name: [each[name] for each in asked["progression"]] for name in asked["progression"][0]}
columns = ProgressionColumns.from_dict(by_name)
same = progression_batch.sync(client=client, body=ProgressionBatch(columns=columns))
assert isinstance(same, ProgressionPredictions), same
assert rows.predictions == same.predictions

instances[0].age = 1000
problem = progression.sync(client=client, body=instances[0])
assert isinstance(problem, Problem), problem
assert problem.status == 422, problem
print(json.dumps({"progression": numbers, "progression, batch": rows.predictions, "iris": classes}))
