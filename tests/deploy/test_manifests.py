"""The manifests as rendered: valid for the cluster, and in agreement where no schema can see."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from conftest import Render
from support.manifests import Objects, kustomize, on_top, references, with_components, within
from support.processes import BIN, succeed
from support.renderings import Rendering
from support.tools import need
from support.variants import CHOICES, Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("manifests")]

KUBERNETES = "1.37"
SERVICE = "tabular-inference"
# Of these the cluster's own schemas know nothing: the API server is asked instead.
CUSTOM = {
    "InferenceService",
    "PrometheusRule",
    "ScaledObject",
    "ServiceMonitor",
    "VerticalPodAutoscaler",
}
EVERYWHERE = ["dashboard", "ingress", "networkpolicy", "pdb", "prometheusrule", "servicemonitor"]
# Each is one kustomization; what excludes each other is apart.
SETS = {
    "hpa": [*EVERYWHERE, "hpa", "topology-spread", "vpa"],
    "keda": [*EVERYWHERE, "keda", "topology-spread"],
    "gcsfuse": ["gcsfuse"],
    "s3fs": ["s3fs"],
}
# Instead of the claim, and so for the models that come from one.
BUCKETS = {"gcsfuse", "s3fs"}
# In an overlay of another overlay.
ON_TOP = {"canary", "kserve"}


@pytest.fixture(scope="module")
def of_source(render: Render) -> Callable[[str], Rendering]:
    """Return a rendering by the place that its models come from; all of them want a key."""

    @cache
    def of_source(source: str) -> Rendering:
        return render(Variant(source, {"model_source": source, "auth": "api_key"}))

    return of_source


@pytest.fixture(
    scope="module",
    params=[
        (source, kustomization)
        for source in CHOICES["model_source"]
        for kustomization in ("base", "overlays/dev", "overlays/prod", *SETS)
        if source == "pvc" or kustomization not in BUCKETS
    ],
    ids="-".join,
)
def objects(
    request: pytest.FixtureRequest,
    of_source: Callable[[str], Rendering],
    tmp_path_factory: pytest.TempPathFactory,
) -> Objects:
    """Return what a kustomization renders, for every source of models."""
    need("kubectl")
    source, kustomization = request.param
    root = of_source(source).root
    if kustomization not in SETS:
        return kustomize(root / "deploy" / kustomization)
    overlay = with_components(root, SETS[kustomization], tmp_path_factory.mktemp("overlay"))
    return kustomize(overlay)


def test_every_component_is_in_a_set(of_source: Callable[[str], Rendering]) -> None:
    """A new component is validated with the others, or this fails."""
    root = of_source("pvc").root / "deploy/components"
    assert {path.name for path in root.iterdir()} == {
        *(component for components in SETS.values() for component in components),
        *ON_TOP,
    }


def test_the_cluster_s_schemas_accept_every_object(objects: Objects, tmp_path: Path) -> None:
    """No field is misspelt or misplaced: additional ones are errors."""
    validate(objects, tmp_path)


def validate(objects: Objects, folder: Path) -> None:
    blocks = [block for block in objects.text.split("\n---\n") if _kind(block) not in CUSTOM]
    assert blocks
    manifests = folder / "manifests.yaml"
    manifests.write_text("\n---\n".join(blocks))
    check = [str(BIN / "kubernetes-validate"), "--strict", "--kubernetes-version", KUBERNETES]
    succeed([*check, manifests], cwd=folder, seconds=120)


def _kind(block: str) -> str:
    found = re.search(r"^kind: (\w+)$", block, re.M)
    return found[1] if found else ""


@pytest.mark.parametrize("source", CHOICES["model_source"])
def test_kserve_takes_over_the_pod_of_the_overlay(
    source: str, of_source: Callable[[str], Rendering], tmp_path: Path
) -> None:
    """The InferenceService holds the Deployment's pod as patched, and its objects stay."""
    need("kubectl")
    overlay = with_components(of_source(source).root, EVERYWHERE, tmp_path)
    before, after = kustomize(overlay), kustomize(on_top(overlay, "kserve"))
    expected = before.template["spec"]
    expected["containers"][0]["name"] = "kserve-container"

    predictor = after.one("InferenceService")["spec"]["predictor"]

    assert {name: predictor.get(name) for name in expected} == expected
    assert not {"Deployment", "Service"} & {found["kind"] for found in after.all}
    for kind, name in references(predictor):
        assert name in after.names(kind), (kind, name)
    validate(after, tmp_path)


@pytest.mark.parametrize("source", CHOICES["model_source"])
def test_two_versions_share_the_requests_by_weight(
    source: str, of_source: Callable[[str], Rendering], tmp_path: Path
) -> None:
    """The second has objects, pods and a pin of its own; the first one's Service never finds it."""
    need("kubectl")
    pin = "MODEL_DIGESTS=iris=sha256:" + "1" * 64
    settings = {"name": SERVICE, "behavior": "merge", "literals": [pin]}
    overlay = with_components(of_source(source).root, SETS["hpa"], tmp_path)
    first = kustomize(overlay)
    second = kustomize(on_top(overlay, "canary", configMapGenerator=[settings]))

    (ingress,) = second.of("Ingress")
    annotations = ingress["metadata"]["annotations"]
    pods = second.template["metadata"]["labels"]
    assert annotations["nginx.ingress.kubernetes.io/canary"] == "true"
    assert 0 < int(annotations["nginx.ingress.kubernetes.io/canary-weight"]) < 100
    assert not within(pods, [first.one("Service")["spec"]["selector"]])
    assert within(pods, [second.one("Service")["spec"]["selector"]])
    assert within(
        second.one("Service")["metadata"]["labels"],
        [second.one("ServiceMonitor")["spec"]["selector"]["matchLabels"]],
    )
    assert second.settings()["MODEL_DIGESTS"] == pin.partition("=")[2]
    names = {(found["kind"], found["metadata"]["name"]) for found in first.all}
    shared = {(found["kind"], found["metadata"]["name"]) for found in second.all} & names
    assert shared == set()
    for kind, name in references(second.template["spec"]):
        assert name in second.names(kind), (kind, name)
    validate(second, tmp_path)


def test_selectors_find_the_pods(objects: Objects) -> None:
    """Whatever selects pods or the Service selects those that are rendered beside it."""
    pod = objects.template["metadata"]["labels"]
    spread = objects.template["spec"].get("topologySpreadConstraints", [])
    selectors = [
        objects.one("Deployment")["spec"]["selector"]["matchLabels"],
        objects.one("Service")["spec"]["selector"],
        *(found["spec"]["selector"]["matchLabels"] for found in objects.of("PodDisruptionBudget")),
        *(found["spec"]["podSelector"]["matchLabels"] for found in objects.of("NetworkPolicy")),
        *(constraint["labelSelector"]["matchLabels"] for constraint in spread),
    ]
    monitors = [found["spec"]["selector"]["matchLabels"] for found in objects.of("ServiceMonitor")]

    assert within(pod, selectors)
    assert within(objects.one("Service")["metadata"]["labels"], monitors)


def test_whatever_a_pod_needs_is_there(objects: Objects) -> None:
    """Mounts have volumes, volumes mounts, names objects; and no Secret is in git."""
    pod = objects.template["spec"]
    mounts = {
        mount["name"] for container in objects.containers for mount in container["volumeMounts"]
    }

    assert mounts == {volume["name"] for volume in pod["volumes"]}
    for kind, name in references(pod):
        assert name in objects.names(kind), (kind, name)
    assert objects.of("Secret") == []


def test_ports_are_named_where_they_are_opened(objects: Objects) -> None:
    """Probes, Service, policies, ingress and monitor meet at one port."""
    (main,) = objects.template["spec"]["containers"]
    opened = {port["name"] for port in main["ports"]}
    service = objects.one("Service")
    offered = {port["name"] for port in service["spec"]["ports"]}
    asked = {
        main[f"{kind}Probe"]["httpGet"]["port"] for kind in ("startup", "readiness", "liveness")
    }
    asked |= {port["targetPort"] for port in service["spec"]["ports"]}
    asked |= {
        port["port"]
        for policy in objects.of("NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for port in rule["ports"]
    }
    backends = [
        path["backend"]["service"]
        for ingress in objects.of("Ingress")
        for rule in ingress["spec"]["rules"]
        for path in rule["http"]["paths"]
    ]
    scraped = {
        endpoint["port"]
        for monitor in objects.of("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
    }

    assert asked <= opened
    assert scraped <= offered
    assert {backend["name"] for backend in backends} <= {service["metadata"]["name"]}
    assert {backend["port"]["name"] for backend in backends} <= offered


def test_a_pod_has_time_to_finish(objects: Objects, of_source: Callable[[str], Rendering]) -> None:
    """Grace period > preStop + Gunicorn's graceful timeout > the deadline of a request."""
    default = of_source("pvc")
    text = default.text(f"src/{default.variant.package}/settings.py")

    def seconds(name: str) -> float:
        (default_value,) = re.findall(rf"^    {name.lower()}: .*?([\d.]+)\)?$", text, re.M)
        return float(objects.settings().get(name, default_value))

    pod = objects.template["spec"]
    (main,) = pod["containers"]
    stopping = main["lifecycle"]["preStop"]["sleep"]["seconds"]
    deadline = seconds("REQUEST_TIMEOUT_SECONDS")
    graceful = seconds("DRAIN_SECONDS") + deadline + 5

    assert pod["terminationGracePeriodSeconds"] > stopping + graceful > deadline > 0
    for ingress in objects.of("Ingress"):
        limit = ingress["metadata"]["annotations"]["nginx.ingress.kubernetes.io/proxy-read-timeout"]
        assert int(limit) > deadline


def test_autoscaler_budget_and_replicas_agree(objects: Objects) -> None:
    """One of them decides on the number of pods, and a budget leaves one running."""
    deployment = objects.one("Deployment")
    name = deployment["metadata"]["name"]
    scalers = [*objects.of("HorizontalPodAutoscaler"), *objects.of("ScaledObject")]
    targets = {scaler["spec"]["scaleTargetRef"]["name"] for scaler in scalers}
    targets |= {vpa["spec"]["targetRef"]["name"] for vpa in objects.of("VerticalPodAutoscaler")}
    least = [
        scaler["spec"].get("minReplicas", scaler["spec"].get("minReplicaCount"))
        for scaler in scalers
    ] or [deployment["spec"].get("replicas", 1)]

    assert targets <= {name}
    assert len(scalers) <= 1
    assert not (scalers and "replicas" in deployment["spec"])
    for budget in objects.of("PodDisruptionBudget"):
        assert budget["spec"]["maxUnavailable"] < min(least)


def test_policies_let_in_the_port_and_nothing_out(objects: Objects) -> None:
    """First everything is denied, in and out; then the port of the service is opened."""
    policies = [found["spec"] for found in objects.of("NetworkPolicy")]
    denying = [policy for policy in policies if "ingress" not in policy and "egress" not in policy]
    allowing = [policy for policy in policies if policy not in denying]
    assert len(denying) == len(allowing)
    assert all(sorted(policy["policyTypes"]) == ["Egress", "Ingress"] for policy in denying)
    assert all(rule["ports"] for policy in allowing for rule in policy.get("ingress", []))


def test_prod_has_the_components_that_need_nothing_of_the_cluster(
    of_source: Callable[[str], Rendering],
) -> None:
    """A new service is scaled, spread, guarded against eviction and closed from the first day."""
    objects = kustomize(of_source("pvc").root / "deploy/overlays/prod")

    kinds = {found["kind"] for found in objects.all}
    assert {"HorizontalPodAutoscaler", "NetworkPolicy", "PodDisruptionBudget"} <= kinds
    assert objects.template["spec"]["topologySpreadConstraints"]
