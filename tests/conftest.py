"""Fixtures that every kind of test uses: the template as a repository, and renderings of it."""

import functools
import gc
import os
import shutil
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, suppress
from io import StringIO
from pathlib import Path
from types import CodeType

import pytest
from jinja2 import Environment
from pytest_copie.plugin import Copie
from support.renderings import Rendering
from support.repositories import ROOT, snapshot
from support.variants import VARIANTS, Variant

Render = Callable[[Variant], Rendering]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="Record the renderings' file lists.")


def pytest_configure() -> None:
    # The user's git configuration must decide nothing here, and may not exist at all.
    os.environ |= {
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "Tests",
        "GIT_AUTHOR_EMAIL": "tests@example.com",
        "GIT_COMMITTER_NAME": "Tests",
        "GIT_COMMITTER_EMAIL": "tests@example.com",
    }


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before a test is run once more, close what its first attempt left open.

    The traceback holds it until then, and a warning that it was not closed would fail the second
    attempt too, whatever became of it.
    """
    if getattr(item, "execution_count", 1) > 1:
        with suppress(AttributeError):
            del sys.last_value, sys.last_traceback
        with warnings.catch_warnings(action="ignore"):
            gc.collect()


@pytest.fixture(scope="session", autouse=True)
def _own_copier_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Give each worker its own: parallel copies through a shared one fail now and then."""
    os.environ["COPIER_CACHE_DIR"] = str(tmp_path_factory.mktemp("copier-cache"))


@pytest.fixture(scope="session", autouse=True)
def _compile_templates_once() -> Iterator[None]:
    """Spare the renderings within this process two thirds of their time.

    Copier compiles every template, every part of a path and the answers file's name again for
    each file of each rendering. The command line, which is compared with them, goes without this.
    """
    compile_template: Callable[..., CodeType] = Environment.compile
    compiled: dict[tuple[str | None, ...], CodeType] = {}

    def compile_once(self: Environment, source: str, *place: str | None) -> CodeType:
        """Compile *source*, whose *place* is its name and its file, if it has them."""
        key = (source, *place[:1])
        if key in compiled:
            # Extensions see each source all the same: Copier's forgets the last `yield` so.
            self.preprocess(source, *place)
        else:
            compiled[key] = compile_template(self, source, *place)
        return compiled[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Environment, "compile", compile_once)
        yield


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This checkout as a repository with everything committed, tagged v0.0.0."""
    return snapshot(tmp_path_factory.mktemp("template"), tag="v0.0.0")


@pytest.fixture(scope="session")
def questions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A template of the questions and the answers file: nothing to clone, everything to ask."""
    folder = tmp_path_factory.mktemp("questions")
    shutil.copy(ROOT / "copier.yml", folder)
    shutil.copytree(ROOT / "includes", folder / "includes")
    (folder / "template").mkdir()
    shutil.copy(ROOT / "template/{{_copier_conf.answers_file}}.jinja", folder / "template")
    return folder


@pytest.fixture(scope="session")
def render(template: Path, copie_session: Copie) -> Render:
    """Return a new rendering of a variant, by Copier within this process."""

    def render(variant: Variant) -> Rendering:
        with redirect_stderr(StringIO()):  # Copier's list of files, of no use in a failure.
            result = copie_session.copy(variant.answers, template_dir=template)
        if result.project_dir is None:
            raise result.exception or AssertionError
        return Rendering(variant, result.project_dir)

    return render


@pytest.fixture(scope="session")
def rendered(render: Render) -> Callable[[str], Rendering]:
    """Return the rendering of a variant by name: one for all tests, never written to."""
    return functools.cache(lambda name: render(VARIANTS[name]))


@pytest.fixture
def default(rendered: Callable[[str], Rendering]) -> Rendering:
    return rendered("defaults")
