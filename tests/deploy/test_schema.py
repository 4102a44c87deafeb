"""The description of the API: kept current, and compared by oasdiff with what callers know."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.processes import run, succeed
from support.repositories import commit
from support.tools import need
from support.variants import SAMPLES

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

Document = dict[str, Any]
Change = Callable[[Document], object]

NUMBERS, CLASSES = SAMPLES
FEATURE, OTHER = (feature["name"] for feature in NUMBERS["features"][:2])


def numbers(document: Document) -> Document:
    """Return the schema of an instance of the model that predicts numbers."""
    name = f"{NUMBERS['name'].capitalize()}Instance"
    schema: Document = document["components"]["schemas"][name]
    return schema


def prediction(document: Document) -> Document:
    name = f"{CLASSES['name'].capitalize()}Prediction"
    schema: Document = document["components"]["schemas"][name]["properties"]["prediction"]
    return schema


def feature(document: Document) -> Document:
    schema: Document = numbers(document)["properties"][FEATURE]
    return schema


def add_a_feature(document: Document) -> None:
    schema = numbers(document)
    schema["properties"]["another"] = {"type": "number"}
    schema["required"].append("another")


def remove_a_feature(document: Document) -> None:
    schema = numbers(document)
    del schema["properties"][FEATURE]
    schema["required"].remove(FEATURE)


def accept_null(document: Document) -> None:
    properties = numbers(document)["properties"]
    properties[FEATURE] = {"anyOf": [properties[FEATURE], {"type": "null"}]}


def move_the_endpoint(document: Document) -> None:
    document["paths"]["/elsewhere"] = document["paths"].pop(CLASSES["endpoint"])


def ask_for_a_key(document: Document) -> None:
    keys = {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    document["components"]["securitySchemes"] = {"ApiKey": keys}
    document["paths"][CLASSES["endpoint"]]["post"]["security"] = [{"ApiKey": []}]


# The rows of the service's docs/clients.md.
BREAKS: dict[str, Change] = {
    "a feature more": add_a_feature,
    "a feature less": remove_a_feature,
    "narrower bounds": lambda document: feature(document).update(maximum=19),
    "another type": lambda document: feature(document).update(type="string"),
    "another endpoint": move_the_endpoint,
    "a key": ask_for_a_key,
    "a class more": lambda document: prediction(document)["enum"].append("other"),
}
BREAKS_NOBODY: dict[str, Change] = {
    "wider bounds": lambda document: feature(document).update(maximum=1000),
    "a float for an int": lambda document: feature(document).update(type="number"),
    "null as well": accept_null,
    "a class less": lambda document: prediction(document)["enum"].pop(),
    "an endpoint more": lambda document: document["paths"].update(
        {"/more": document["paths"][CLASSES["endpoint"]]}
    ),
    "another description": lambda document: feature(document).update(description="Other words"),
}


@pytest.fixture(scope="module")
def repository(service: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of what `make schema-diff` needs of a service."""
    root = tmp_path_factory.mktemp("schema")
    for name in ("Makefile", "openapi.json"):
        (root / name).write_bytes((service / name).read_bytes())
    commit(root, "Service")
    return root


@pytest.fixture
def document(service: Path) -> Document:
    document: Document = json.loads((service / "openapi.json").read_text())
    return document


def compare(repository: Path, document: Document) -> tuple[int, str]:
    """Return the exit code and the output of `make schema-diff` with *document* as openapi.json."""
    need("oasdiff")
    (repository / "openapi.json").write_text(json.dumps(document))
    done = run(["make", "schema-diff", "BASE=HEAD"], cwd=repository)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("change", BREAKS.values(), ids=BREAKS)
def test_what_breaks_a_caller_fails(repository: Path, document: Document, change: Change) -> None:
    """What the rule calls a break, the comparison does too, and says where it is."""
    change(document)

    code, output = compare(repository, document)

    assert code != 0, output
    assert "in API POST /predict/" in output


@pytest.mark.parametrize("change", BREAKS_NOBODY.values(), ids=BREAKS_NOBODY)
def test_what_breaks_nobody_passes(repository: Path, document: Document, change: Change) -> None:
    """The rule's other rows change the description, and no caller notices."""
    before = json.dumps(document)
    change(document)
    assert json.dumps(document) != before

    code, output = compare(repository, document)

    assert code == 0, output


def test_an_accepted_break_passes(repository: Path, document: Document, tmp_path: Path) -> None:
    """What the team has listed, in the words of the comparison, is no surprise any more."""
    copy = tmp_path / "service"
    succeed(["git", "clone", "--quiet", repository, copy], cwd=tmp_path)
    accepted = copy / "docs/team/accepted-breaks.txt"
    accepted.parent.mkdir(parents=True)
    path = CLASSES["endpoint"]
    accepted.write_text(f"# Agreed.\nPOST {path} api path removed without deprecation\n")
    move_the_endpoint(document)

    assert compare(copy, document)[0] == 0

    remove_a_feature(document)
    code, output = compare(copy, document)
    assert code != 0
    assert f"removed the request property `{FEATURE}`" in output
    assert path not in output


def test_a_base_that_is_not_there_is_no_success(repository: Path) -> None:
    """A comparison that did not happen does not pass for one."""
    need("oasdiff")

    done = run(["make", "schema-diff", "BASE=no-such-branch"], cwd=repository)

    assert done.returncode != 0
    assert "there is no no-such-branch" in done.stderr


def test_a_description_that_is_not_current_fails(service: Path) -> None:
    """`make schema-check` shows what differs; `make schema` mends it."""
    file = service / "openapi.json"
    current = file.read_text()
    succeed(["make", "schema-check"], cwd=service)
    file.write_text(current.replace(FEATURE, OTHER))

    done = run(["make", "schema-check"], cwd=service)
    succeed(["make", "schema"], cwd=service)

    assert done.returncode != 0
    assert f'"{FEATURE}"' in done.stdout
    assert "openapi.json is not current: make schema, and commit it" in done.stderr
    assert file.read_text() == current
