"""What several files of a rendering say, they say alike: names, ports, images, probes, versions."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pytest
from support.renderings import Rendering
from support.texts import documents
from support.variants import QUESTIONS, VARIANTS

MODEL_FILE = r"(?<![\w.-])(\w+\.(?:ubj|skops|txt|cbm|onnx|joblib))(?![\w-])"


@dataclass(frozen=True)
class Files:
    """A rendering, with the readings that the tests compare."""

    rendering: Rendering

    def answer(self, question: str) -> Any:
        return self.rendering.variant.answers.get(question, QUESTIONS[question]["default"])

    def text(self, path: str) -> str:
        return self.rendering.text(path)

    def found(self, pattern: str, *paths: str) -> set[str]:
        """Return what the group of *pattern* matches in *paths*, each of which must match."""
        matches = {path: re.findall(pattern, self.text(path), re.M) for path in paths}
        assert all(matches.values()), (pattern, matches)
        return {match for path in paths for match in matches[path]}

    def manifests(self, kind: str) -> list[dict[str, Any]]:
        """Return the Kubernetes objects of one kind, wherever they are."""
        return [
            document
            for path in self.rendering.files()
            if path.parts[0] == "deploy" and path.suffix == ".yaml"
            for document in documents(self.rendering.text(path))
            if document.get("kind") == kind
        ]

    @cached_property
    def pod(self) -> dict[str, Any]:
        """Return the base deployment's pod."""
        (deployment,) = documents(self.text("deploy/base/deployment.yaml"))
        pod: dict[str, Any] = deployment["spec"]["template"]["spec"]
        return pod

    @property
    def container(self) -> dict[str, Any]:
        (container,) = self.pod["containers"]
        assert isinstance(container, dict)
        return container

    @property
    def pipelines(self) -> list[str]:
        """Return the paths of the files that run in CI, without the team's."""
        names = [path.as_posix() for path in self.rendering.files()]
        return [name for name in names if re.match(r"\.gitlab-ci\.yml|\.github/workflows/", name)]


@pytest.fixture(
    params=[pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in VARIANTS]
)
def files(request: pytest.FixtureRequest, rendered: Callable[[str], Rendering]) -> Files:
    return Files(rendered(request.param))


def test_the_service_has_one_name(files: Files) -> None:
    """Project, command, image and every Kubernetes object go by the service's name."""
    name = files.rendering.variant.service_name
    objects = [
        document
        for kind in ("Deployment", "Service", "ServiceAccount", "HorizontalPodAutoscaler")
        for document in files.manifests(kind)
    ]
    selectors = [
        document["spec"]["selector"]["matchLabels"]
        for document in files.manifests("ServiceMonitor")
    ]

    assert files.found(r'^name = "(.+)"$', "pyproject.toml") == {name}
    assert files.found(r"^([\w-]+) = \"\w+\.cli:main\"$", "pyproject.toml") == {name}
    assert files.found(r"^SERVICE := (.+)$", "Makefile") == {name}
    assert files.found(r'^ENTRYPOINT \["(.+)"\]$', "Dockerfile") == {name}
    assert {document["metadata"]["name"] for document in objects} == {name}
    assert {container["name"] for container in [files.container]} == {name}
    assert files.container["command"][0] == name
    assert selectors == [{"app.kubernetes.io/name": name}]


def test_one_port_leads_from_the_cluster_to_the_socket(files: Files) -> None:
    """Settings, Makefile, image and container name one port, and the rest refers to it by name."""
    package = files.rendering.variant.package
    (port,) = files.container["ports"]
    (base,) = (
        service for service in files.manifests("Service") if service["spec"]["type"] == "ClusterIP"
    )
    probes = [files.container[f"{kind}Probe"] for kind in ("startup", "readiness", "liveness")]
    numbers = (
        files.found(r"\bport: .* = (\d+)$", f"src/{package}/settings.py")
        | files.found(r"^PORT \?= (\d+)$", "Makefile")
        | files.found(r"(?:^EXPOSE |\bPORT=)(\d+)", "Dockerfile")
        | {str(port["containerPort"])}
    )

    assert len(numbers) == 1
    assert [entry["targetPort"] for entry in base["spec"]["ports"]] == [port["name"]]
    assert {probe["httpGet"]["port"] for probe in probes} == {port["name"]}
    assert {
        endpoint["port"]
        for monitor in files.manifests("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
    } == {entry["name"] for entry in base["spec"]["ports"]}
    assert {
        entry["port"]
        for policy in files.manifests("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for entry in rule["ports"]
    } == {port["name"]}


def test_the_image_that_is_built_is_the_one_that_is_deployed(files: Files) -> None:
    """Makefile, pipelines, deployment and overlays name one image."""
    name = files.rendering.variant.service_name
    image = f"{files.answer('registry')}/{name}"
    containers = [*files.pod["containers"], *files.pod.get("initContainers", [])]
    overlays = [
        entry["name"]
        for path in ("deploy/overlays/dev", "deploy/overlays/prod")
        for document in documents(files.text(f"{path}/kustomization.yaml"))
        for entry in document["images"]
    ]
    makefile = files.text("Makefile").replace("$(SERVICE)", name)

    assert re.findall(r"^IMAGE \?= (.+)$", makefile, re.M) == [image]
    assert {container["image"] for container in containers} == {image}
    assert {entry for entry in overlays if not entry.endswith("-models")} == {image}
    for path in files.pipelines:
        assert set(re.findall(r"^ +IMAGE: (.+)$", files.text(path), re.M)) <= {image}


def test_the_probes_ask_for_paths_that_the_service_answers(files: Files) -> None:
    """Liveness is not readiness, and whoever probes asks for a route that exists."""
    health = f"src/{files.rendering.variant.package}/health.py"
    routes = files.found(r'^@router\.get\("([^"]+)"', health)
    paths = {
        kind: files.container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    }
    scraped = {
        endpoint["path"]
        for monitor in files.manifests("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
    }

    assert paths == {"startup": "/readyz", "readiness": "/readyz", "liveness": "/livez"}
    assert files.found(r"'GET', '(.+?)'", "Dockerfile") == {"/livez"}
    assert {*paths.values(), *scraped} <= routes


def test_one_python_and_one_uv_build_and_test_the_image(files: Files) -> None:
    """The images have the Python of the answers, and every file brings the same uv."""
    pipelines = "\n".join(files.text(path) for path in files.pipelines)
    (uv,) = files.found(r"^UV_VERSION := (.+)$", "Makefile")

    assert files.found(r"PYTHON_IMAGE=python:(.+)-slim$", "Dockerfile", "Dockerfile.test") == {
        files.answer("python_version")
    }
    assert files.found(r"UV_IMAGE=.+/uv:(.+)$", "Dockerfile", "Dockerfile.test") == {uv}
    assert set(re.findall(r"(?:/uv:|UV_VERSION: |version: )(\d+\.\d+\.\d+)", pipelines)) <= {uv}
    assert set(re.findall(r'(?:-python|UV_PYTHON: ")(3\.\d+)', pipelines)) <= {
        files.answer("python_version")
    }


def test_every_file_lists_the_models_that_the_service_declares(files: Files) -> None:
    """An artifact has one name, from training to the pod."""
    package = files.rendering.variant.package
    models = {model["name"] for model in files.rendering.variant.models}
    contracts = "\n".join(files.text(f"src/{package}/contracts/{name}.py") for name in models)
    artifacts, trained = (
        {*re.findall(rf'^    {part}="(.+)",$', contracts, re.M)} for part in ("artifact", "native")
    )
    served = artifacts | trained if files.answer("runtime") == "full" else artifacts
    copied = [
        argument.rpartition("/")[2]
        for container in files.pod.get("initContainers", [])
        for argument in container["command"]
        if argument.startswith("/mnt/models/")
    ]
    manifests = {f"{name}.manifest.json" for name in models}

    assert {artifact.partition(".")[0] for artifact in artifacts} == models
    assert files.found(rf"models/{MODEL_FILE}", "Makefile") == artifacts
    assert files.found(rf"^    {MODEL_FILE} \\$", "Dockerfile") == served
    assert files.found(r"^    (\w+\.manifest\.json) \\$", "Dockerfile") == manifests
    assert bool(copied) == (files.answer("model_source") == "pvc")
    assert set(copied) in (set(), served | manifests)


def test_what_is_deployed_sets_only_what_the_service_reads(files: Files) -> None:
    """No environment variable of the manifests or the image is misspelt or outlived."""
    package = files.rendering.variant.package
    known = {name.upper() for name in files.found(r"^    (\w+): .+$", f"src/{package}/settings.py")}
    overlays = ("deploy/overlays/dev/config.env", "deploy/overlays/prod/config.env")
    base = documents(files.text("deploy/base/kustomization.yaml"))
    literals = {
        literal.partition("=")[0]
        for document in base
        for generator in document["configMapGenerator"]
        for literal in generator["literals"]
    }
    pod = {entry["name"] for entry in files.container.get("env", [])}
    image = files.found(r"^(?:ENV|   ) (HOST|PORT|[A-Z]+_DIR)=", "Dockerfile")

    assert files.found(r"^([A-Z_]+)=", *overlays) | literals | pod | image <= known
