"""Every rendering, before anything of it runs: well-formed, formatted, agreeing and recorded."""

import ast
import io
import re
import tokenize
import tomllib
from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
from conftest import Render
from markdown_it import MarkdownIt
from support.processes import BIN, UV, succeed
from support.renderings import Rendering
from support.repositories import copy
from support.texts import PARSERS, documents
from support.variants import CHOICES, FREE_TEXT, FREE_TEXT_BRACES, VARIANTS, examples

EXPECTED = Path(__file__).parent / "expected"

SCARS = {
    "a tag of the template": re.compile(r"\{\{-?\s*\w|\{%|%\}|\{#|jinja|copier_conf", re.I),
    "white space at a line's end": re.compile(r"[ \t]+$", re.M),
    "a blank first or last line": re.compile(r"\A\n|\n\n\Z"),
    "no newline at the end": re.compile(r"[^\n]\Z"),
}
SCARS_OUTSIDE_PYTHON = {
    "two blank lines": re.compile(r"\n{3}"),
    "a value in Python's spelling": re.compile(r"[:=] (None|True|False)$", re.M),
}
SCARS_IN_PYTHON = {"three blank lines": re.compile(r"\n{4}")}
# Braces that are meant for whoever reads the rendered file, not for Copier.
LITERAL_BRACES = {
    ".github/workflows/*.yml": r"\$\{\{ .*? \}\}|\{\{ \.[\w.]+ \}\}",  # GitHub, Docker
    "deploy/components/dashboard/dashboard.json": r"\{\{\w+\}\}",  # Grafana's legends
}

# docs/decisions/0017-the-size-of-a-service.md
MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 40
MAX_ENGINE_LINES_OF_CODE = 3_450
# What grows with the answers, and what the team writes.
BESIDE_THE_ENGINE = {"contracts", "predictors", "routers", "training"}

NO_CODE = {
    tokenize.COMMENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
    tokenize.INDENT,
    tokenize.NEWLINE,
    tokenize.NL,
}

# A module imports of its own package what is in a layer further up here, or in its own folder.
LAYERS = [
    {"types", "cpu"},
    {"errors"},
    {"settings", "serving"},
    {"contracts"},
    {"predictors"},
    {"ml_models", "model_store"},
    {"monitoring", "preload", "state", "tables"},
    {"parity"},
    {"routers", "routes", "health"},
    {"open_inference", "mlflow_protocol"},
    {"app"},
    {"cli"},
]

PLAUSIBLE = {"defaults", *(example.name for example in examples())}


def each(names: Iterable[str]) -> list[object]:
    """Parametrize by variant; what uses one rendering runs in one worker."""
    return [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in sorted(names)]


@pytest.fixture(params=each(VARIANTS))
def rendering(request: pytest.FixtureRequest, rendered: Callable[[str], Rendering]) -> Rendering:
    return rendered(request.param)


def test_the_examples_use_every_choice() -> None:
    """Each value of each choice question is in at least one example."""
    used = {
        name: {example.answers[name] for example in examples() if name in example.answers}
        for name in CHOICES
    }

    assert used == {name: set(values) for name, values in CHOICES.items()}


def test_no_scar_of_the_template_is_left(rendering: Rendering) -> None:
    """Nothing in a file tells that it was rendered."""
    scars = [
        f"{path}:{line}: {scar}"
        for path in rendering.files()
        for line, scar in _scars(path, rendering.text(path))
    ]

    assert scars == []


def _scars(path: Path, text: str) -> list[tuple[int, str]]:
    for literal in FREE_TEXT_BRACES:
        text = text.replace(literal, "literal")
    for pattern, literal in LITERAL_BRACES.items():
        if fnmatchcase(path.as_posix(), pattern):
            text = re.sub(literal, "literal", text)
    special = SCARS_IN_PYTHON if path.suffix == ".py" else SCARS_OUTSIDE_PYTHON
    return [
        (text.count("\n", 0, match.start()) + 1, scar)
        for scar, regex in (SCARS | special).items()
        for match in regex.finditer(text)
    ]


def test_every_file_parses(rendering: Rendering) -> None:
    """Python, TOML, YAML and JSON are valid, and no mapping has a key twice."""
    broken = []
    for path in rendering.files():
        parse = PARSERS.get(path.suffix)
        try:
            if parse:
                parse(rendering.text(path))
        except Exception as error:  # noqa: BLE001 - Every parser has errors of its own.
            broken.append(f"{path}: {error}")

    assert broken == []


def test_the_service_s_own_formatter_and_linter_find_nothing(rendering: Rendering) -> None:
    """What is rendered needs no repair: ruff, as the service configures it, agrees."""
    succeed([BIN / "ruff", "format", "--check", "--no-cache", "."], cwd=rendering.root)
    succeed([BIN / "ruff", "check", "--no-cache", "."], cwd=rendering.root)


@pytest.fixture(scope="session")
def every_framework(render: Render) -> Path:
    """Return the programs of an environment that has every library a service may import."""
    name = next(name for name in VARIANTS if name.startswith("every-kind-"))
    root = render(VARIANTS[name]).root
    succeed([UV, "lock"], cwd=root, seconds=600)
    succeed([UV, "sync", "--no-install-project"], cwd=root, seconds=600)
    # What the services of the other sources of models import.
    python = root / ".venv/bin/python"
    succeed([UV, "pip", "install", "--python", python, "obstore", "urllib3"], cwd=root, seconds=600)
    return root / ".venv/bin"


@pytest.mark.service
def test_the_types_hold(
    rendering: Rendering, every_framework: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Mypy, strict, finds nothing, in the service's tests and training either."""
    cache = tmp_path_factory.getbasetemp() / "mypy-cache"

    succeed(
        [every_framework / "mypy", "--strict", "--cache-dir", cache],
        cwd=rendering.root,
        seconds=900,
    )


@pytest.mark.parametrize("name", each(VARIANTS.keys() - PLAUSIBLE))
def test_the_same_answers_give_the_same_bytes(
    name: str, rendered: Callable[[str], Rendering], render: Render
) -> None:
    """Nothing but the answers decides what is written."""
    assert render(VARIANTS[name]).contents() == rendered(name).contents()


@pytest.mark.service
@pytest.mark.parametrize("name", each(PLAUSIBLE))
def test_the_command_line_writes_the_same_bytes_without_trust(
    name: str, rendered: Callable[[str], Rendering], template: Path, tmp_path: Path
) -> None:
    """A pipeline with a data file needs neither `--trust` nor a prompt for the same service."""
    variant = VARIANTS[name]

    copied = copy(template, tmp_path / "service", variant.answers, ref="HEAD")

    assert Rendering(variant, copied).contents() == rendered(name).contents()


def test_the_files_are_those_recorded(
    rendering: Rendering, default: Rendering, request: pytest.FixtureRequest
) -> None:
    """Which files an answer adds or takes away is a decision, and `make record` shows it.

    The default service's list is whole; any other is what differs from it.
    """
    found, usual = _listed(rendering), _listed(default)
    if rendering.variant != default.variant:
        found = {f"- {path}" for path in usual - found} | {f"+ {path}" for path in found - usual}
    record = EXPECTED / f"{rendering.variant.name}.files"
    text = "".join(f"{line}\n" for line in sorted(found))
    if request.config.getoption("record"):
        record.write_text(text, encoding="utf-8")

    assert text == record.read_text(encoding="utf-8")


def _listed(rendering: Rendering) -> set[str]:
    package = f"src/{rendering.variant.package}/"
    return {path.as_posix().replace(package, "src/<package>/") for path in rendering.files()}


def test_no_record_outlives_its_variant() -> None:
    """Every recorded list is one that a rendering is compared with."""
    assert {path.stem for path in EXPECTED.glob("*.files")} == set(VARIANTS)


def test_the_default_service_stays_small(default: Rendering) -> None:
    """Size is a feature: of a function, of a module, and of the engine as a whole."""
    python = default.python()
    modules = {str(path): len(text.splitlines()) for path, text in python.items()}
    functions = {
        f"{path}:{node.lineno} {node.name}": node.end_lineno - node.lineno + 1
        for path, text in python.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno
    }
    engine = [text for path, text in python.items() if BESIDE_THE_ENGINE.isdisjoint(path.parts)]

    assert {name: n for name, n in functions.items() if n > MAX_FUNCTION_LINES} == {}
    assert {name: n for name, n in modules.items() if n > MAX_MODULE_LINES} == {}
    assert sum(map(_lines_of_code, engine)) <= MAX_ENGINE_LINES_OF_CODE


def _lines_of_code(text: str) -> int:
    """Count lines without the blank ones, comments and docstrings."""
    code, docstrings = set(), set()
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Expr(value=ast.Constant(value=str()), lineno=first, end_lineno=last):
                docstrings |= set(range(first, last + 1 if last else first + 1))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in NO_CODE:
            code |= set(range(token.start[0], token.end[0] + 1))
    return len(code - docstrings)


def test_imports_point_one_way(rendering: Rendering) -> None:
    """No module knows of what is built on top of it."""
    wrong = [
        f"{module} imports {imported}"
        for module, text in rendering.modules()
        for imported in _imports(module, text, rendering.variant.package)
        if not _is_below(imported, module)
    ]

    assert wrong == []


def _imports(module: str, text: str, package: str) -> set[str]:
    """Return what *module* imports of its own package, by names relative to the package."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            folders = [package, *module.split(".")[:-1]]
            base = folders[: len(folders) - node.level + 1] if node.level else []
            source = ".".join([*base, *filter(None, [node.module])])
            names |= {f"{source}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name.removeprefix(f"{package}.") for name in names if name.startswith(f"{package}.")}


def _is_below(imported: str, module: str) -> bool:
    folder, own = (name.partition(".")[0] for name in (imported, module))
    return folder == own or _layer(folder) < _layer(own)


def _layer(folder: str) -> int:
    (layer,) = (number for number, names in enumerate(LAYERS) if folder in names)
    return layer


def test_predictors_know_neither_the_web_framework_nor_the_settings(rendering: Rendering) -> None:
    """What a team writes around its model runs anywhere."""
    forbidden = re.compile(r"^\s*(from|import) .*\b(fastapi|starlette|settings)\b", re.M)

    found = [
        module
        for module, text in rendering.modules()
        if module.startswith("predictors.") and forbidden.search(text)
    ]

    assert found == []


def test_free_text_arrives_as_it_was_written(rendered: Callable[[str], Rendering]) -> None:
    """Whatever a description holds, whoever reads a file of any format finds the same text."""
    rendering, description = rendered(FREE_TEXT.name), FREE_TEXT.answers["description"]

    project = tomllib.loads(rendering.text("pyproject.toml"))
    (answers,) = documents(rendering.text(".copier-answers.yml"))
    (deployment,) = documents(rendering.text("deploy/base/deployment.yaml"))

    assert project["project"]["description"] == description
    assert {name: answers[name] for name in FREE_TEXT.answers} == FREE_TEXT.answers
    assert deployment["metadata"]["annotations"]["description"] == description
    assert description in _plain_paragraphs(rendering.text("README.md"))


def _plain_paragraphs(markdown: str) -> list[str]:
    """Return what a reader of a rendered page sees of the paragraphs that are text alone."""
    inlines = [token.children or [] for token in MarkdownIt().parse(markdown)]
    return [
        "".join(child.content for child in children)
        for children in inlines
        if all(child.type == "text" for child in children)
    ]
