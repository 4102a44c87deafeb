"""What is written about fleets: examples work, recipes name what exists, modules import one way."""

import ast
import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
import yaml
from support.fleets import Fleet, contents, dirty, new_fleet, small_template
from support.processes import BIN, run
from support.repositories import ROOT, commit, copy, git
from support.texts import documents, parse_json
from support.variants import load

RECIPES = ROOT / "examples/recipes"
TEXTS = [
    *sorted(path.relative_to(ROOT).as_posix() for path in RECIPES.iterdir()),
    "README.md",
    "docs/fleet.md",
    "docs/decisions/0018-the-fleet.md",
]
SOURCES = sorted((ROOT / "src/stampede").glob("*.py"))
# What a run of everything in `stampede` may be written before.
COMMANDS = {"lint", "plan", "apply", "status"}


@cache
def options(command: str) -> set[str]:
    """Return the options that a command's help has."""
    told = run([BIN / "stampede", command, "--help"], cwd=ROOT).stdout
    return set(re.findall(r"(--[a-z-]+)", told))


@pytest.mark.parametrize("name", TEXTS)
def test_commands_that_are_written_about_exist(name: str) -> None:
    """Each command that a text shows is one, with options that it takes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")

    shown = re.findall(r"\bstampede ([a-z]+) ([^\n`#|]*)", text)

    for command, rest in shown:
        if re.search(r"\.yml|\$", rest):
            assert command in COMMANDS, command
            assert set(re.findall(r"(?<!\S)(--[a-z-]+)", rest)) <= options(command), rest


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_each_help_has_examples(command: str) -> None:
    """... of that very command."""
    told = run([BIN / "stampede", command, "--help"], cwd=ROOT).stdout

    assert told.count(f"  stampede {command} fleet.yml") >= 2
    assert {"--only", "--jobs", "--json", "--quiet"} <= options(command)


@pytest.mark.parametrize("path", sorted(RECIPES.iterdir()), ids=lambda path: path.name)
def test_recipes_parse(path: Path) -> None:
    """YAML, JSON and shell are what they say they are."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".sh":
        subprocess.run(["sh", "-n", path], check=True)
        assert path.stat().st_mode & 0o111
    elif path.suffix == ".json":
        assert parse_json(text)
    else:
        assert documents(text)


def test_renovate_finds_the_version_in_a_fleet_file() -> None:
    """Its expression matches the documented fleet file, in both of YAML's styles."""
    (manager,) = json.loads((RECIPES / "renovate.json").read_text())["customManagers"]
    (expression,) = manager["matchStrings"]
    expression = expression.replace("(?<", "(?P<")
    shown = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/fleet.md").read_text(), re.S)
    assert shown
    block = yaml.safe_dump(yaml.safe_load(shown[1]))

    for text in (shown[1], block):
        found = re.search(expression, text)
        assert found
        assert found["depName"] == "https://git.example.com/ml/stampede.git"
        assert found["currentValue"] == "v1.2.0"


@pytest.mark.service
def test_multi_gitter_s_script_updates_the_repository_that_it_runs_in(tmp_path: Path) -> None:
    """In a clone of a service's repository it leaves the update for multi-gitter to commit."""
    template = small_template(tmp_path / "template")
    fleet = new_fleet(tmp_path / "fleet", template)
    fleet.add("repositories/churn")
    fleet.add("repositories/other")
    clone = copy(template.root, tmp_path / "clone", {"service_name": "churn"}, ref="v1.0.0")
    commit(clone, "Service")
    template.release("v1.1.0", {"gamma.txt": "gamma\n"})
    fleet.want("v1.1.0")
    variables = {
        "REPOSITORY": "ml-services/churn",
        "STAMPEDE_FLEET": str(fleet.root),
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }

    done = run([RECIPES / "multi-gitter.sh"], cwd=clone, variables=variables)

    assert done.returncode == 0, done.stderr
    assert dirty(clone) == " M .copier-answers.yml\n?? gamma.txt\n"


@pytest.mark.service
def test_the_example_is_stamped_as_copier_would(template: Path, tmp_path: Path) -> None:
    """examples/fleet.yml becomes three services, byte for byte what `copier copy` writes."""
    clone = tmp_path / "checkout"
    git("clone", "--quiet", str(template), str(clone), cwd=tmp_path)
    file = clone / "examples/fleet.yml"
    fleet = Fleet(file, load(file))

    assert fleet.run("lint").code == 0
    assert fleet.apply("--quiet").code == 0
    assert fleet.run("status").code == 0

    assert git("status", "--porcelain", cwd=clone) == ""
    services = clone / "build/fleet"
    (tmp_path / "fresh").mkdir()
    assert {path.name for path in services.iterdir()} == {"churn", "house-prices", "returns"}
    for folder in services.iterdir():
        answers = load(folder / ".copier-answers.yml")
        assert answers.pop("_src_path") == str(clone)
        version = answers.pop("_commit")
        fresh = copy(clone, tmp_path / "fresh" / folder.name, answers, ref=version)
        assert contents(folder) == contents(fresh)
        assert dirty(folder) == ""


def _imports(path: Path) -> set[str]:
    """Return the modules that a module imports, by their full names."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def test_imports_point_one_way() -> None:
    """No module of the command needs one that needs it."""
    names = {f"stampede.{path.stem}": path for path in SOURCES}
    needs = {name: _imports(path) & names.keys() - {name} for name, path in names.items()}
    while free := {name for name, needed in needs.items() if not needed & needs.keys()}:
        needs = {name: needed for name, needed in needs.items() if name not in free}

    assert needs == {}


def test_one_module_alone_touches_what_copier_keeps_to_itself() -> None:
    """When Copier's insides move, it is known where to look."""
    private = {
        path.stem: sorted(name for name in _imports(path) if re.match(r"copier\._", name))
        for path in SOURCES
    }

    assert [name for name, found in private.items() if found] == ["questions"]


def test_the_command_line_starts_without_copier() -> None:
    """`--help` does not wait for what only the workers need."""
    script = (
        "import sys, stampede.cli; sys.exit(any(m.split('.')[0] == 'copier' for m in sys.modules))"
    )

    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_modules_and_functions_fit_on_a_page(path: Path) -> None:
    """No module over 300 lines, no function over 40 of them, decorators and options apart."""
    text = path.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= 300
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 40, node.name
