"""What an update runs of the template's, and when: only across a version that says so."""

import re
import sys
from pathlib import Path

import pytest
import yaml
from packaging.version import Version
from support.processes import run, succeed
from support.releases import NEXT, RELEASES, migrations, repository
from support.renderings import Rendering
from support.repositories import ROOT, commit, copier, copy, git, snapshot, unmerged_paths
from support.variants import VARIANTS

CHURN = VARIANTS["churn"].answers
WORKFLOWS = ".github/workflows"
# The last release before the first migration.
BEFORE = "v0.2.0"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a: 1\nold: x\nz: 2\n", b"a: 1\nnew: x\nz: 2\n"),
        (b"# Why.\r\nold: x # here\r\nz: 2\r\n", b"# Why.\r\nnew: x # here\r\nz: 2\r\n"),
        (b"old: x\n  old: as text\n", b"new: x\n  old: as text\n"),
        (
            b"a:\n- old: 1\n  old: 2\nolder: 3\nold_: 4",
            b"a:\n- old: 1\n  old: 2\nolder: 3\nold_: 4",
        ),
        (b"new: y\nold: x\n", b"new: y\nold: x\n"),
        ("text: größe\nold: ''\n".encode(), "text: größe\nnew: ''\n".encode()),
        (b"", b""),
    ],
)
def test_an_answer_is_renamed_and_nothing_else(before: bytes, after: bytes, tmp_path: Path) -> None:
    """Comments and line ends stay; once more, or where there is nothing to do, nothing is done."""
    answers = tmp_path / "answers.yml"
    answers.write_bytes(before)
    script = ROOT / "hooks/rename_answer.py"
    hook: list[str | Path] = [sys.executable, script, answers, "old", "new"]

    succeed(hook, cwd=tmp_path)
    once = answers.read_bytes()
    succeed(hook, cwd=tmp_path)

    assert once == after
    assert answers.read_bytes() == after


@pytest.mark.service
def test_edits_follow_a_renamed_file_in_a_repository_of_many_services(tmp_path: Path) -> None:
    """What both sides changed is one conflict, under the new name, in the service's own folder."""
    template = repository(tmp_path / "template")
    service = copy(template, tmp_path / "churn", CHURN, ref=BEFORE)
    many = tmp_path / "many"
    (many / "services").mkdir(parents=True)
    service = service.rename(many / "services/churn")
    workflow = service / WORKFLOWS / "template.yml"
    text = workflow.read_text().replace("name: template\n", "name: ours\n", 1)
    workflow.write_text(text.replace('"17 5 * * 1"', '"30 6 * * 2"'))
    commit(many, "Services")

    copier("update", "--quiet", "--defaults", "--trust", "--vcs-ref", NEXT, cwd=service)

    moved = service / WORKFLOWS / "template-version.yml"
    assert not workflow.exists()
    assert unmerged_paths(many) == f"services/churn/{WORKFLOWS}/template-version.yml\n"
    assert "name: ours\n=======\nname: template-version\n" in re.sub(
        r"\|{7}.*?(?=={7})", "", moved.read_text(), flags=re.S
    )
    assert '"30 6 * * 2"' in moved.read_text()


@pytest.mark.service
def test_make_update_says_how_to_agree_to_a_migration(tmp_path: Path) -> None:
    """Its last words are one line with what to read and what to type; nothing is touched."""
    service = copy(repository(tmp_path / "template"), tmp_path / "service", CHURN, ref=BEFORE)
    commit(service, "Service")

    updated = run(["make", "update"], cwd=service, seconds=600)

    assert updated.returncode != 0
    (line,) = (line for line in updated.stderr.splitlines() if "COPIER_FLAGS=--trust" in line)
    assert "changelog" in line
    assert git("status", "--porcelain", cwd=service) == ""


def test_copying_needs_no_trust_and_no_tag(tmp_path: Path) -> None:
    """A checkout without any release renders as one with them does."""
    template = snapshot(tmp_path / "template", tag="v1.0.0")
    tagged = copy(template, tmp_path / "tagged", CHURN, ref="v1.0.0")
    git("tag", "--delete", "v1.0.0", cwd=template)

    untagged = copy(template, tmp_path / "untagged", CHURN, ref="HEAD")

    answers = Path(".copier-answers.yml")
    found, expected = (
        Rendering(VARIANTS["churn"], service).contents() for service in (untagged, tagged)
    )
    assert yaml.safe_load(found.pop(answers)).items() >= CHURN.items()
    assert expected.pop(answers)
    assert found == expected


@pytest.mark.service
def test_an_update_that_crosses_no_migration_needs_no_trust(tmp_path: Path) -> None:
    """Whoever starts after the last migration never hears of trust, whatever is released."""
    template = snapshot(tmp_path / "template", tag="v1.0.0")
    service = copy(template, tmp_path / "service", CHURN, ref="v1.0.0")
    commit(service, "Service")
    (template / "template/docs/retention.md.jinja").write_text("Of {{ service_name }}.\n")
    commit(template, "Retention", tag="v1.1.0")

    copier("update", "--quiet", "--defaults", cwd=service)

    assert (service / "docs/retention.md").read_text() == "Of churn.\n"
    changed = git("status", "--porcelain", "--untracked-files=all", cwd=service).split("\n")
    assert sorted(filter(None, changed)) == [" M .copier-answers.yml", "?? docs/retention.md"]


def test_the_versions_that_need_trust_are_named(default: Rendering) -> None:
    """The changelog says it first of all of such a version, and of no other; services say which."""
    sections = re.findall(
        r"^## (\S+)\n\n(.*?)(?=\n\n)", (ROOT / "CHANGELOG.md").read_text(), re.M | re.S
    )
    needing = {Version(migration.version) for migration in migrations()}

    named = {Version(name) for name, first in sections if first.startswith("Updating to it needs")}

    assert named == needing
    assert {Version(name) for name, _ in sections} >= {Version(name) for name in RELEASES}
    for version in needing:
        assert f" {version}" in default.text("docs/ownership.md")
