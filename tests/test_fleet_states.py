"""Plan and apply on a fleet with every kind of service: what is announced is what is done."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from support.fleets import Done, Fleet, Template, contents, dirty, edit, new_fleet, small_template
from support.repositories import commit, git

# One scene for all of them: they stay with one worker.
pytestmark = [pytest.mark.service, pytest.mark.xdist_group("fleet-states")]

NEW_ALPHA = "".join(f"line {n}\n" if n != 10 else "by the template\n" for n in range(1, 21))
STAMPED = {
    ".copier-answers.yml",
    ".gitignore",
    "README.md",
    "alpha.txt",
    "beta.txt",
    "price.txt",
    "run.sh",
    "team/notes.md",
}
UPDATED = {".copier-answers.yml": "M", "alpha.txt": "M", "beta.txt": "D", "gamma.txt": "A"}
STATES = {
    "s/new": "create",
    "s/clean": "update",
    "s/near": "update",
    "s/clash": "conflict",
    "s/deleted": "would lose edits",
    "s/removed": "would lose edits",
    "s/answers": "update",
    "s/dirty": "dirty",
    "s/hidden": "dirty",
    "s/pinned": "up to date",
    "s/bad": "failed",
    "s/uncommitted": "dirty",
}


@dataclass
class Scene:
    """A fleet, and what the commands said about it."""

    fleet: Fleet
    before: dict[str, bytes]
    planned: Done
    after_plan: dict[str, bytes]
    applied: Done


def edited(folder: Path, name: str, old: str, new: str) -> None:
    edit(folder / name, old, new)
    commit(folder, "The team's edit")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """A template with two releases; the second changes, adds and deletes a file."""
    template = small_template(tmp_path_factory.mktemp("small") / "template")
    template.release("v1.1.0", {"alpha.txt": NEW_ALPHA, "beta.txt": None, "gamma.txt": "gamma\n"})
    return template


@pytest.fixture(scope="module")
def scene(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Scene:
    fleet = new_fleet(tmp_path_factory.mktemp("scene") / "fleet", template)
    for path in STATES:
        if path != "s/new":
            fleet.add(path, models=["price", "rent"] if path == "s/removed" else ["price"])
    assert fleet.apply().code == 0
    services = fleet.root / "s"
    edited(services / "near", "alpha.txt", "line 2\n", "by the team\n")
    edited(services / "clash", "alpha.txt", "line 10\n", "by the team\n")
    edited(services / "deleted", "beta.txt", "beta", "by the team")
    edited(services / "removed", "rent.txt", "rent", "by the team")
    edited(services / "hidden", ".gitignore", "*.log", "gamma.txt")
    edit(services / "dirty/beta.txt", "beta", "by a person")
    (services / "hidden/gamma.txt").write_text("a person's own\n")
    git("rm", "--cached", "-r", "--quiet", ".", cwd=services / "uncommitted")
    git("commit", "--quiet", "--allow-empty", "--message", "Nothing", cwd=services / "uncommitted")
    entries = {entry["path"]: entry for entry in fleet.content["services"]}
    entries["s/removed"]["answers"]["models"] = ["price"]
    entries["s/answers"] |= {"version": "v1.0.0"}
    entries["s/answers"]["answers"]["size"] = 3
    entries["s/pinned"]["version"] = "v1.0.0"
    entries["s/bad"]["answers"] |= {"size": 0, "sizes": 1}
    fleet.add("s/new")
    fleet.want("latest")
    before = contents(fleet.root)
    planned = fleet.run("plan", "--diff")
    return Scene(fleet, before, planned, contents(fleet.root), fleet.apply())


def test_plan_tells_every_state(scene: Scene) -> None:
    """Each service is in the state that its history has brought it to."""
    assert scene.planned.states == STATES
    assert scene.planned.code == 1


def test_plan_touches_nothing(scene: Scene) -> None:
    """Not a byte of the fleet's folder is other than before."""
    assert scene.after_plan == scene.before


def test_apply_does_what_plan_said_and_only_that(scene: Scene) -> None:
    """State, versions, files and letters are the same, and so is what happened to the files."""
    assert scene.applied.states == STATES
    assert scene.applied.code == 1
    for path, service in scene.planned.services.items():
        for key in ("changes", "lost", "version", "target", "message", "findings"):
            assert scene.applied.services[path][key] == service[key], (path, key)
    after = contents(scene.fleet.root)
    happened: dict[str, dict[str, str]] = {path: {} for path in STATES}
    for name in sorted(scene.before.keys() | after.keys()):
        path = "/".join(name.split("/")[:2])
        if path in STATES and scene.before.get(name) != after.get(name):
            letter = "D" if name not in after else "M" if name in scene.before else "A"
            happened[path][name.removeprefix(f"{path}/")] = letter
    for path in STATES:
        applied = scene.applied.services[path]["applied"]
        announced = scene.planned.changes(path) if applied else {}
        assert happened[path] == {
            name: "M" if letter == "C" else letter for name, letter in announced.items()
        }, path


def test_a_new_service_is_a_repository_of_its_own(scene: Scene) -> None:
    """Outside any repository it becomes one, or Copier could never update it."""
    folder = scene.fleet.root / "s/new"

    assert scene.planned.changes("s/new") == dict.fromkeys(
        STAMPED - {"beta.txt"} | {"gamma.txt"}, "A"
    )
    assert git("log", "--format=%s", cwd=folder) == "Stamp new to v1.1.0\n"
    assert dirty(folder) == ""
    assert (folder / "run.sh").stat().st_mode & 0o111


def test_an_update_is_left_to_review(scene: Scene) -> None:
    """Without --commit the work tree has the update, as after `copier update`."""
    assert scene.planned.changes("s/clean") == UPDATED
    assert dirty(scene.fleet.root / "s/clean") == (
        " M .copier-answers.yml\n M alpha.txt\n D beta.txt\n?? gamma.txt\n"
    )
    assert (scene.fleet.root / "s/near/alpha.txt").read_text() == NEW_ALPHA.replace(
        "line 2\n", "by the team\n"
    )


def test_a_conflict_is_one_to_git(scene: Scene) -> None:
    """Both sides are in the file, and git knows that it is unmerged."""
    folder = scene.fleet.root / "s/clash"

    assert scene.planned.changes("s/clash") == UPDATED | {"alpha.txt": "C"}
    text = (folder / "alpha.txt").read_text()
    assert "by the team\n" in text
    assert "by the template\n" in text
    assert git("diff", "--name-only", "--diff-filter=U", cwd=folder) == "alpha.txt\n"
    for stage, line in ((1, "line 10"), (2, "by the team"), (3, "by the template")):
        assert line in git("show", f":{stage}:alpha.txt", cwd=folder)


def test_edits_that_would_go_stop_an_update(scene: Scene) -> None:
    """A file that the template deletes, or a model that the answers drop, keeps the team's edit."""
    assert scene.planned.services["s/deleted"]["lost"] == ["beta.txt"]
    assert scene.planned.services["s/removed"]["lost"] == ["rent.txt"]
    assert not scene.applied.services["s/deleted"]["applied"]
    assert (scene.fleet.root / "s/deleted/beta.txt").read_text() == "by the team\n"
    assert (scene.fleet.root / "s/removed/rent.txt").read_text() == "by the team\n"


def test_what_git_does_not_know_is_not_written_over(scene: Scene) -> None:
    """Nobody could bring back an ignored file, or one that was never committed."""
    messages = {path: found["message"] for path, found in scene.planned.services.items()}

    assert "has a gamma.txt that git ignores" in messages["s/hidden"]
    assert "changes that are not committed (beta.txt)" in messages["s/dirty"]
    assert "not committed" in messages["s/uncommitted"]
    assert (scene.fleet.root / "s/hidden/gamma.txt").read_text() == "a person's own\n"


def test_other_answers_are_an_update_at_the_same_version(scene: Scene) -> None:
    """What an answer decides changes, and nothing else."""
    assert scene.planned.changes("s/answers") == {".copier-answers.yml": "M", "README.md": "M"}
    assert "Size 3" in (scene.fleet.root / "s/answers/README.md").read_text()


def test_bad_answers_are_told_all_at_once_with_their_lines(scene: Scene) -> None:
    """... and stop their own service alone."""
    lines = scene.fleet.file.read_text().splitlines()

    found = scene.planned.services["s/bad"]["findings"]
    assert [(finding["question"], finding["rule"]) for finding in found] == [
        ("sizes", "is no question of the template; did you mean size?"),
        ("size", "too small"),
    ]
    for finding in found:
        name, _, number = finding["place"].partition(":")
        assert name == "fleet.yml"
        assert lines[int(number) - 1].strip() == f"{finding['question']}: {finding['value']}"


def test_a_diff_shows_the_lines(scene: Scene) -> None:
    """`plan --diff` has what changes, and what is new."""
    assert "+by the template\n" in scene.planned.services["s/clean"]["diff"]
    assert "+# new\n" in scene.planned.services["s/new"]["diff"]
    assert scene.planned.services["s/pinned"]["diff"] == ""


def test_nothing_is_left_behind(scene: Scene) -> None:
    """No staging folder, no journal."""
    assert {path.name for path in (scene.fleet.root / "s").iterdir()} == {
        path.removeprefix("s/") for path in STATES
    }
    assert list(scene.fleet.root.glob("s/*/.git/stampede/**/*")) == []


def test_what_was_applied_is_up_to_date_and_a_conflict_stays_one(scene: Scene) -> None:
    """A second apply changes nothing; a conflict awaits its person until it is resolved."""
    before = contents(scene.fleet.root)
    applied = [path for path, found in scene.applied.services.items() if found["applied"]]

    again = scene.fleet.apply("--only", "s/clash", *(f"--only={path}" for path in applied))

    assert contents(scene.fleet.root) == before
    assert again.code == 3
    assert again.states == {
        path: "conflict" if path == "s/clash" else "up to date" for path in applied
    } | {"s/clash": "conflict"}
    assert "resolve them" in again.services["s/clash"]["message"]


def test_force_gives_up_the_edits_which_stay_in_the_history(scene: Scene) -> None:
    """The file goes, the commit that has it stays."""
    folder = scene.fleet.root / "s/deleted"

    forced = scene.fleet.apply("--only", "s/deleted", "--force")

    assert forced.code == 0
    assert forced.services["s/deleted"]["applied"]
    assert not (folder / "beta.txt").exists()
    assert git("show", "HEAD:beta.txt", cwd=folder) == "by the team\n"
