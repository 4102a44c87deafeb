"""Tell what an ONNX model says of itself. A script: `python onnx_reader.py MODEL.onnx`."""

import json
import sys
from typing import Any

import onnx

FLOAT, LABELS = onnx.TensorProto.FLOAT, ("classlabels_strings", "classlabels_int64s")
MATRIX_DIMENSIONS = 2
MATRIX = "not one matrix of float32, which is what a service gives a model"


def read(file: str) -> dict[str, Any]:
    graph = onnx.load(file, load_external_data=False).graph
    held = {weight.name for weight in graph.initializer}
    inputs = [each for each in graph.input if each.name not in held]
    if len(inputs) != 1:
        sys.exit(f"error: has {len(inputs)} inputs, {MATRIX}")
    shape = dimensions(inputs[0])
    if inputs[0].type.tensor_type.elem_type != FLOAT or len(shape) != MATRIX_DIMENSIONS:
        sys.exit(f"error: its input is {MATRIX}")
    if any(each.type.HasField("sequence_type") for each in graph.output):
        sys.exit("error: answers maps of classes: convert it with the option zipmap=False")
    task, classes, outputs = answers(graph)
    count = shape[1] or 0
    columns = [{"nullable": None} for _ in range(count)]
    questions = [] if count else ["the artifact does not say how many features there are"]
    return {
        "task": task,
        "classes": classes,
        "outputs": outputs,
        "columns": columns,
        "questions": questions,
    }


def dimensions(value: Any) -> list[int]:  # noqa: ANN401
    """Return a tensor's shape, 0 where it is free."""
    return [each.dim_value for each in value.type.tensor_type.shape.dim]


def answers(graph: Any) -> tuple[str, list[Any] | None, int]:  # noqa: ANN401
    """Return the task, the classes, and how many numbers a prediction has."""
    last = dimensions(graph.output[-1])
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.name in LABELS and (attribute.strings or attribute.ints):
                texts = [each.decode() for each in attribute.strings]
                return "classification", texts or list(attribute.ints), 1
    if len(graph.output) > 1:
        return "classification", list(range(last[-1] or 2)), 1
    outputs = last[1] if len(last) > 1 else 1
    return "multioutput_regression" if outputs > 1 else "regression", None, max(1, outputs)


if __name__ == "__main__":
    json.dump(read(sys.argv[1]), sys.stdout)
