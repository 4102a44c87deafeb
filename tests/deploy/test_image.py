"""The image: what it holds, what it says of itself, and that it is no larger than it must be."""

import json
from collections import Counter
from pathlib import Path

import pytest
from conftest import Render
from deploy.conftest import LABELS, REVISION, SOURCE, TAG
from support.containers import build, container, inspect, podman
from support.processes import run, succeed
from support.repositories import ROOT
from support.variants import SAMPLES, Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

MEGABYTE = 1_000_000
MOST_ADDED = 360 * MEGABYTE
MOST_ADDED_LEAN = 200 * MEGABYTE
REPORT = ROOT / "build/deploy/image-size.md"
# Path and size of every file of the environment, from within.
LIST_FILES = """
import json, pathlib, sys
root = pathlib.Path(sys.argv[1])
found = {p.relative_to(root).as_posix(): p.lstat().st_size for p in root.rglob('*') if p.is_file()}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def environment(image: str) -> dict[str, int]:
    """Return the size of each file below /opt/venv, by path."""
    command = ["run", "--rm", "--network=none", "--entrypoint=python", image, "-c", LIST_FILES]
    files: dict[str, int] = json.loads(podman(*command, "/opt/venv"))
    return files


def test_the_image_adds_at_most_360_mb_to_its_base(
    image: str, base_image: str, environment: dict[str, int]
) -> None:
    """The default service with its libraries stays small, and a table says where every MB goes."""
    added = inspect("image", image)["Size"] - inspect("image", base_image)["Size"]

    packages = Counter[str]()
    for path, size in environment.items():
        packages[path.partition("site-packages/")[2].split("/")[0] or path] += size
    rows = [(name, size / MEGABYTE) for name, size in packages.most_common(12)]
    rest = (added - sum(size for _, size in packages.most_common(12))) / MEGABYTE
    table = [f"| {name} | {size:.1f} |" for name, size in [*rows, ("everything else", rest)]]
    total = f"| **what the image adds to its base** | **{added / MEGABYTE:.1f}** |"
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text("\n".join(["| part | MB |", "|---|---|", *table, total, ""]))

    assert added <= MOST_ADDED, REPORT.read_text()
    assert rest >= 0


def test_a_lean_image_adds_at_most_200_mb_and_answers(render: Render, base_image: str) -> None:
    """With ONNX Runtime alone, models that were compiled are verified, served and all there is."""
    root = render(Variant("lean", {"runtime": "onnx"})).root
    succeed(["make", "setup", "train"], cwd=root, seconds=600)
    options = (*LABELS, "--target=with-models", "--build-context=models=models")
    tag = build(root, f"{TAG}:lean", *options)

    added = inspect("image", tag)["Size"] - inspect("image", base_image)["Size"]
    code = "import os; print(*os.listdir('/models'))"
    listed = podman("run", "--rm", "--network=none", "--entrypoint=python", tag, "-c", code)
    with container(tag) as started:
        started.wait_until_ready()
        example = {feature["name"]: feature["example"] for feature in SAMPLES[1]["features"]}
        status, answer = started.request("POST", SAMPLES[1]["endpoint"], example)

    assert added <= MOST_ADDED_LEAN, f"{added / MEGABYTE:.1f} MB"
    assert {Path(name).suffix for name in listed.split()} == {".json", ".onnx"}
    assert (status, answer["prediction"]) == (200, "setosa")


def test_everything_is_compiled_and_no_library_brings_its_tests(
    environment: dict[str, int],
) -> None:
    """A read-only root cannot keep bytecode: what is imported is compiled when it is built."""
    sources = {path for path in environment if path.endswith(".py")}
    compiled = {
        path.replace("__pycache__/", "").removesuffix(".cpython-313.pyc") + ".py"
        for path in environment
        if path.endswith(".pyc")
    }

    assert {path for path in sources - compiled if "site-packages" in path} == set()
    assert [path for path in environment if {"test", "tests"} & set(Path(path).parts)] == []


def test_nothing_that_builds_is_in_the_image(image: str) -> None:
    """Neither uv nor a compiler nor pip is left over for an intruder."""
    code = (
        "import shutil, importlib.util as u;"
        "print([t for t in ('uv', 'gcc', 'cc', 'make', 'git', 'curl') if shutil.which(t)]);"
        "print([m for m in ('uv', 'pytest', 'mypy') if u.find_spec(m)])"
    )

    found = podman("run", "--rm", "--network=none", "--entrypoint=python", image, "-c", code)

    assert found.split("\n")[:2] == ["[]", "[]"]


def test_the_context_holds_sources_and_lock_alone(service: Path) -> None:
    """No model, test, repository or secret reaches the build, and so none reaches a layer."""
    (service / ".env").write_text("TOKEN=secret\n")
    dockerfile = (
        "FROM docker.io/library/python:3.13-slim\nCOPY . /context\n"
        'CMD ["python", "-c", "import os; print(*sorted(os.listdir(\'/context\')))"]\n'
    )
    look = service / "build/Dockerfile.look"
    look.parent.mkdir(exist_ok=True)
    look.write_text(dockerfile)

    tag = build(service, f"{TAG}:context", f"--file={look}")

    assert podman("run", "--rm", tag).split() == [
        "gunicorn.conf.py",
        "pyproject.toml",
        "src",
        "uv.lock",
    ]


def test_the_image_says_what_it_is(image: str) -> None:
    """Source, revision and version lead from a running container back to a commit."""
    config = inspect("image", image)["Config"]

    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in config["Labels"].items()
    }
    assert labels["version"] == "1.2.3"
    assert labels["revision"] == REVISION
    assert labels["source"] == SOURCE
    assert labels["title"] == "tabular-inference"
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["tabular-inference"]


def test_the_health_check_needs_no_shell(image: str, models: str) -> None:
    """It is a list of arguments, passes while the service lives and fails once it does not."""
    check = inspect("image", image)["Healthcheck"]["Test"]
    assert check[0] == "CMD"

    with container(image, models) as started:
        started.wait_until_ready()
        healthy = run(["podman", "healthcheck", "run", started.name], cwd=ROOT).returncode
        elsewhere = ["podman", "exec", "--env=PORT=8001", started.name, *check[1:]]
        unhealthy = run(elsewhere, cwd=ROOT).returncode

    assert healthy == 0
    assert unhealthy != 0


def test_models_can_be_baked_in(service: Path, base_image: str) -> None:
    """The target with-models takes them from a named context and answers with nothing mounted."""
    assert base_image
    options = (*LABELS, "--target=with-models", "--build-context=models=models")
    tag = build(service, f"{TAG}:with-models", *options)

    with container(tag) as started:
        started.wait_until_ready()
        _, found = started.request("GET", "/models")

    manifests = sorted((service / "models").glob("*.manifest.json"))
    digests = {f"sha256:{json.loads(path.read_text())['sha256']}" for path in manifests}
    assert {model["digest"] for model in found["models"]} == digests


def test_a_damaged_model_makes_no_image(service: Path, base_image: str, tmp_path: Path) -> None:
    """Verification is part of the build: what does not pass it is never pushed."""
    assert base_image
    for path in (service / "models").iterdir():
        content = path.read_bytes()
        damaged = path.suffix == ".skops"
        (tmp_path / path.name).write_bytes(content[:-1] if damaged else content)

    options = (*LABELS, "--target=with-models", f"--build-context=models={tmp_path}")
    with pytest.raises(AssertionError, match=r"iris\.skops"):
        build(service, f"{TAG}:damaged", *options)


def test_the_tests_run_in_the_image_of_the_tests(service: Path, base_image: str) -> None:
    """Dockerfile.test holds everything that the service's own tests need."""
    assert base_image
    tag = build(service, f"{TAG}:test", "--file=Dockerfile.test")
    tests = ["uv", "run", "--no-sync", "pytest", "-q", "-p", "no:cacheprovider"]

    output = podman("run", "--rm", "--network=host", tag, *tests, seconds=600)

    assert " passed" in output
    assert " failed" not in output
