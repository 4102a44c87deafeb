"""Updates of a service, by Copier's command line, without trust: what arrives, and what stays."""

from pathlib import Path

import pytest
import yaml
from support.processes import run
from support.renderings import Rendering
from support.repositories import commit, copier, copy, git, snapshot, unmerged_paths
from support.variants import DEFAULTS, SAMPLES, Answers

pytestmark = pytest.mark.service

PACKAGE = f"src/{DEFAULTS.package}"
FIRST = SAMPLES[0]["name"]
EDITED_BY_THE_TEAM = [
    f"{PACKAGE}/predictors/{FIRST}.py",
    f"{PACKAGE}/routers/__init__.py",
    f"training/{FIRST}.py",
    "CHANGELOG.md",
    "deploy/overlays/prod/kustomization.yaml",
]
ADDED_BY_THE_TEAM = [
    f"{PACKAGE}/routers/reports.py",
    "deploy/overlays/staging/kustomization.yaml",
    "docs/team/runbook.md",
    "tests/team/test_reports.py",
]
NEW_MODEL = {
    "name": "rent",
    "framework": "xgboost",
    "features": [{"name": "area_m2", "type": "float", "minimum": 0}],
}


@pytest.fixture
def releases(tmp_path: Path) -> Path:
    """Return a template of one's own to release from; its present state is v1.0.0."""
    return snapshot(tmp_path / "template", tag="v1.0.0")


@pytest.fixture
def service(releases: Path, tmp_path: Path) -> Path:
    """Return the default service as v1.0.0 wrote it, in a repository of its own."""
    service = copy(releases, tmp_path / "service", DEFAULTS.answers, ref="v1.0.0")
    commit(service, "Service")
    return service


def release(releases: Path) -> None:
    """Release v1.1.0: a question, a file and a line more, and other first lines for the team."""
    append(releases / "copier.yml", "\nretention_days:\n  type: int\n  default: 30\n")
    new = "Kept for {{ retention_days }} days.\n"
    append(releases / "template/docs/retention.md.jinja", new)
    append(releases / "template/src/{{ package }}/errors.py", "\n\nRETRY_AFTER_SECONDS = 1\n")
    append(releases / "template/src/{{ package }}/predictors/__init__.py", "\nNEW = True\n")
    commit(releases, "Retention", tag="v1.1.0")


def append(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def update(service: Path, *options: str | Path) -> None:
    copier("update", "--quiet", "--defaults", *options, cwd=service)

    assert unmerged_paths(service) == ""
    marked = run(["git", "grep", "--untracked", "-e", "^<<<<<<< "], cwd=service)
    assert marked.stdout == ""


def status(service: Path) -> dict[str, set[str]]:
    """Return the changed paths of the work tree by git's letter for the change."""
    found: dict[str, set[str]] = {}
    for line in git("status", "--porcelain", "--untracked-files=all", cwd=service).splitlines():
        found.setdefault(line[:2].strip(), set()).add(line[3:])
    return found


def test_an_update_brings_the_template_s_change_and_keeps_the_team_s(
    releases: Path, service: Path
) -> None:
    """What the template released arrives; what the team wrote stays, byte for byte."""
    for name in EDITED_BY_THE_TEAM:
        assert (service / name).exists()
    for name in EDITED_BY_THE_TEAM + ADDED_BY_THE_TEAM:
        append(service / name, "# The team was here.\n")
    commit(service, "The team's work")
    written = {
        name: (service / name).read_bytes() for name in EDITED_BY_THE_TEAM + ADDED_BY_THE_TEAM
    }
    release(releases)

    update(service)

    assert {name: (service / name).read_bytes() for name in written} == written
    assert (service / "docs/retention.md").read_text() == "Kept for 30 days.\n"
    assert "RETRY_AFTER_SECONDS" in (service / PACKAGE / "errors.py").read_text()
    assert status(service) == {
        "M": {".copier-answers.yml", f"{PACKAGE}/errors.py"},
        "??": {"docs/retention.md"},
    }


def test_a_dependency_of_the_team_s_survives_an_update(releases: Path, service: Path) -> None:
    """The team's dependency group is a place in the template's file that updates merge around."""
    project = service / "pyproject.toml"
    before = project.read_text()
    project.write_text(before.replace("team = []", 'team = [\n    "humanize>=4",\n]'))
    assert project.read_text() != before
    commit(service, "A dependency")
    rendered = releases / "template/pyproject.toml.jinja"
    rendered.write_text(rendered.read_text().replace("[project]", "# Released.\n[project]", 1))
    commit(releases, "A comment", tag="v1.1.0")

    update(service)

    assert '"humanize>=4"' in project.read_text()
    assert "# Released." in project.read_text()


def test_a_second_update_changes_nothing(releases: Path, service: Path) -> None:
    """An update is idempotent."""
    release(releases)
    update(service)
    commit(service, "Update")

    update(service)

    assert status(service) == {}


def test_an_updated_service_is_what_a_new_one_would_be(
    releases: Path, service: Path, tmp_path: Path
) -> None:
    """A service that its team did not change is a new one, but for the team's files."""
    release(releases)

    update(service)

    fresh = copy(releases, tmp_path / "fresh", DEFAULTS.answers, ref="v1.1.0")
    updated = Rendering(DEFAULTS, service).contents()
    updated = {path: data for path, data in updated.items() if path.parts[0] != ".git"}
    predictors = Path(PACKAGE, "predictors/__init__.py")
    assert updated.pop(predictors) != (new := Rendering(DEFAULTS, fresh).contents()).pop(predictors)
    assert updated == new


def test_another_model_adds_its_files_and_keeps_an_edited_predictor(
    service: Path, tmp_path: Path
) -> None:
    """A model that is added to the answers is written beside the others, which stay."""
    predictor = service / PACKAGE / f"predictors/{FIRST}.py"
    append(predictor, "# The team was here.\n")
    commit(service, "The team's work")
    edited = predictor.read_bytes()
    answers: Answers = yaml.safe_load((service / ".copier-answers.yml").read_text())
    data_file = tmp_path / "answers.yml"
    data_file.write_text(yaml.safe_dump({"models": [*answers["models"], NEW_MODEL]}))

    update(service, "--data-file", data_file)

    changed = status(service)
    assert predictor.read_bytes() == edited
    assert changed["??"] == {
        f"{PACKAGE}/contracts/rent.py",
        f"{PACKAGE}/predictors/rent.py",
        "training/rent.py",
    }
    assert changed.keys() == {"M", "??"}
    assert {".copier-answers.yml", f"{PACKAGE}/ml_models.py"} <= changed["M"]
    assert f"{PACKAGE}/contracts/{FIRST}.py" not in changed["M"]
