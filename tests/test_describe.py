"""`stampede describe`: what the files of trained models tell, and what they do not."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.processes import BIN, run
from support.repositories import ROOT, commit

from stampede import artifacts, describing, samples, ubjson
from stampede.errors import StampedeError, UsageError
from stampede.features import Column, Model

TRAINED = ROOT / "tests/training"
ROWS = TRAINED / "rows.csv"


def described(name: str, *, rows: bool = False, target: str | None = None) -> describing.Answer:
    file = TRAINED / name
    model = artifacts.read(file, trust_pickle=False)
    table = samples.read(ROWS) if rows else None
    return describing.answer(file, model, table, target, "m")


def features(answer: describing.Answer) -> dict[str, dict[str, Any]]:
    listed: list[dict[str, Any]] = answer.answers["features"]
    return {feature["name"]: feature for feature in listed}


def test_xgboost_tells_names_types_and_categories() -> None:
    found = described("xgb.ubj")

    assert found.answers["task"] == "regression"
    assert features(found) == {
        "area m2": {"name": "area m2", "type": "float"},
        "rooms": {"name": "rooms", "type": "int"},
        "garden": {"name": "garden", "type": "bool"},
        "district": {"name": "district", "type": "category", "values": ["north", "south"]},
        "floor": {"name": "floor", "type": "category", "values": [1, 2, 5]},
    }
    assert found.open == [describing.GAPS]


def test_json_tells_what_ubjson_does() -> None:
    found = described("xgb_classes.json")

    assert (found.answers["task"], found.answers["classes"]) == ("classification", [0, 1, 2])
    assert features(found) == features(described("xgb.ubj"))
    assert any("labels" in text for text in found.open)


def test_text_that_the_library_has_cut_is_not_guessed(tmp_path: Path) -> None:
    """As XGBoost 3.2 stores `süd` and `nord`: seven characters, of what are eight bytes."""
    learner = json.loads((TRAINED / "xgb_classes.json").read_text())
    known = learner["learner"]["gradient_booster"]["model"]["cats"]["enc"]
    known[3] |= {"offsets": [0, 3, 7], "values": [115, -61, -68, 100, 110, 111, 114]}
    file = tmp_path / "m.json"
    file.write_text(json.dumps(learner))

    found = describing.answer(file, artifacts.read(file, trust_pickle=False), None, None, "m")

    assert features(found)["district"]["values"] == []
    assert f"district: {describing.NO_VALUES}" in found.open


def test_several_outputs_and_no_names_are_marked() -> None:
    found = described("xgb_outputs.ubj")

    assert found.answers["task"] == "multioutput_regression"
    assert found.answers["outputs"] == ["output_1", "output_2"]
    assert list(features(found)) == ["f0"]
    assert len(found.open) == 3


def test_lightgbm_tells_ranges_gaps_and_categories() -> None:
    found = features(described("lgb.txt"))

    assert found["district"]["values"] == ["north", "south"]
    assert found["floor"] == {
        "name": "floor",
        "type": "category",
        "values": [1, 2, 5],
        "unknown": "missing",
    }
    assert found["area_m2"]["nullable"]
    assert found["area_m2"]["minimum"] == 0
    assert found["area_m2"]["maximum"] == 400
    assert "nullable" not in found["rooms"]


def test_rows_bring_types_bounds_and_examples() -> None:
    found = features(described("lgb.txt", rows=True))

    assert found["area m2"]["example"] == 68.6
    assert found["garden"] == {"name": "garden", "type": "bool", "example": False}
    assert found["floor"]["example"] == 2


def test_names_come_from_the_rows_if_they_are_as_many(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    rows.write_text("rooms,area,rank\n1,50.5,0\n3,,1\n")
    model = artifacts.read(TRAINED / "lgb_matrix.txt", trust_pickle=False)
    file, table = TRAINED / "lgb_matrix.txt", samples.read(rows)

    with pytest.raises(UsageError, match="2 features without names, and the rows 3 columns"):
        describing.answer(file, model, table, None, "m")
    found = describing.answer(file, model, table, "rank", "m")

    assert found.answers["task"] == "ranking"
    assert list(features(found)) == ["rooms", "area"]
    assert features(found)["area"]["nullable"]


def test_classes_come_from_the_target_and_are_marked() -> None:
    model = Model("xgboost", "native", "classification", [Column("garden")], [0, 1])

    found = describing.answer(ROWS, model, samples.read(ROWS), "district", "m")

    assert found.answers["classes"] == ["north", "south"]
    assert "check" in found.open[0]


def test_what_rows_and_artifact_say_differently_is_marked() -> None:
    columns = [
        Column("district", "category", ["north"], "reject", nullable=False),
        Column("area m2", "float", nullable=False),
        Column("age", "float"),
    ]
    model = Model("sklearn", "native", "regression", columns)

    found = describing.answer(ROWS, model, samples.read(ROWS), None, "m")

    assert found.open[0] == describing.GAPS
    assert [text.partition(":")[0] for text in found.open[1:]] == ["district", "area m2", "age"]
    assert "does not know: south" in found.open[1]


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        ((20.5, 199.5), (0, 400)),
        ((1, 5), (0, 9)),
        ((-3, -1), (-5, 0)),
        ((-1, 1), (-3, 3)),
        ((7, 7), (0, 14)),
        ((0, 0), (0, 1)),
        ((0.001, 0.002), (0, 0.003)),
    ],
)
def test_bounds_are_wider_than_what_was_seen(
    seen: tuple[float, float], expected: tuple[float, float]
) -> None:
    assert describing.bounds(*seen) == expected


def test_names_of_the_service_are_not_proposed() -> None:
    taken = describing.taken_names(ROOT)

    assert {"predict", "import", "models"} <= taken
    assert describing.model_name("Models", taken) == "models_model"
    assert describing.model_name("2024 churn (v3)", taken) == "model_2024_churn_v3"
    assert describing.model_name("price", {"price", "price_model"}) == "price_model_2"
    assert describing.model_name("x" * 40, {"x" * 30}) == "x" * 24 + "_model"


def test_libraries_are_those_of_a_service() -> None:
    template = (ROOT / "template/pyproject.toml.jinja").read_text()

    wanted = {need for kind in artifacts.KINDS.values() for need in kind.needs}

    assert wanted <= set(re.findall(r'"([^"]+)"', template))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("m.ubj", b"{L", "is no model of XGBoost"),
        ("m.ubj", b"{" * 1000, "is no model of XGBoost"),
        ("m.json", b'{"learner": 1}', "is no model of XGBoost"),
        ("m.txt", b"hello", "is no model of LightGBM"),
        ("m.txt", b"\xff\xfe", "is no model of LightGBM"),
        ("m.bin", b"", "its ending says nothing"),
        ("m.pkl", b"", "--trust-pickle"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    with pytest.raises(StampedeError, match=message):
        artifacts.read(file, trust_pickle=False)


def test_a_softmax_objective_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    text = (TRAINED / "xgb_classes.json").read_text()
    file.write_text(text.replace("multi:softprob", "multi:softmax"))

    with pytest.raises(StampedeError, match="multi:softprob"):
        artifacts.read(file, trust_pickle=False)


def test_an_objective_of_scores_is_raw(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    text = (TRAINED / "xgb_classes.json").read_text()
    file.write_text(text.replace("multi:softprob", "binary:logitraw"))

    found = describing.answer(file, artifacts.read(file, trust_pickle=False), None, None, "m")

    assert (found.answers["task"], found.answers["output"]) == ("classification", "raw")


def test_every_cut_of_a_file_is_refused() -> None:
    data = (TRAINED / "xgb.ubj").read_bytes()

    for end in range(0, len(data), 7):
        with pytest.raises(StampedeError):
            ubjson.loads(data[:end])


@pytest.mark.parametrize("text", ["", "a,a\n1,2\n", "a,b\n1\n", "a,b\n"])
def test_a_table_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(text)

    with pytest.raises(UsageError, match=r"rows\.csv"):
        samples.read(file)


def test_the_command_prints_answers_that_the_template_takes(
    questions: Path, tmp_path: Path
) -> None:
    template = _repository(questions, tmp_path)
    files = [TRAINED / "xgb.ubj", TRAINED / "lgb.txt"]

    done = run(
        [BIN / "stampede", "describe", *files, "--rows", ROWS, "--template", template], cwd=tmp_path
    )

    assert done.returncode == 0, done.stderr
    models = yaml.safe_load(done.stdout)["models"]
    assert [model["name"] for model in models] == ["xgb", "lgb"]
    assert "# TODO the classes are numbers" in done.stdout
    assert "to look at: lgb" in done.stderr


def test_the_command_says_what_is_to_be_completed(questions: Path, tmp_path: Path) -> None:
    template = _repository(questions, tmp_path)
    learner = json.loads((TRAINED / "xgb_classes.json").read_text())
    # As XGBoost wrote it before 3.1.
    del learner["learner"]["gradient_booster"]["model"]["cats"]
    (tmp_path / "m.json").write_text(json.dumps(learner))

    done = run([BIN / "stampede", "describe", "m.json", "--template", template], cwd=tmp_path)

    assert done.returncode == 3, done.stderr
    assert "to complete: models: model 'm', feature 'district': values" in done.stderr
    assert "values: []" in done.stdout


def test_wrong_calls_are_told(tmp_path: Path) -> None:
    for arguments, message in (
        (["describe"], "Missing argument"),
        (["describe", "none.ubj"], "there is no such file"),
        (["describe", TRAINED / "xgb.ubj", "--target", "price"], "--rows"),
        (["new", TRAINED / "xgb.ubj", tmp_path], "is there already"),
    ):
        (tmp_path / "some").touch()
        done = run([BIN / "stampede", *arguments], cwd=tmp_path)

        assert done.returncode == 2, (arguments, done)
        assert message in done.stderr


def _repository(questions: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "template"
    shutil.copytree(questions, folder)
    commit(folder, "Questions", tag="v1.0.0")
    return folder
