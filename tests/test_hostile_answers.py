"""Answers that are meant to harm: nothing is run, nothing lands elsewhere, and it ends soon."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import run_copy
from support.processes import BIN, run
from support.texts import files
from support.variants import Answers

# Of memory, and of time: what a machine of a pipeline has.
KIBIBYTES = 2_000_000
SECONDS = 120
MARKER = "somebody-was-here"
REFUSED = r"^(Validation error|Invalid choice) for "

PATHS = [
    "../x",
    "/etc/x",
    "a/b",
    "a\\b",
    "C:\\x",
    "..",
    ".",
    "~",
    "-rf",
    "$HOME",
    "`id`",
    "a\0b",
    "a\nb",
    "a\r",
    "\u2024\u2024/x",  # One dot leaders
    "\uff0e\uff0e\uff0fx",  # Full width, which NFKC makes ../x
    "a\u202eb",  # Written from right to left from here
    "x" * 300,
    "{{ '..' }}/x",
    "{% raw %}",
]
CODE = [
    f"{{{{ cycler.__init__.__globals__.os.system('touch {MARKER}') }}}}",
    f"{{{{ self.__init__.__globals__.__builtins__.open('{MARKER}', 'w') }}}}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ _copier_conf.__init__.__globals__ }}",
    "{% include '/etc/hostname' %}",
    "{% import 'includes/text.jinja' as text %}",
    "{% for i in range(10**9) %}x{% endfor %}",
    "{{ 'x' * 10**10 }}",
    "{% yield i from range(9) %}{{ i }}{% endyield %}",
]
FEATURE = {"name": "x", "type": "float"}


def model(**changes: Any) -> dict[str, Any]:
    return {"name": "m", "features": [FEATURE]} | changes


def feature(**changes: Any) -> Answers:
    return {"models": [model(features=[FEATURE | changes])]}


NAMED: dict[str, Callable[[str], Answers]] = {
    "model": lambda text: {"models": [model(name=text)]},
    "bare model": lambda text: {"models": [text]},
    "endpoint": lambda text: {"models": [model(endpoint=f"/{text}")]},
    "attribute": lambda text: feature(attribute=text),
    "type": lambda text: feature(type=text),
    "framework": lambda text: {"models": [model(framework=text)]},
    "service_name": lambda text: {"service_name": text},
    "k8s_namespace": lambda text: {"k8s_namespace": text},
    "ci": lambda text: {"ci": text},
}
LEGAL = {"endpoint": {"a/b", "-rf"}}


@pytest.mark.parametrize("place", NAMED)
def test_a_name_is_no_path_and_no_code(place: str, questions: Path, tmp_path: Path) -> None:
    """What a file, a route or a Python name is made of is refused, and nothing is written."""
    for text in {*PATHS, *CODE} - LEGAL.get(place, set()):
        with pytest.raises(ValueError, match=REFUSED):
            copy(questions, tmp_path / "service", NAMED[place](text))

    assert files(tmp_path) == []


def copy(template: Path, destination: Path, answers: Answers) -> None:
    run_copy(str(template), destination, data=answers, defaults=True, quiet=True)


def test_text_stays_text(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where any text is legal, paths and code are rendered as they were written, and no more."""
    monkeypatch.chdir(tmp_path)
    texts = [text for text in [*PATHS, *CODE] if text.isprintable() and len(text) <= 100]
    hostile = texts_of("m", texts)
    harmless = texts_of("m", [f"text {number}" for number in range(len(texts))])

    copy(template, tmp_path / "a/b/hostile", hostile)
    copy(template, tmp_path / "a/b/harmless", harmless)

    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert {path.name for path in (tmp_path / "a/b").iterdir()} == {"hostile", "harmless"}
    assert files(tmp_path / "a/b/hostile") == files(tmp_path / "a/b/harmless")
    recorded = yaml.safe_load((tmp_path / "a/b/hostile/.copier-answers.yml").read_text())
    assert recorded.items() >= hostile.items()
    (told,) = json.loads((tmp_path / "a/b/hostile/tests/e2e/models.json").read_text())
    assert [*told["example"]] == texts


def texts_of(name: str, texts: list[str]) -> Answers:
    """Return answers that have the texts wherever a text may be anything."""
    features = [
        {"name": text, "type": "category", "values": texts, "unit": text, "description": text}
        for text in texts
    ]
    whole = " ".join(texts)
    return {
        "description": whole,
        "team": whole,
        "contact": whole,
        "models": [
            {
                "name": name,
                "framework": "sklearn",
                "task": "classification",
                "classes": texts,
                "unit": whole,
                "description": whole,
                "features": features,
            }
        ],
    }


def bomb(use: str) -> str:
    """Return YAML of a few lines whose value *use* has a billion entries, if spelled out."""
    levels = ["a0: &a0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    for level in range(1, 9):
        aliases = ", ".join([f"*a{level - 1}"] * 10)
        levels.append(f"a{level}: &a{level} [{aliases}]")
    return "\n".join([*levels, use])


def in_model(value: str) -> str:
    return bomb(f"models: [{{name: m, features: [{{name: x, type: float}}], {value}}}]")


def in_feature(value: str) -> str:
    return bomb(f"models: [{{name: m, features: [{{name: x, type: category, {value}}}]}}]")


def nested(depth: int) -> str:
    return f"models: {'[' * depth}{']' * depth}"


EXPLODING = {
    "a command": (f"team: !!python/object/apply:os.system ['touch {MARKER}']", "column 7"),
    "an object": (f"models: !!python/object/new:os.system ['touch {MARKER}']", "column 9"),
    "service_name": (bomb("service_name: *a8"), "40 characters at most"),
    "contact": (bomb("contact: *a8"), "must be one line of text, or empty"),
    "boolean": (bomb("drift: *a8"), "must be true or false"),
    "choice": (bomb("ci: *a8"), 'Unsupported type "nested list or mapping" in question "ci"'),
    "number": (bomb("python_version: {a: *a8}"), 'in question "python_version"'),
    "computed": (bomb("package: *a8"), "is computed from service_name; take it out of the answers"),
    "models": (bomb("models: *a8"), "and 5 more"),
    "name": (bomb("models: [{name: *a8}]"), "features is missing: a list of at least one feature"),
    "features": (bomb("models: [{name: m, features: *a8}]"), "and 5 more"),
    "task": (in_model("task: *a8"), "classification, multioutput_regression, ranking"),
    "endpoint": (in_model("endpoint: *a8"), "no trailing slash"),
    "classes": (in_model("task: classification, classes: *a8"), "all text or all integers"),
    "values": (in_feature("values: *a8"), "must be all text or all integers"),
    "example": (in_feature("values: [*a7, *a8], example: *a8"), "must be one of its values"),
    "depth": (nested(3_000), "maximum recursion depth exceeded"),
    "some depth": (nested(150), "must be a name, or a mapping with name and features"),
}


@pytest.mark.parametrize("name", EXPLODING)
def test_a_data_file_that_explodes_is_refused(name: str, questions: Path, tmp_path: Path) -> None:
    """Neither time nor memory runs out, no object is made, and the last line says what is wrong."""
    text, last_words = EXPLODING[name]
    data_file = tmp_path / "answers.yml"
    data_file.write_text(text)
    limited = f'ulimit -v {KIBIBYTES}; exec "$0" copy --quiet --defaults "$@"'
    options: list[str | Path] = ["--data-file", data_file, questions, "service"]

    copied = run(["sh", "-c", limited, BIN / "copier", *options], cwd=tmp_path, seconds=SECONDS)

    assert copied.returncode not in {0, 137}
    assert last_words in copied.stderr.rstrip().splitlines()[-1]
    assert [path.name for path in tmp_path.iterdir()] == ["answers.yml"]


def test_what_nobody_asked_for_is_not_looked_at(questions: Path, tmp_path: Path) -> None:
    """A key that is no question's is neither unfolded nor recorded."""
    answers = yaml.safe_load(bomb("unasked: *a8"))

    copy(questions, tmp_path / "service", answers)

    assert "unasked" not in (tmp_path / "service/.copier-answers.yml").read_text()


HUGE = "x" * 10_000_000
LABELS = [f"v{number}" for number in range(10_000)]
ENTRIES = "features, values, classes and outputs are more than the 10000 that one service may have"


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ({"description": HUGE}, "must be 1000 characters long at most, not empty"),
        ({"description": "x" * 1_001}, "must be 1000 characters long at most, not empty"),
        ({"contact": HUGE}, "must be 1000 characters long at most, or empty"),
        ({"service_name": HUGE}, "40 characters at most"),
        ({"registry": HUGE}, "200 characters at most"),
        ({"ci": [HUGE]}, "is not in ['gitlab', 'github', 'none']"),
        ({"models": [model(name=HUGE)]}, "must match ^[a-z][a-z0-9_]{0,29}$"),
        ({"models": [model(unit=HUGE)]}, "must be 1000 characters long at most"),
        ({"models": [model(endpoint="/x" * 101)]}, "must be 200 characters long at most"),
        ({"models": [model(**{HUGE: 1})]}, "the keys are name, framework, format"),
        ({"models": [model(name=f"m{n}") for n in range(101)]}, "101 models are more than the 100"),
        ({"models": [model(features=[FEATURE] * 10_001)]}, f"10001 {ENTRIES}"),
        ({"models": [model(features=[FEATURE] * 9_999)] * 100}, f"999900 {ENTRIES}"),
        (feature(type="category", values=LABELS), f"10001 {ENTRIES}"),
        (feature(type="category", values=[HUGE]), "must be 1000 characters long at most"),
        (feature(name=HUGE), "must be text of 1 to 100 characters"),
        (feature(attribute="x" * 101), "must be 100 characters long at most"),
        (feature(type="int", example=10**5_000), "Exceeds the limit (4300 digits)"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_what_is_too_large_is_refused(
    answers: Answers, words: str, questions: Path, tmp_path: Path
) -> None:
    """However much somebody answers, the refusal is short and soon there."""
    with pytest.raises(ValueError, match=REFUSED) as refusal:
        copy(questions, tmp_path / "service", answers)

    assert words in str(refusal.value)
    assert files(tmp_path) == []
