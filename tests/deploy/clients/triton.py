"""Triton's own client: every call that the service answers, as JSON and as bytes."""

import json
import sys

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

url, asked = sys.argv[1], json.loads(sys.stdin.read())
client = triton.InferenceServerClient(url)
assert client.is_server_live()
assert client.is_server_ready()
assert "binary_tensor_data" in client.get_server_metadata()["extensions"]

answers = {}
for model in asked:
    name, instances = model["name"], model["instances"]
    assert client.is_model_ready(name)
    metadata = client.get_model_metadata(name)
    kinds = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}

    def tensors(binary: bool) -> list[triton.InferInput]:
        made = []
        for described in metadata["inputs"]:
            values = [instance[described["name"]] for instance in instances]
            tensor = triton.InferInput(described["name"], [len(values)], described["datatype"])
            array = np.array(values, kinds[described["datatype"]])
            made.append(tensor.set_data_from_numpy(array, binary_data=binary))
        return made

    def matrix(kind: type, datatype: str) -> list[triton.InferInput]:
        rows = [[instance[each["name"]] for each in metadata["inputs"]] for instance in instances]
        array = np.array(rows, kind)
        return [triton.InferInput("matrix", array.shape, datatype).set_data_from_numpy(array)]

    forms = {
        "tensors as JSON": tensors(False),
        "tensors as bytes": tensors(True),
        "FP64 matrix as bytes": matrix(np.float64, "FP64"),
        "FP32 matrix as bytes": matrix(np.float32, "FP32"),
    }
    for form, inputs in forms.items():
        for binary in (True, False):
            outputs = [
                triton.InferRequestedOutput(each["name"], binary_data=binary)
                for each in metadata["outputs"]
            ]
            result = client.infer(name, inputs, request_id="a-1", outputs=outputs)
            assert result.get_response()["id"] == "a-1"
            found = result.as_numpy("prediction").tolist()
            found = [each.decode() if isinstance(each, bytes) else each for each in found]
            answers[f"{name}, {form}, {'bytes' if binary else 'JSON'} back"] = found
    # Without a list of outputs the client asks for all of them as bytes.
    assert client.infer(name, forms["tensors as bytes"]).as_numpy("prediction") is not None

    for wrong in (tensors(True)[:-1], tensors(False)[:-1]):
        try:
            client.infer(name, wrong)
        except InferenceServerException as error:
            assert error.status() == "422", error
            assert metadata["inputs"][-1]["name"] in error.message()
        else:
            raise AssertionError("a missing feature was accepted")

try:
    client.get_model_metadata("no_such_model")
except InferenceServerException as error:
    assert error.message() == "There is no model no_such_model"
else:
    raise AssertionError("a model that is not there was found")
print(json.dumps(answers))
