"""A template's questions, asked without a person: every answer's problem at once.

Copier stops at the first bad answer, and has no public way to ask about one. This module alone
touches what Copier keeps to itself; tests compare it with Copier's command line.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from copier._main import Worker
from copier._settings import SettingsModel
from copier._types import MISSING, JSONSerializable
from copier._user_data import AnswersMap, Question
from copier._vcs import get_repo
from copier.errors import CopierError
from jinja2 import TemplateError

from stampede.errors import LONGEST_RULE, SourceError, shortened, shown

# What an answer's rule may raise, which is then what is wrong with the answer.
REFUSALS = (CopierError, TemplateError, ValueError, TypeError, KeyError, AttributeError)


@dataclass(frozen=True)
class Problem:
    """Why one answer is refused."""

    question: str
    value: str
    rule: str


@dataclass(frozen=True)
class Resolved:
    """Every answer of a service, the template's defaults included."""

    answers: dict[str, Any]
    recorded: dict[str, Any]
    """What of it Copier writes to the answers file."""
    problems: tuple[Problem, ...]


class Questionnaire:
    """The questions of the template whose files are in one folder."""

    def __init__(self, files: Path) -> None:
        self._worker = Worker(
            src_path=str(files), defaults=True, quiet=True, settings=SettingsModel()
        )
        self._questions = self._worker.template.questions_data
        # A question is asked of every service, and its texts are templates: compiled once.
        environment = self._worker.jinja_env
        environment.from_string = cache(environment.from_string)  # type: ignore[assignment, method-assign]
        computed = {name for name, details in self._questions.items() if _is_computed(details)}
        self.computed = frozenset(computed)
        self.names = frozenset(self._questions) - computed

    def resolve(
        self, folder: Path, own: Mapping[str, Any], defaults: Mapping[str, Any]
    ) -> Resolved:
        """Answer every question of the service in *folder*: its own answers replace the defaults.

        A default that is no question here, or is not asked, counts for nothing.
        """
        problems = [self.unknown(key, value) for key, value in own.items() if not self._has(key)]
        given = {key: value for key, value in defaults.items() if key in self.names}
        given |= {key: value for key, value in own.items() if self._has(key)}
        self._enter(folder, given)
        for name in self._names_to_ask():
            self._ask(name, given, own, problems)
        answers = self._worker.answers
        asked = {name: value for name, value in answers.user.items() if name not in answers.hidden}
        secret = self._worker.template.secret_questions
        recorded = {
            name: value
            for name, value in asked.items()
            if name not in secret and isinstance(value, JSONSerializable)
        }
        return Resolved(asked, recorded, tuple(problems))

    def owner(self, folder: Path, answers: Mapping[str, Any]) -> Callable[[Path], bool]:
        """Return what tells whether a file, once written, is the team's (`_skip_if_exists`)."""
        self._enter(folder, answers)
        self._worker.__dict__.pop("match_skip", None)
        return self._worker.match_skip

    def _enter(self, folder: Path, answers: Mapping[str, Any]) -> None:
        """Make the worker one for *folder*: a default may be made of its name."""
        self._worker.dst_path = folder
        self._worker.__dict__.pop("subproject", None)
        self._worker.answers = AnswersMap(
            init=dict(answers),
            metadata=self._worker.template.metadata,
            external=self._worker._external_data(),  # noqa: SLF001 - see the module's docstring.
        )

    def _names_to_ask(self) -> list[str]:
        """Return the questions up to the last one; what is computed after it concerns no answer."""
        names = list(self._questions)
        while names and names[-1] in self.computed:
            names.pop()
        return names

    def _ask(
        self,
        name: str,
        given: Mapping[str, Any],
        own: Mapping[str, Any],
        problems: list[Problem],
    ) -> None:
        """Answer one question as Copier would, and note what it would refuse."""
        answers = self._worker.answers
        value = given.get(name)
        try:
            question = self._question(name)
            if not question.get_when():
                answers.hide(name)
                answers.init.pop(name, None)
                if name in own:
                    problems.append(Problem(name, shown(value), "is not asked for these answers"))
            elif name in given:
                answers.user[name] = question.parse_answer(value)
                question.validate_answer(answers.user[name])
                return
            answer = question.get_default()
            if answer is not MISSING:
                answers.user[name] = answer
            elif name not in answers.hidden and question.get_ask():
                problems.append(Problem(name, "", "is required"))
        except REFUSALS as error:
            # What a bad answer makes of the questions behind it is no error of theirs.
            if name in given or not problems:
                problems.append(Problem(name, shown(value), _rule(name, error)))
            self._put_default(name)

    def _put_default(self, name: str) -> None:
        """Let the questions that follow a bad answer see a good one."""
        answers = self._worker.answers
        answers.init.pop(name, None)
        answers.user.pop(name, None)
        try:
            answers.user[name] = self._question(name).get_default()
        except REFUSALS:
            answers.user.pop(name, None)

    def _question(self, name: str) -> Question:
        worker = self._worker
        return Question(
            var_name=name,
            answers=worker.answers,
            context=worker._render_context(),  # noqa: SLF001 - see the module's docstring.
            jinja_env=worker.jinja_env,
            settings=worker.settings,
            **self._questions[name],
        )

    def _has(self, key: str) -> bool:
        return key in self.names

    def unknown(self, key: object, value: object) -> Problem:
        """Return why *key* cannot be answered."""
        name = str(key)
        if name.startswith("_"):
            rule = "is Copier's own, not an answer; take it out"
        elif name in self.computed:
            rule = "is computed by the template; take it out"
        else:
            rule = f"is no question of the template{meant(name, self.names)}"
        return Problem(name, shown(value), rule)


@lru_cache(maxsize=16)
def questionnaire(files: Path) -> Questionnaire:
    """Return the questions of a template.

    Raises:
        SourceError: Copier cannot read them.
    """
    try:
        return Questionnaire(files)
    except REFUSALS as error:
        reason = shortened(str(error), LONGEST_RULE)
        raise SourceError(f"the template's questions cannot be read: {reason}") from error


def git_url(source: str) -> str | None:
    """Return what Copier gives to git for a template's source; None if it is no repository."""
    return get_repo(source)


def meant(name: str, names: Iterable[str]) -> str:
    """Return a hint at what a misspelt name may have meant."""
    close = get_close_matches(name, list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _is_computed(details: Mapping[str, Any]) -> bool:
    return str(details.get("when", True)).strip().lower() in {"false", "no", "off", "0"}


def _rule(name: str, error: Exception) -> str:
    """Return an error of Copier's as the rule alone."""
    rule = str(error) or f"is not of the question's type ({type(error).__name__})"
    for prefix in (f"Validation error for question '{name}': ", f"Invalid choice for '{name}': "):
        rule = rule.removeprefix(prefix)
    return shortened(" ".join(rule.split()), LONGEST_RULE)
