"""Pins as edits of an overlay: `make promote` and `make rollback`, in a repository of their own."""

from pathlib import Path

import pytest
from conftest import Render
from support.processes import run, succeed
from support.variants import DEFAULTS

CONFIG = "deploy/overlays/prod/config.env"
FIRST, SECOND, OTHER = (f"sha256:{digit * 64}" for digit in "123")


@pytest.fixture
def service(render: Render) -> Path:
    """Return a default service, committed."""
    root = render(DEFAULTS).root
    succeed(["git", "init", "--quiet"], cwd=root)
    _commit(root)
    return root


def _commit(root: Path) -> None:
    succeed(["git", "add", "--all"], cwd=root)
    succeed(["git", "commit", "--quiet", "--message", "a change"], cwd=root)


def _promote(root: Path, model: str, digest: str) -> str:
    return succeed(["make", "--silent", "promote", f"MODEL={model}", f"DIGEST={digest}"], cwd=root)


def _pins(root: Path) -> dict[str, str]:
    lines = (root / CONFIG).read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("MODEL_DIGESTS="))
    pairs = line.removeprefix("MODEL_DIGESTS=").split(",")
    return dict(pair.split("=") for pair in pairs)


def test_a_promotion_changes_one_line_and_one_model(service: Path) -> None:
    """The diff to review is the pin, and what else is pinned stays pinned."""
    _promote(service, "iris", OTHER)
    _commit(service)

    said = _promote(service, "progression", FIRST)

    assert said == f"{CONFIG}: progression={FIRST} (before: not pinned)\n"
    assert _pins(service) == {"iris": OTHER, "progression": FIRST}
    changed = succeed(["git", "diff", "--numstat"], cwd=service)
    assert changed.split() == ["1", "1", CONFIG]
    assert "already" in _promote(service, "progression", FIRST)


def test_a_rollback_brings_back_the_former_pin(service: Path) -> None:
    """From git's history of the overlay, whatever else was committed between."""
    for digest in (FIRST, SECOND):
        _promote(service, "progression", digest)
        _commit(service)
    _promote(service, "iris", OTHER)
    _commit(service)
    rollback = ["make", "--silent", "rollback", "MODEL=progression"]

    succeed(rollback, cwd=service)
    assert _pins(service) == {"iris": OTHER, "progression": FIRST}

    _commit(service)
    succeed(rollback, cwd=service)
    assert _pins(service) == {"iris": OTHER, "progression": SECOND}


@pytest.mark.parametrize(
    ("words", "code", "reason"),
    [
        (["promote", "prod", "progression"], 2, "usage: "),
        (["promote", "prod", "progression", "sha256:abc"], 1, "is no digest"),
        (["promote", "prod", "no_such_model", FIRST], 1, "there is no model no_such_model"),
        (["promote", "no-such-overlay", "progression", FIRST], 1, "does not exist"),
        (["rollback", "prod", "progression"], 1, "git knows no other pin of progression"),
    ],
)
def test_what_cannot_be_pinned_is_told_and_changes_nothing(
    service: Path, words: list[str], code: int, reason: str
) -> None:
    """1 is failed, 2 is called wrongly, and the overlay stays as it was."""
    done = run(["deploy/pin.sh", *words], cwd=service)

    assert done.returncode == code
    assert reason in done.stderr
    assert succeed(["git", "status", "--porcelain"], cwd=service) == ""
