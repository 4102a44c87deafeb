"""The fleet file: what it means, and every error that it may have, with its line."""

from pathlib import Path
from textwrap import dedent

import pytest

from stampede import yaml_file
from stampede.errors import FleetError, UsageError
from stampede.fleet import Fleet, read

HEAD = "template: {source: ../template, version: v1.0.0}\n"
GOOD = (
    HEAD
    + """\
defaults: {ci: gitlab, models: [a, b]}
services:
  - {path: services/house-prices, answers: {service_name: house-prices}}
  - path: ./services/churn
    answers_file: churn.yml
    version: v0.9.0
    groups: [retail, risk]
"""
)
# What follows HEAD, and the errors.
WRONG = {
    "no-services": ("services: []", ["2: services: must list at least one service"]),
    "not-a-mapping": ("services: [churn]", ["2: must be a mapping"]),
    "unknown-key": (
        "service: []\nservices: [{path: a, answers: {service_name: a}}]",
        ["2: service: is not a key here; known are template, defaults, services"],
    ),
    "everything-at-once": (
        """\
        defaults: [ci]
        services:
          - {path: a, pth: b, answers: {service_name: a}}
          - {path: 7, answers: {service_name: b}}
          - {answers: {service_name: c}}
          - {path: d, version: 1.2, answers: {service_name: d}}
          - {path: e, groups: [1], answers: {service_name: e}}
          - {path: f}
          - {path: g, answers: {service_name: g}, answers_file: churn.yml}
          - {path: h, answers_file: missing.yml}
          - {path: i, answers: {ci: gitlab}}
        """,
        [
            "2: defaults: must be a mapping, not ['ci']",
            "4: a: pth: is not a key here; known are path, answers, answers_file, version, groups",
            "5: path: must be text (quote it), not 7",
            "6: path: is missing",
            "7: d: version: must be text (quote it), not 1.2",
            "8: e: groups: must be a list of names",
            "9: f: must have either answers or answers_file",
            "10: g: must have either answers or answers_file",
            "missing.yml: No such file or directory",
            "12: i: service_name: must be among the answers",
        ],
    ),
    "the-same-twice": (
        """\
        services:
          - {path: a, answers: {service_name: one}}
          - {path: ./a/, answers: {service_name: two}}
          - {path: b, answers: {service_name: one}}
          - {path: b/c, answers: {service_name: three}}
        """,
        [
            "5: b: service_name: is also the name of a",
            "4: ./a/: path: is also the path of a (one)",
            "6: b/c: path: is within the path of b (one)",
        ],
    ),
    "a-name-for-all": (
        "defaults: {service_name: a}\nservices: [{path: a, answers: {service_name: a}}]",
        ["2: defaults.service_name: belongs to the answers of a service, not to the defaults"],
    ),
    "duplicate-key": ("services: []\nservices: []", ["3: the key 'services' stands here twice"]),
    "no-yaml": ("services: [", ["3: is no YAML: did not find expected node content"]),
    "a-tag": ("services: !!python/name:os.system", ["2: is no YAML: could not determine"]),
    "within-itself": ("services: &s [*s]", ["nested more than 100 deep, or within itself"]),
    "too-deep": (f"services: {'[' * 200}{']' * 200}", ["nested more than 100 deep"]),
    "a-bomb": (
        "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
        + "".join(
            f"{name}: &{name} [{', '.join([f'*{chr(ord(name) - 1)}'] * 10)}]\n"
            for name in "bcdefghi"
        ),
        ["7: stands for more than 1,000,000 values"],
    ),
}


def written(folder: Path, text: str) -> Path:
    file = folder / "fleets/fleet.yml"
    file.parent.mkdir()
    file.write_text(text)
    (file.parent / "churn.yml").write_text("service_name: churn\nmodels: [churn]\n")
    return file


@pytest.fixture
def good(tmp_path: Path) -> Fleet:
    return read(written(tmp_path, GOOD))


def test_paths_are_relative_to_the_fleet_file(good: Fleet, tmp_path: Path) -> None:
    """Wherever the command is started, the template, services and answers files are the same."""
    assert good.findings == ()
    assert good.source == str(tmp_path / "template")
    assert [service.path for service in good.services] == [
        tmp_path / "fleets/services/house-prices",
        tmp_path / "fleets/services/churn",
    ]
    assert good.services[1].answers == {"service_name": "churn", "models": ["churn"]}


@pytest.mark.parametrize("source", ["https://git.example.com/t.git", "git@host:ml/t.git", "gh:a/b"])
def test_a_url_stays_as_it_is_written(source: str, tmp_path: Path) -> None:
    """What has a colon before the first slash is a URL, as it is to git."""
    fleet = read(written(tmp_path, GOOD.replace("../template", source)))

    assert fleet.source == source


def test_a_service_has_a_version_of_its_own_if_it_says_so(good: Fleet) -> None:
    """The fleet's version is for the others."""
    assert [service.version for service in good.services] == ["v1.0.0", "v0.9.0"]


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        ([], ["house-prices", "churn"]),
        (["services/churn"], ["churn"]),
        (["./services/churn/"], ["churn"]),
        (["house-prices"], ["house-prices"]),
        (["risk"], ["churn"]),
        (["retail", "house-prices"], ["house-prices", "churn"]),
    ],
)
def test_only_takes_paths_names_and_groups(
    good: Fleet, wanted: list[str], names: list[str]
) -> None:
    """Each of them alone, or several together, in the fleet's order."""
    assert [service.name for service in good.only(wanted)] == names


def test_only_refuses_what_it_does_not_know(good: Fleet) -> None:
    """A misspelt group is no empty fleet."""
    with pytest.raises(UsageError, match="--only retial: no service has this path, name or group"):
        good.only(["churn", "retial"])


@pytest.mark.parametrize("name", WRONG)
def test_all_errors_are_told_with_their_lines(name: str, tmp_path: Path) -> None:
    """Each error names its line, its service and the rule; none hides the others."""
    text, expected = WRONG[name]
    file = written(tmp_path, HEAD + dedent(text) + "\n")

    try:
        findings = list(read(file).findings)
    except FleetError as error:
        findings = error.findings

    told = [str(finding) for finding in findings]
    assert len(told) == len(expected)
    for line, words in zip(told, expected, strict=True):
        assert words in line
        assert line.startswith(("fleet.yml:", "missing.yml"))


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    """Ten megabytes are no fleet file."""
    file = tmp_path / "fleet.yml"
    file.write_text("#" * (yaml_file.MAX_BYTES + 1))

    with pytest.raises(FleetError, match="is larger than 10,000,000 bytes"):
        read(file)


def test_anchors_and_merge_keys_are_fine(tmp_path: Path) -> None:
    """YAML's own way to say something once works."""
    text = (
        HEAD
        + "services:\n"
        + "  - {path: a, answers: &a {service_name: a, ci: github}}\n"
        + "  - {path: b, answers: {<<: *a, service_name: b}}\n"
    )

    fleet = read(written(tmp_path, text))

    assert fleet.findings == ()
    assert fleet.services[1].answers == {"service_name": "b", "ci": "github"}
