"""MLServer's types and codecs: what it would send, and whether it reads what is answered."""

import json
import sys
import urllib.error
import urllib.request

import pandas as pd
from mlserver.codecs import NumpyCodec, PandasCodec, StringCodec
from mlserver.types import (
    InferenceErrorResponse,
    InferenceRequest,
    InferenceResponse,
    MetadataModelResponse,
    MetadataServerResponse,
)

url, asked = sys.argv[1], json.loads(sys.stdin.read())


def get(path: str) -> bytes:
    with urllib.request.urlopen(url + path) as response:
        return response.read()


def infer(name: str, request: InferenceRequest) -> bytes:
    body = request.model_dump_json(exclude_none=True).encode()
    headers = {"Content-Type": "application/json"}
    post = urllib.request.Request(f"{url}/v2/models/{name}/infer", body, headers)
    with urllib.request.urlopen(post) as response:
        return response.read()


MetadataServerResponse.model_validate_json(get("/v2"))
answers = {}
for model in asked:
    name = model["name"]
    metadata = MetadataModelResponse.model_validate_json(get(f"/v2/models/{name}"))
    frame = pd.DataFrame(model["instances"])[[each.name for each in metadata.inputs]]
    matrix = NumpyCodec.encode_input("matrix", frame.to_numpy(float))
    requests = {
        "frame": PandasCodec.encode_request(frame),
        "matrix": InferenceRequest(inputs=[matrix]),
    }
    for form, request in requests.items():
        answer = InferenceResponse.model_validate_json(infer(name, request))
        output = answer.outputs[0]
        codec = StringCodec if output.datatype == "BYTES" else NumpyCodec
        found = codec.decode_output(output)
        answers[f"{name}, {form}"] = list(found) if codec is StringCodec else found.ravel().tolist()
    try:
        infer(name, PandasCodec.encode_request(frame[frame.columns[:-1]]))
    except urllib.error.HTTPError as error:
        assert frame.columns[-1] in InferenceErrorResponse.model_validate_json(error.read()).error
    else:
        raise AssertionError("a missing feature was accepted")
print(json.dumps(answers))
