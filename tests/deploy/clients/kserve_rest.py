"""The KServe SDK's client for inference over REST."""

import asyncio
import json
import sys

import httpx
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from kserve.protocol.infer_type import RequestedOutput

KINDS = {"FP64": np.float64, "INT64": np.int64, "BOOL": np.bool_, "BYTES": np.object_}


async def main() -> None:
    url, asked = sys.argv[1], json.loads(sys.stdin.read())
    client = InferenceRESTClient(RESTConfig(protocol="v2", retries=1))
    assert await client.is_server_live(url)
    assert await client.is_server_ready(url)
    answers = {}
    for model in asked:
        name = model["name"]
        assert await client.is_model_ready(url, name)
        described = httpx.get(f"{url}/v2/models/{name}").json()
        for binary in (False, True):
            inputs = []
            for each in described["inputs"]:
                values = [instance[each["name"]] for instance in model["instances"]]
                tensor = InferInput(each["name"], [len(values)], each["datatype"])
                array = np.array(values, KINDS[each["datatype"]])
                tensor.set_data_from_numpy(array, binary_data=binary)
                inputs.append(tensor)
            outputs = [RequestedOutput("prediction", {"binary_data": binary})]
            request = InferRequest(name, inputs, "a-1", request_outputs=outputs)
            response = await client.infer(url, request, model_name=name)
            assert response.id == "a-1"
            (output,) = response.outputs
            found = output.as_numpy().tolist()
            found = [each.decode() if isinstance(each, bytes) else each for each in found]
            answers[f"{name}, {'bytes' if binary else 'JSON'}"] = found
        try:
            await client.infer(url, {"inputs": []}, model_name=name)
        except httpx.HTTPStatusError as error:
            assert "inputs" in str(error), error
        else:
            raise AssertionError("a request without inputs was accepted")
    await client.close()
    print(json.dumps(answers))


asyncio.run(main())
