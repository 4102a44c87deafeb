"""Kubernetes manifests as kustomize renders them, and the objects in them."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from support.processes import succeed
from support.texts import documents

Manifest = dict[str, Any]


@dataclass(frozen=True)
class Objects:
    """What one kustomization renders."""

    text: str

    @cached_property
    def all(self) -> list[Manifest]:
        return documents(self.text)

    def of(self, kind: str) -> list[Manifest]:
        return [found for found in self.all if found["kind"] == kind]

    def one(self, kind: str) -> Manifest:
        (found,) = self.of(kind)
        return found

    def names(self, kind: str) -> set[str]:
        return {found["metadata"]["name"] for found in self.of(kind)}

    @property
    def template(self) -> Manifest:
        """Return the Deployment's template of a pod."""
        found: Manifest = self.one("Deployment")["spec"]["template"]
        return found

    @property
    def containers(self) -> Iterator[Manifest]:
        """Yield the pod's containers, those that run first included."""
        spec = self.template["spec"]
        yield from spec.get("initContainers", [])
        yield from spec["containers"]

    def settings(self) -> dict[str, str]:
        """Return the service's environment as the overlay sets it."""
        (data,) = (
            found["data"]
            for found in self.of("ConfigMap")
            if "MODEL_DIGESTS" in found.get("data", {})
        )
        assert isinstance(data, dict)
        return data


def kustomize(folder: Path) -> Objects:
    return Objects(succeed(["kubectl", "kustomize", folder], cwd=folder))


def with_components(service: Path, components: Sequence[str], destination: Path) -> Path:
    """Return the overlay prod of a copy of *service*, with *components* and no others."""
    copy = destination / "deploy"
    shutil.copytree(service / "deploy", copy)
    overlay = copy / "overlays/prod/kustomization.yaml"
    (content,) = documents(overlay.read_text())
    content["components"] = [f"../../components/{component}" for component in components]
    overlay.write_text(yaml.safe_dump(content))
    return overlay.parent


def on_top(overlay: Path, component: str, **more: object) -> Path:
    """Return an overlay of *overlay* that adds *component*, which sees all that it patches."""
    folder = overlay.with_name(f"{overlay.name}-{component}")
    folder.mkdir()
    (below,) = documents((overlay / "kustomization.yaml").read_text())
    content = {
        "namespace": below["namespace"],
        "resources": [f"../{overlay.name}"],
        "components": [f"../../components/{component}"],
    }
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(content | more))
    return folder


def references(pod: Manifest) -> Iterator[tuple[str, str]]:
    """Yield kind and name of every object that the spec of a pod needs to start."""
    yield "ServiceAccount", pod["serviceAccountName"]
    for volume in pod["volumes"]:
        if claim := volume.get("persistentVolumeClaim"):
            yield "PersistentVolumeClaim", claim["claimName"]
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        for source in container.get("envFrom", []):
            if settings := source.get("configMapRef"):
                yield "ConfigMap", settings["name"]


def within(labels: Manifest, others: Iterable[Manifest]) -> bool:
    """Tell whether each of *others*, selectors that must not be empty, selects *labels*."""
    return all(other and other.items() <= labels.items() for other in others)
