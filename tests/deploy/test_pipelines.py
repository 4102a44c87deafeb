"""The CI files: read by the linters of their platforms, and run where a platform can be had."""

import json
import re
import shutil
from pathlib import Path

import pytest
from conftest import Render
from support.processes import BIN, run, succeed
from support.renderings import Rendering
from support.repositories import commit, git
from support.tools import need
from support.variants import Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("pipelines")]

GITHUB_REGISTRY = {"registry": "ghcr.io/example", "model_source": "image"}
GITHUB = [
    Variant("github", {"ci": "github"}),
    Variant("github-ghcr", {"ci": "github", "auth": "api_key"} | GITHUB_REGISTRY),
]
# What the shell executor needs of the job's image is here.
SHELL = ["--shell-executor-no-image", "--force-shell-executor"]


@pytest.fixture(scope="module", params=GITHUB, ids=lambda variant: variant.name)
def github(request: pytest.FixtureRequest, render: Render) -> Rendering:
    return render(request.param)


@pytest.fixture(scope="module")
def gitlab(render: Render) -> Path:
    """Return a new service as a repository, with what its set-up writes."""
    root = render(Variant("gitlab", {"ci": "gitlab"})).root
    succeed(["make", "uv.lock", "schema"], cwd=root, seconds=300)
    commit(root, "Service")
    git("branch", "--move", "main", cwd=root)
    # What changed is seen against the branch that was pushed last.
    git("update-ref", "refs/remotes/origin/main", "HEAD", cwd=root)
    return root


def workflows(rendering: Rendering) -> list[Path]:
    found = sorted((rendering.root / ".github/workflows").glob("*.yml"))
    assert found
    return found


def test_actionlint_finds_nothing(github: Rendering) -> None:
    """Expressions, contexts and the scripts in the steps are right."""
    need("actionlint")
    succeed(["actionlint", "-no-color", *workflows(github)], cwd=github.root)


def test_zizmor_finds_nothing(github: Rendering) -> None:
    """No injection, no excess permission, no action that is not pinned by its commit."""
    audit = ["--offline", "--no-progress", "--persona=pedantic", "--min-severity=informational"]
    succeed([BIN / "zizmor", *audit, ".github"], cwd=github.root)


def test_workflows_fit_their_schema(github: Rendering) -> None:
    """GitHub would read them."""
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.github-workflows"]
    succeed([*check, *workflows(github)], cwd=github.root)


def test_the_gitlab_pipeline_fits_its_schema(gitlab: Path) -> None:
    """GitLab would read it."""
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.gitlab-ci"]
    files = [".gitlab-ci.yml", ".gitlab-ci.team.yml"]
    transform = ["--data-transform", "gitlab-ci"]
    succeed([*check, *transform, *files], cwd=gitlab)


@pytest.mark.parametrize("job", ["lint", "test", "schema", "sbom"])
def test_jobs_of_the_gitlab_pipeline_run(gitlab: Path, job: str) -> None:
    """A new service's own checks, lock included, are green in its pipeline."""
    need("gitlab-ci-local")
    state = ["--state-dir", ".gitlab-ci-local"]
    done = run(
        ["gitlab-ci-local", *SHELL, *state, "--no-artifacts-to-source", job],
        cwd=gitlab,
        seconds=900,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert f"PASS  {job}" in done.stdout


def test_a_lock_that_is_out_of_date_fails_the_pipeline(gitlab: Path, tmp_path: Path) -> None:
    """What is built is what was locked and tested."""
    need("gitlab-ci-local")
    copy = Path(shutil.copytree(gitlab, tmp_path / "service", symlinks=True))
    project = copy / "pyproject.toml"
    project.write_text(project.read_text().replace("team = []", 'team = ["tomli>=2"]'))
    commit(copy, "A dependency that is not locked")

    done = run(["gitlab-ci-local", *SHELL, "lint"], cwd=copy, seconds=300)

    assert done.returncode != 0
    assert "uv.lock" in done.stdout + done.stderr
    assert "needs to be updated" in done.stdout + done.stderr


def test_everything_that_runs_is_pinned(gitlab: Path, github: Rendering) -> None:
    """Images have a version, actions a commit: a tag can be moved."""
    images = re.findall(r"^ +image: (\S+)$", (gitlab / ".gitlab-ci.yml").read_text(), re.M)
    uses = [
        use for path in workflows(github) for use in re.findall(r"uses: (\S+)", path.read_text())
    ]

    assert images
    assert [image for image in images if not re.search(r":v?\d+\.\d+\.\d+", image)] == []
    assert uses
    assert [use for use in uses if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", use)] == []


def test_jobs_hold_the_least_permissions(github: Rendering) -> None:
    """A workflow starts with none, and only what builds the image may write."""
    for path in workflows(github):
        text = path.read_text()
        assert "\npermissions: {}\n" in text, path.name
        assert path.name == "ci.yml" or "write" not in "".join(
            re.findall(r"permissions:\n((?: +\w.*\n)+)", text)
        )


def test_renovate_s_configuration_fits_its_schema(gitlab: Path) -> None:
    """Template versions and the lock are proposed; nothing else of the template's files is."""
    check = [str(BIN / "check-jsonschema"), "--builtin-schema", "vendor.renovate"]
    succeed([*check, "renovate.json"], cwd=gitlab)

    configuration = json.loads((gitlab / "renovate.json").read_text())
    assert configuration["enabledManagers"] == ["copier", "pep621"]


@pytest.mark.parametrize("file", ["Dockerfile", "Dockerfile.test"])
@pytest.mark.parametrize("framework", ["xgboost", "lightgbm"])
def test_hadolint_finds_nothing(render: Render, file: str, framework: str) -> None:
    """The Dockerfiles follow the rules; what does not says why."""
    model = {"name": "price", "framework": framework, "task": "regression"}
    answers = {"models": [model | {"features": [{"name": "x", "type": "float"}]}]}
    rendering = render(Variant(framework, answers | {"model_source": "oci"}))

    succeed([BIN / "hadolint", "--no-color", file], cwd=rendering.root)


def test_yamllint_finds_nothing(render: Render) -> None:
    """Kubernetes' and the pipelines' YAML has no duplicate key, tab or odd indentation."""
    # Components that are commented out stand in their list; Copier writes its answers as it does.
    off = ("braces", "brackets", "comments-indentation", "document-start", "line-length")
    others = {"comments": {"min-spaces-from-content": 1}, "truthy": {"check-keys": False}}
    rules = dict.fromkeys(off, "disable") | others
    configuration = json.dumps(
        {"extends": "default", "ignore": [".copier-answers.yml"], "rules": rules}
    )
    roots = [render(variant).root for variant in GITHUB]
    roots += [render(Variant("gitlab", {"ci": "gitlab"})).root]

    for root in roots:
        succeed([BIN / "yamllint", "--strict", "-d", configuration, "."], cwd=root)


def test_shellcheck_finds_nothing(default: Rendering) -> None:
    """The scripts that deploy are right under any sh."""
    need("shellcheck")
    scripts = sorted((default.root / "deploy").glob("*.sh"))
    assert scripts
    succeed(["shellcheck", *scripts], cwd=default.root)
