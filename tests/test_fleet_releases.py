"""Real releases of the template, taken over by a fleet: exactly what `copier update` would do."""

import pytest
from support.fleets import Fleet, Template, contents, dirty, edit, new_fleet
from support.processes import BIN, run
from support.releases import NEXT, repository
from support.repositories import commit, git

pytestmark = pytest.mark.service

FIRST = "v0.2.0"
OLD, NEW = ".github/workflows/template.yml", ".github/workflows/template-version.yml"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Fleet:
    """A fleet of two services at FIRST; the file of one that a later release renames is edited."""
    root = tmp_path_factory.mktemp("releases")
    fleet = new_fleet(root / "fleet", Template(repository(root / "template")), version=FIRST)
    fleet.add("plain", models=["price"])
    edited = fleet.add("edited", models=["price"], ci="github")
    assert fleet.apply().code == 0
    edit(edited / OLD, "timeout-minutes: 10", "timeout-minutes: 20")
    commit(edited, "The team's edit")
    fleet.want(NEXT)
    return fleet


def test_a_release_is_taken_over_as_by_copier(fleet: Fleet) -> None:
    """Migrations wait for trust; then each service is, byte for byte, as Copier updates it."""
    copies = {name: fleet.root.parent / "copies" / name for name in ("plain", "edited")}
    for name, folder in copies.items():
        git("clone", "--quiet", str(fleet.root / name), str(folder), cwd=fleet.root)
        update = ["update", "--defaults", "--quiet", "--trust", "--vcs-ref", NEXT]
        done = run([BIN / "copier", *update], cwd=folder, seconds=600)
        assert done.returncode == 0, done.stderr

    refused = fleet.apply()
    applied = fleet.apply("--trust")

    assert set(refused.states.values()) == {"needs trust"}
    assert refused.code == 3
    assert applied.states == {"plain": "update", "edited": "update"}
    assert applied.changes("edited").items() >= {OLD: "D", NEW: "A"}.items()
    assert applied.services["edited"]["lost"] == []
    assert "timeout-minutes: 20" in (fleet.root / "edited" / NEW).read_text()
    for name, folder in copies.items():
        assert contents(fleet.root / name) == contents(folder)
        assert dirty(fleet.root / name) == dirty(folder)
