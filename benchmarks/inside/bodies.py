"""Write distinct request bodies in every contestant's form; run in the service's environment."""

import json
import sys
from pathlib import Path

import numpy as np
from bench_service.ml_models import CONTRACTS
from bench_service.serving.sampling import draw_rows

ROWS, BATCH_ROWS = 512, 1000


def main() -> None:
    folder = Path(sys.argv[1])
    by_name = {contract.name: contract for contract in CONTRACTS}
    for name in ("price", "forest"):
        names = [feature.name for feature in by_name[name].features]
        rows = draw_rows(by_name[name], ROWS, seed=3).tolist()
        for form, compose in FORMS.items():
            lines = [json.dumps(compose(names, row)) for row in rows]
            (folder / f"{name}.{form}").write_text("\n".join(lines) + "\n")
    wide = by_name["wide"]
    names = [feature.name for feature in wide.features]
    matrix = draw_rows(wide, BATCH_ROWS, seed=4).astype(np.float32)
    columns = dict(zip(names, matrix.T.tolist(), strict=True))
    (folder / "wide.columns").write_text(json.dumps({"columns": columns}) + "\n")
    tensor = {"name": "rows", "datatype": "FP32", "shape": list(matrix.shape)}
    raw = matrix.tobytes()
    tensor["parameters"] = {"binary_data_size": len(raw)}
    head = json.dumps({"inputs": [tensor]}).encode()
    (folder / "wide.binary").write_bytes(head + raw)
    (folder / "wide.binary.head").write_text(str(len(head)))


def tensor_of(_: list[str], row: list[float]) -> dict[str, object]:
    return {"inputs": [{"name": "x", "shape": [1, len(row)], "datatype": "FP32", "data": row}]}


FORMS = {
    "fields": lambda names, row: dict(zip(names, row, strict=True)),
    "row": lambda _, row: {"row": row},
    "rows": lambda _, row: {"rows": [row]},
    "frame": lambda names, row: {"dataframe_split": {"columns": names, "data": [row]}},
    "tensor": tensor_of,
}


if __name__ == "__main__":
    main()
