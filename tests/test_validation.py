"""Bad answers: each is refused in words that name question, value and rule, and leaves nothing.

What is refused, and in which words, is in bad-answers.yml.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy, run_recopy
from support.processes import BIN, run
from support.variants import QUESTIONS

Row = tuple[Any, str]

BAD = yaml.safe_load(Path(__file__).with_name("bad-answers.yml").read_text(encoding="utf-8"))
PREFIXES = {"questions": "Validation error for question", "choices": "Invalid choice for"}
# Of the problems of `models`, so many are told, and how many more there are.
TOLD = 5
FEATURE = {"name": "x", "type": "float"}


def refusals() -> Iterator[tuple[str, Any, str]]:
    """Yield a question, a bad answer to it, and the message."""
    for kind, prefix in PREFIXES.items():
        for question, rows in BAD[kind].items():
            for value, words in rows:
                yield question, value, f"{prefix} '{question}': {words}"


def chunks(kind: str) -> list[list[Row]]:
    rows = BAD[kind]
    return [rows[start : start + TOLD] for start in range(0, len(rows), TOLD)]


def assert_models_refused(
    models: object, problems: list[str], *, questions: Path, destination: Path
) -> None:
    message = f"Validation error for question 'models': {'; '.join(problems)}"
    assert_refused({"models": models}, message, questions=questions, destination=destination)


def assert_refused(
    answers: dict[str, Any], message: str, *, questions: Path, destination: Path
) -> None:
    with pytest.raises(ValueError) as refusal:  # noqa: PT011 - the whole message is compared
        run_copy(str(questions), destination, data=answers, defaults=True, quiet=True)

    assert str(refusal.value) == message
    assert not destination.exists()


def test_the_questions_are_the_interface() -> None:
    """Answer files and tools rely on these names, in this order; each has its help and default."""
    asked = {
        name: question
        for name, question in QUESTIONS.items()
        if not name.startswith("_") and question.get("when", True)
    }

    assert [*asked] == [
        "service_name",
        "description",
        "team",
        "contact",
        "python_version",
        "models",
        "model_source",
        "runtime",
        "registry",
        "k8s_namespace",
        "ci",
        "auth",
        "open_inference_protocol",
        "mlflow_invocations",
        "explain",
        "prediction_log",
        "drift",
    ]
    assert all({"help", "default"} <= question.keys() for question in asked.values())


def test_templates_in_answers_stay_text(questions: Path, tmp_path: Path) -> None:
    """What looks like a template in an answer is never rendered, however often it is read."""
    text = "{{ 7*7 }} {% raw %} {# x #} {{ _copier_conf.src_path }}"
    feature = {"name": text, "type": "category", "values": [text], "unit": text}
    model = {"name": "m", "description": text, "unit": text, "features": [feature]}
    answers = {"description": text, "team": text, "models": [model]}
    recorded = tmp_path / "service/.copier-answers.yml"

    run_copy(str(questions), recorded.parent, data=answers, defaults=True, quiet=True)
    first = recorded.read_text(encoding="utf-8")
    run_recopy(recorded.parent, defaults=True, overwrite=True, quiet=True)

    assert yaml.safe_load(first).items() >= answers.items()
    assert recorded.read_text(encoding="utf-8") == first


@pytest.mark.parametrize(
    ("question", "value", "message"),
    [pytest.param(*row, id=f"{row[0]}-{number}") for number, row in enumerate(refusals())],
)
def test_a_bad_answer_is_refused(
    question: str, value: object, message: str, questions: Path, tmp_path: Path
) -> None:
    """Each rule of each question holds, and says which value broke it."""
    assert_refused(
        {question: value}, message, questions=questions, destination=tmp_path / "service"
    )


def test_a_lean_runtime_names_the_models_that_it_cannot_run(
    questions: Path, tmp_path: Path
) -> None:
    """A model that says nothing of its format is compiled; one that says otherwise is refused."""
    declared = [{}, {"format": "native"}, {"framework": "catboost"}, {"framework": "onnx"}]
    models = [{"name": f"m{n}", "features": [FEATURE]} | more for n, more in enumerate(declared)]
    message = (
        "Validation error for question 'runtime': 'onnx' is for models of format onnx alone, and"
        " model 'm1' has format 'native', model 'm2' has framework catboost; choose full"
    )

    assert_refused(
        {"models": models, "runtime": "onnx"},
        message,
        questions=questions,
        destination=tmp_path / "service",
    )


def test_nothing_explains_what_a_lean_runtime_predicts(questions: Path, tmp_path: Path) -> None:
    """The default models could be explained, were they not compiled."""
    message = (
        "Validation error for question 'explain': true needs the runtime full:"
        " what is compiled to ONNX cannot be explained"
    )

    assert_refused(
        {"runtime": "onnx", "explain": True},
        message,
        questions=questions,
        destination=tmp_path / "service",
    )


@pytest.mark.parametrize("rows", chunks("models"))
def test_a_bad_model_is_refused(rows: list[Row], questions: Path, tmp_path: Path) -> None:
    """Each rule of a model holds; the problems of several models are told together."""
    models = [{"name": f"m{n}", "features": [FEATURE]} | row[0] for n, row in enumerate(rows)]
    problems = [f"model 'm{n}': {words}" for n, (_, words) in enumerate(rows)]

    assert_models_refused(models, problems, questions=questions, destination=tmp_path / "service")


@pytest.mark.parametrize("rows", chunks("features"))
def test_a_bad_feature_is_refused(rows: list[Row], questions: Path, tmp_path: Path) -> None:
    """Each rule of a feature holds; the problems of several features are told together."""
    features = [FEATURE | {"name": f"x{n}"} | row[0] for n, row in enumerate(rows)]
    problems = [f"model 'm', feature 'x{n}': {words}" for n, (_, words) in enumerate(rows)]

    models = [{"name": "m", "features": features}]
    assert_models_refused(models, problems, questions=questions, destination=tmp_path / "service")


@pytest.mark.parametrize("rows", chunks("derived"))
def test_a_bad_derived_column_is_refused(rows: list[Row], questions: Path, tmp_path: Path) -> None:
    """What is no number needs derived columns, and those are as exact as features."""
    models = [{"name": f"m{n}", "features": [FEATURE]} | row[0] for n, row in enumerate(rows)]
    problems = [f"model 'm{n}', {words}" for n, (_, words) in enumerate(rows)]

    assert_models_refused(models, problems, questions=questions, destination=tmp_path / "service")


@pytest.mark.parametrize("rows", chunks("feature_lists"))
def test_a_bad_list_of_features_is_refused(
    rows: list[Row], questions: Path, tmp_path: Path
) -> None:
    """A feature must be told from the others, and have a name in Python."""
    models = [{"name": f"m{n}", "features": features} for n, (features, _) in enumerate(rows)]
    problems = [f"model 'm{n}', feature {words}" for n, (_, words) in enumerate(rows)]

    assert_models_refused(models, problems, questions=questions, destination=tmp_path / "service")


@pytest.mark.parametrize(
    "question", ["service_name", "description", "models", "explain", "specs", "model_source", "ci"]
)
def test_the_command_line_exits_non_zero_and_ends_with_the_message(
    question: str, template: Path, tmp_path: Path
) -> None:
    """A pipeline sees the failure, and the last line of its log says what to change."""
    value, message = next(row[1:] for row in refusals() if row[0] == question)
    data_file = tmp_path / "answers.yml"
    data_file.write_text(yaml.safe_dump({question: value}))
    options: list[str | Path] = ["--defaults", "--data-file", data_file, template, "service"]

    copied = run([BIN / "copier", "copy", *options], cwd=tmp_path)

    assert copied.returncode != 0
    assert copied.stderr.rstrip().splitlines()[-1].endswith(message)
    assert [path.name for path in tmp_path.iterdir()] == ["answers.yml"]


def test_to_explain_takes_a_model_that_can_be_explained(questions: Path, tmp_path: Path) -> None:
    """An option that no model of the answers has would be a promise that nobody keeps."""
    models = [{"name": "m", "framework": "onnx", "features": [FEATURE]}]
    words = "true needs a model of framework xgboost, lightgbm, catboost in its native format"

    assert_refused(
        {"models": models, "explain": True},
        f"Validation error for question 'explain': {words}",
        questions=questions,
        destination=tmp_path / "service",
    )


def test_a_shadow_is_asked_what_its_primary_is_asked(questions: Path, tmp_path: Path) -> None:
    """Else the same rows would not be valid for both, nor their answers comparable."""
    wide = [FEATURE, {"name": "y", "type": "float"}]
    classes = {"task": "classification", "classes": ["no", "yes"]}
    models = [
        {"name": "a", "features": [FEATURE]},
        {"name": "b", "features": [FEATURE], "shadow_of": "a"},
        {"name": "c", "features": [FEATURE], "shadow_of": "b"},
        {"name": "d", "features": [FEATURE], "shadow_of": "a", "endpoint": "/d"},
        {"name": "e", "features": wide, "shadow_of": "a"},
        {"name": "f", "features": [FEATURE], "shadow_of": "f"},
        {"name": "g", "features": [FEATURE], **classes},
        {"name": "h", "features": [FEATURE], **classes, "shadow_of": "g", "output": "raw"},
    ]
    same = "must be the same as those of 'a', whose shadow it is"

    assert_models_refused(
        models,
        [
            "model 'c': shadow_of 'b' must not be a shadow itself",
            "model 'd': endpoint '/d' is not for a shadow, whose answers nobody gets",
            f"model 'e': features {wide} {same}",
            "model 'f': shadow_of 'f' must be the name of a model that is declared before it",
            "model 'h': output 'raw' must be the same as that of 'g', whose shadow it is",
        ],
        questions=questions,
        destination=tmp_path / "service",
    )
