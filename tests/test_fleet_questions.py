"""Answers, checked without Copier's run: the same verdicts and values, but all of them at once."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.renderings import Rendering
from support.repositories import ROOT
from support.variants import QUESTIONS, VARIANTS

from stampede.questions import Questionnaire

BAD = yaml.safe_load((ROOT / "tests/bad-answers.yml").read_text(encoding="utf-8"))
FOLDER = Path("service")


@pytest.fixture(scope="module")
def questionnaire(tmp_path_factory: pytest.TempPathFactory) -> Questionnaire:
    """The questions of this checkout, as the files of a release are: in no repository."""
    files = tmp_path_factory.mktemp("files")
    shutil.copy(ROOT / "copier.yml", files)
    shutil.copytree(ROOT / "includes", files / "includes")
    return Questionnaire(files)


def bad_answers() -> Iterator[tuple[str, Any, str]]:
    for kind in ("questions", "choices"):
        for question, rows in BAD[kind].items():
            for value, rule in rows:
                yield question, value, rule


def test_every_bad_answer_is_refused_in_the_template_s_words(questionnaire: Questionnaire) -> None:
    """The rule is the one that Copier's command line prints, for each answer that it refuses."""
    for question, value, rule in bad_answers():
        problems = questionnaire.resolve(FOLDER, {question: value}, {}).problems

        told = {problem.question: problem.rule for problem in problems}
        assert told.get(question) in {rule, "is computed by the template; take it out"}
        assert len(problems) == 1


def test_all_bad_answers_are_told_at_once(questionnaire: Questionnaire) -> None:
    """Copier stops at the first; nobody wants to mend a hundred services one error a run."""
    answers = {
        "service_name": "House",
        "ci": "jenkins",
        "open_inference_protocol": "banana",
        "models": [{"name": "price", "framework": "prophet", "features": []}],
        "registry": "registry.example.com/ml",
        "regstry": "x",
        "package": "house",
        "_commit": "v1",
    }

    problems = questionnaire.resolve(FOLDER, answers, {}).problems

    assert {problem.question: problem.rule.split(";")[0] for problem in problems} == {
        "regstry": "is no question of the template",
        "package": "is computed by the template",
        "_commit": "is Copier's own, not an answer",
        "service_name": "'House' must match ^[a-z]([-a-z0-9]*[a-z0-9])?$, 40 characters at most",
        "models": problems[4].rule.split(";")[0],
        "ci": "'jenkins' is not in ['gitlab', 'github', 'none']",
        "open_inference_protocol": "'banana' must be true or false",
    }
    assert "prophet" in problems[4].rule
    assert "did you mean registry?" in problems[0].rule


def test_messages_stay_readable(questionnaire: Questionnaire) -> None:
    """A value of megabytes is told by its beginning."""
    answers = {"description": "two\nlines" * 100_000, "x" * 100_000: 1}

    problems = questionnaire.resolve(FOLDER, answers, {}).problems

    assert len(problems) == 2
    for problem in problems:
        assert len(problem.value) < 200
        assert len(problem.rule) < 600


@pytest.mark.parametrize("name", ["defaults", "demand", "flowers", "fraud", "free-text"])
def test_the_answers_are_what_copier_records(
    name: str, questionnaire: Questionnaire, rendered: Callable[[str], Rendering]
) -> None:
    """Given answers and defaults come out as in a rendering's answers file, value for value."""
    rendering = rendered(name)

    resolved = questionnaire.resolve(rendering.root, VARIANTS[name].answers, {})

    recorded = yaml.safe_load(rendering.text(".copier-answers.yml"))
    assert resolved.problems == ()
    assert resolved.recorded == {
        key: value for key, value in recorded.items() if not key.startswith("_")
    }


def test_a_service_s_answer_replaces_the_default_as_a_whole(questionnaire: Questionnaire) -> None:
    """Nothing is merged within an answer: a list of models is the service's or the fleet's."""
    defaults = {"models": ["price", "rent"], "team": "ml", "nonsense": 1}

    resolved = questionnaire.resolve(FOLDER, {"models": ["churn"]}, defaults)

    assert resolved.problems == ()
    assert resolved.recorded["models"] == ["churn"]
    assert resolved.recorded["team"] == "ml"
    assert resolved.recorded["auth"] == QUESTIONS["auth"]["default"]
