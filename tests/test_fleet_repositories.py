"""Where services live: one repository for all, or one each; branches, commits, URLs, locks."""

import shutil
import tomllib
from pathlib import Path

import pytest
import yaml
from support.fleets import Fleet, Template, contents, dirty, edit, new_fleet, small_template
from support.processes import BIN, UV, run
from support.repositories import commit, copy, git

pytestmark = pytest.mark.service

CHANGED = "".join(f"line {n}\n" if n != 10 else "by the template\n" for n in range(1, 21))
PROJECT = """\
[project]
name = "{{ service_name }}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = ["{{ 'packaging>=25' if size == 1 else 'platformdirs>=4' }}"]
"""


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    template = small_template(tmp_path_factory.mktemp("small") / "template")
    template.release("v1.1.0", {"alpha.txt": CHANGED, "gamma.txt": "gamma\n"})
    return template


@pytest.fixture
def monorepo(template: Template, tmp_path: Path) -> Fleet:
    """A repository with the fleet file, ten services of v1.0.0 and a file of its own."""
    fleet = new_fleet(tmp_path / "fleet", template)
    for number in range(10):
        fleet.add(f"services/s{number}")
    (fleet.root / "README.md").write_text("Ours.\n")
    commit(fleet.root, "A fleet")
    assert fleet.apply("--jobs", "4").code == 0
    commit(fleet.root, "Services")
    fleet.want("v1.1.0")
    commit(fleet.root, "v1.1.0")
    return fleet


def test_services_of_one_repository_are_updated_side_by_side(monorepo: Fleet) -> None:
    """Each touches its own folder; each is a commit of its own, and nothing else is in it."""
    services = monorepo.root / "services"
    assert not list(services.glob("*/.git"))
    edit(services / "s1/alpha.txt", "line 10\n", "by the team\n")
    commit(monorepo.root, "The team's edit")
    (monorepo.root / "README.md").write_text("Being edited.\n")
    edit(services / "s2/beta.txt", "beta", "by a person")

    applied = monorepo.apply("--commit", "--jobs", "4")

    assert applied.code == 3
    assert {path.removeprefix("services/"): state for path, state in applied.states.items()} == {
        f"s{number}": {1: "conflict", 2: "dirty"}.get(number, "update") for number in range(10)
    }
    assert not applied.services["services/s1"]["applied"]
    assert dirty(monorepo.root) == " M README.md\n M services/s2/beta.txt\n"
    log = git("log", "-8", "--format=%s", "--name-only", cwd=monorepo.root)
    for number in (0, *range(3, 10)):
        assert f"Update s{number} to v1.1.0\n\n" in log
        assert f"services/s{number}/gamma.txt\n" in log
    assert "README.md" not in log


def test_conflicts_in_one_repository_are_known_to_its_index(monorepo: Fleet) -> None:
    """Several services at once leave their conflicts as a merge would, and lose none."""
    for number in range(4):
        alpha = monorepo.root / f"services/s{number}/alpha.txt"
        edit(alpha, "line 10\n", f"by team {number}\n")
    commit(monorepo.root, "The teams' edits")

    assert monorepo.apply("--jobs", "4").code == 3

    unmerged = git("diff", "--name-only", "--diff-filter=U", cwd=monorepo.root)
    assert unmerged.splitlines() == [f"services/s{number}/alpha.txt" for number in range(4)]


def test_a_branch_gets_the_update_and_the_checkout_stays(monorepo: Fleet) -> None:
    """Neither the work tree, the index nor HEAD knows of it; a second apply has nothing to do."""
    monorepo.add("services/new")
    commit(monorepo.root, "A service more")
    (monorepo.root / "services/s3/beta.txt").write_text("being edited\n")
    before, head = contents(monorepo.root), git("rev-parse", "HEAD", cwd=monorepo.root)
    status = dirty(monorepo.root)

    planned = monorepo.run("plan", "--branch", "stampede/v1.1.0")
    applied = monorepo.apply("--branch", "stampede/v1.1.0", "--jobs", "4")
    again = monorepo.apply("--branch", "stampede/v1.1.0")

    assert planned.states == applied.states
    assert planned.code == 3
    assert set(applied.states.values()) == {"create", "update"}
    assert applied.code == again.code == 0
    assert set(again.states.values()) == {"up to date"}
    assert contents(monorepo.root) == before
    assert git("rev-parse", "HEAD", cwd=monorepo.root) == head
    assert dirty(monorepo.root) == status
    listed = git("diff", "--name-status", "HEAD", "stampede/v1.1.0", cwd=monorepo.root)
    changed = {line.split("\t")[1]: line[0] for line in listed.splitlines()}
    assert changed == {
        f"{path}/{change['path']}": change["letter"]
        for path, service in applied.services.items()
        for change in service["changes"]
    }
    assert len(git("rev-list", "HEAD..stampede/v1.1.0", cwd=monorepo.root).split()) == 11


def test_a_branch_that_is_checked_out_is_not_moved(monorepo: Fleet) -> None:
    """Its work tree would be behind it without anybody having touched it."""
    branch = git("branch", "--show-current", cwd=monorepo.root).strip()

    refused = monorepo.apply("--branch", branch, "--only", "s1")

    assert refused.code == 3
    assert "is checked out" in refused.services["services/s1"]["message"]
    assert monorepo.text("apply", "--branch", "no..name").returncode == 2
    assert monorepo.text("apply", "--branch", "x", "--commit").returncode == 2


def test_a_folder_that_its_repository_ignores_gets_one_of_its_own(
    template: Template, tmp_path: Path
) -> None:
    """Nobody would commit it otherwise, and Copier could never update it."""
    fleet = new_fleet(tmp_path / "fleet", template)
    folder = fleet.add("build/one")
    (fleet.root / ".gitignore").write_text("/build/\n")
    commit(fleet.root, "A fleet")

    assert fleet.apply().code == 0

    assert git("rev-parse", "--show-toplevel", cwd=folder).strip() == str(folder)
    fleet.want("v1.1.0")
    assert fleet.apply("--commit").states == {"build/one": "update"}
    assert dirty(folder) == ""


def test_a_url_is_read_from_one_mirror_and_recorded_as_it_is(
    template: Template, tmp_path: Path
) -> None:
    """Copier reads the copy that the run has fetched, and records where it really came from."""
    url = "https://git.example.com/ml/template.git"
    bare = tmp_path / "served.git"
    git("clone", "--quiet", "--bare", str(template.root), str(bare), cwd=tmp_path)
    fleet = new_fleet(tmp_path / "fleet", template)
    folder = fleet.add("s/one")
    fleet.content["template"]["source"] = url
    fleet.write()
    served = {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{bare}.insteadOf",
        "GIT_CONFIG_VALUE_0": url,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in served.items():
            patch.setenv(name, value)
        created = fleet.apply()
        fleet.want("v1.1.0")
        updated = fleet.apply()

    assert created.states == {"s/one": "create"}
    assert updated.states == {"s/one": "update"}
    answers = yaml.safe_load((folder / ".copier-answers.yml").read_text())
    assert (answers["_src_path"], answers["_commit"]) == (url, "v1.1.0")
    assert len(list((tmp_path / "cache/stampede").glob("*.git"))) == 1


def test_a_service_from_elsewhere_moves_to_the_fleet_s_template(
    template: Template, tmp_path: Path
) -> None:
    """A service that Copier made from another clone of the template becomes one of the fleet."""
    other = tmp_path / "other"
    git("clone", "--quiet", str(template.root), str(other), cwd=tmp_path)
    fleet = new_fleet(tmp_path / "fleet", template)
    folder = fleet.add("one")
    copy(other, folder, {"service_name": "one"}, ref="v1.0.0")
    commit(folder, "Service")

    seen = fleet.run("status")
    moved = fleet.apply()

    (difference,) = seen.services["one"]["differences"]
    assert difference["question"] == "_src_path"
    assert moved.changes("one") == {".copier-answers.yml": "M"}
    assert fleet.apply().states == {"one": "up to date"}


def test_the_answers_of_a_service_are_the_fleet_s_and_the_template_s(
    template: Template, tmp_path: Path
) -> None:
    """An answer that the fleet file no longer gives is the template's default again."""
    fleet = new_fleet(tmp_path / "fleet", template)
    folder = fleet.add("one", size=5, ci="github")
    assert fleet.apply().code == 0
    del fleet.content["services"][0]["answers"]["size"]
    fleet.write()

    seen = fleet.run("status")
    assert fleet.apply().code == 0

    assert seen.code == 3
    assert seen.services["one"]["differences"] == [
        {"question": "size", "recorded": "5", "wanted": "1"}
    ]
    assert "Size 1, github." in (folder / "README.md").read_text()


def test_a_template_without_a_release_is_taken_as_it_is(tmp_path: Path) -> None:
    """`latest` is then what is committed, as with Copier; uncommitted changes are not stamped."""
    template = small_template(tmp_path / "template")
    git("tag", "--delete", "v1.0.0", cwd=template.root)
    (template.root / "template/alpha.txt").write_text("being edited\n")
    fleet = new_fleet(tmp_path / "fleet", template, version="latest")
    folder = fleet.add("one")

    assert fleet.apply().states == {"one": "create"}
    assert fleet.apply().states == {"one": "up to date"}
    assert "being edited" not in (folder / "alpha.txt").read_text()
    commit(template.root, "Edited")
    assert fleet.apply().states == {"one": "update"}
    assert (folder / "alpha.txt").read_text() == "being edited\n"


def test_an_edit_that_copier_would_overwrite_in_silence_stops_the_update(tmp_path: Path) -> None:
    """Its merge cannot read binary files, and leaves the template's; the text beside is merged."""
    template = small_template(tmp_path / "template")
    (template.root / "template/logo.bin").write_bytes(bytes(range(256)))
    template.release("v1.0.1", {})
    fleet = new_fleet(tmp_path / "fleet", template, version="v1.0.1")
    folder = fleet.add("one")
    assert fleet.apply().code == 0
    logo = bytes(reversed(range(256)))
    (folder / "logo.bin").write_bytes(logo)
    edit(folder / "alpha.txt", "line 2\n", "by the team\n")
    commit(folder, "The team's edits")
    template.release("v1.1.0", {"alpha.txt": CHANGED})
    fleet.want("v1.1.0")

    applied = fleet.apply()

    assert applied.code == 3
    assert applied.states == {"one": "would lose edits"}
    assert applied.services["one"]["lost"] == ["logo.bin"]
    assert (folder / "logo.bin").read_bytes() == logo


def test_status_shows_what_the_team_changed(template: Template, tmp_path: Path) -> None:
    """The template's files that are other than it wrote them; the team's own are theirs."""
    fleet = new_fleet(tmp_path / "fleet", template)
    folder = fleet.add("one")
    assert fleet.apply().code == 0
    edit(folder / "alpha.txt", "line 3", "<b>")
    (folder / "beta.txt").unlink()
    (folder / "team/notes.md").write_text("ours\n")
    page = tmp_path / "status.html"

    seen = fleet.run("status", "--html", page)
    table = fleet.text("status").stdout

    assert seen.code == 0
    assert [(change["letter"], change["path"]) for change in seen.services["one"]["edited"]] == [
        ("M", "alpha.txt"),
        ("D", "beta.txt"),
    ]
    assert "M alpha.txt" in table
    html = page.read_text()
    assert "<code>alpha.txt</code>" in html
    assert "up to date" in html
    assert "http" not in html.replace('"en"', "")


def test_same_dependencies_are_resolved_once(tmp_path: Path) -> None:
    """Each service gets the lock that uv would write for it; only different sets are resolved."""
    template = small_template(tmp_path / "template")
    template.release("v1.1.0", {"pyproject.toml.jinja": PROJECT})
    fleet = new_fleet(tmp_path / "fleet", template, version="v1.1.0")
    names = ["zebra", "apple", "quince"]
    folders = [fleet.add(name) for name in names]
    other = fleet.add("other", size=2)
    log = tmp_path / "calls"
    wrapper = tmp_path / "uv"
    wrapper.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec {UV} "$@"\n')
    wrapper.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV", str(wrapper))
        applied = fleet.run("apply", "--jobs", "2")

    assert applied.code == 0, applied.document
    assert all(service["locked"] for service in applied.services.values())
    calls = log.read_text().splitlines()
    assert calls.count("lock --quiet") == 2
    for folder in (*folders, other):
        assert dirty(folder) == ""
        lock = (folder / "uv.lock").read_text()
        assert folder.name in [package["name"] for package in tomllib.loads(lock)["package"]]
        (folder / "uv.lock").unlink()
        assert run([UV, "lock", "--quiet"], cwd=folder).returncode == 0
        assert (folder / "uv.lock").read_text() == lock


def test_an_update_renews_the_lock_with_the_rest(tmp_path: Path) -> None:
    """The lock is part of the change, although it is no file of the template's."""
    template = small_template(tmp_path / "template")
    template.release("v1.1.0", {"pyproject.toml.jinja": PROJECT})
    fleet = new_fleet(tmp_path / "fleet", template, version="v1.1.0")
    folder = fleet.add("one")
    assert fleet.run("apply").code == 0
    fleet.content["services"][0]["answers"]["size"] = 2
    fleet.write()

    planned, updated = fleet.run("plan"), fleet.run("apply", "--commit")

    assert updated.services["one"]["locked"]
    assert planned.changes("one") == updated.changes("one")
    assert "uv.lock" not in updated.changes("one")
    assert 'name = "platformdirs"' in (folder / "uv.lock").read_text()
    assert dirty(folder) == ""


def test_uv_is_asked_for_before_anything_is_done(template: Template, tmp_path: Path) -> None:
    """Whoever lacks it reads so, and of --no-lock, before the first service is made."""
    fleet = new_fleet(tmp_path / "fleet", template)
    fleet.add("one")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(shutil.which("git") or "git")

    without_uv = ["env", "-u", "UV", f"PATH={programs}"]
    done = run([*without_uv, BIN / "stampede", "apply", fleet.file], cwd=tmp_path)

    assert done.returncode == 1
    assert done.stderr == "stampede: uv is missing: install it, or give --no-lock\n"
    assert not (fleet.root / "one").exists()
