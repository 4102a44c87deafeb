"""A real API server admits every object, into a namespace where Pod Security is "restricted"."""

import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from conftest import Render
from deploy.test_manifests import EVERYWHERE
from support.manifests import Objects, kustomize, on_top, with_components
from support.processes import run, succeed
from support.services import free_port
from support.tools import TOOLS, cannot_run, need
from support.variants import CHOICES, Variant

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("manifests")]

START_SECONDS = 90
NAMESPACE = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": "ml",
        "labels": {
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/warn": "restricted",
        },
    },
}


@dataclass(frozen=True)
class Cluster:
    """An API server without nodes or controllers: it admits, and nothing runs."""

    port: int
    folder: Path

    def kubectl(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        server = f"--server=https://127.0.0.1:{self.port}"
        access = [server, "--insecure-skip-tls-verify", "--token=test"]
        return run(["kubectl", *access, *arguments], cwd=self.folder, stdin=stdin)

    def wait_until(self, *arguments: str) -> None:
        """Wait until a command succeeds."""
        deadline = time.monotonic() + START_SECONDS
        while (done := self.kubectl(*arguments)).returncode:
            assert time.monotonic() < deadline, done.stderr + self.log()
            time.sleep(0.5)

    def log(self) -> str:
        return (self.folder / "server.log").read_text()[-4000:]

    def admit(self, *objects: object) -> subprocess.CompletedProcess[str]:
        """Apply *objects* as far as admission goes: nothing is stored, warnings are errors."""
        options = ["--dry-run=server", "--validate=strict", "--warnings-as-errors"]
        return self.kubectl("apply", *options, "--filename=-", stdin=yaml.safe_dump_all(objects))


@contextmanager
def process(command: Sequence[str | Path], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as output:
        started = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield started
    finally:
        started.kill()
        started.wait()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    need("etcd", "kube-apiserver", "kubectl", "openssl")
    folder = tmp_path_factory.mktemp("cluster")
    client, peer, port = free_port(), free_port(), free_port()
    succeed(["openssl", "genrsa", "-out", "accounts.key", "2048"], cwd=folder)
    (folder / "tokens.csv").write_text("test,admin,1,system:masters\n")
    store = [
        *("etcd", f"--data-dir={folder}/etcd", "--unsafe-no-fsync"),
        f"--listen-client-urls=http://127.0.0.1:{client}",
        f"--advertise-client-urls=http://127.0.0.1:{client}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
    ]
    server = [
        *("kube-apiserver", "--bind-address=127.0.0.1", f"--secure-port={port}"),
        *(f"--etcd-servers=http://127.0.0.1:{client}", f"--cert-dir={folder}"),
        *("--service-cluster-ip-range=10.0.0.0/24", f"--token-auth-file={folder}/tokens.csv"),
        f"--service-account-issuer=https://127.0.0.1:{port}",
        f"--service-account-key-file={folder}/accounts.key",
        f"--service-account-signing-key-file={folder}/accounts.key",
        "--authorization-mode=RBAC",
    ]
    with ExitStack() as stack:
        stack.enter_context(process(store, folder / "etcd.log"))
        stack.enter_context(process(server, folder / "server.log"))
        cluster = Cluster(port, folder)
        cluster.wait_until("get", "--raw=/readyz")
        created = cluster.kubectl("create", "--filename=-", stdin=yaml.safe_dump(NAMESPACE))
        assert created.returncode == 0, created.stderr
        define_custom_resources(cluster)
        yield cluster


def define_custom_resources(cluster: Cluster) -> None:
    """Teach the server what the operators would: the kinds of the components."""
    folder = TOOLS / "definitions"
    if not folder.exists():
        cannot_run("no definitions of custom resources: .ci/install-tools brings them")
    created = cluster.kubectl("create", f"--filename={folder}")
    assert created.returncode == 0, created.stderr
    cluster.wait_until("wait", "customresourcedefinitions", "--all", "--for=condition=Established")


@pytest.fixture(scope="module", params=CHOICES["model_source"])
def overlay(
    request: pytest.FixtureRequest, render: Render, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Return the overlay prod with what goes with every scaler, for a source of models."""
    need("kubectl")
    answers = {"model_source": request.param, "auth": "api_key"}
    root = render(Variant(request.param, answers)).root
    return with_components(root, EVERYWHERE, tmp_path_factory.mktemp("prod"))


@pytest.fixture(scope="module")
def objects(overlay: Path) -> Objects:
    return kustomize(overlay)


def test_the_api_server_admits_every_object(cluster: Cluster, objects: Objects) -> None:
    """Strict validation and admission of a current Kubernetes, custom resources included."""
    admitted = cluster.admit(*objects.all)

    assert admitted.returncode == 0, admitted.stderr
    assert admitted.stdout.count("(server dry run)") == len(objects.all) > 8


# Where the models come from makes no difference to these.
@pytest.mark.parametrize("overlay", ["pvc"], indirect=True)
@pytest.mark.parametrize("addition", ["canary", "hpa", "keda", "kserve", "topology-spread", "vpa"])
def test_the_api_server_admits_every_addition(
    cluster: Cluster, overlay: Path, addition: str
) -> None:
    """Scalers, KServe and a second version fit the definitions of their operators."""
    objects = kustomize(on_top(overlay, addition))

    admitted = cluster.admit(*objects.all)

    assert admitted.returncode == 0, admitted.stderr


def test_pods_are_admitted_where_pod_security_is_restricted(
    cluster: Cluster, objects: Objects
) -> None:
    """The Deployment's pod itself, which is what the namespace's policy judges."""
    account = objects.one("ServiceAccount")
    stored = cluster.kubectl("apply", "--filename=-", stdin=yaml.safe_dump(account))
    assert stored.returncode == 0, stored.stderr
    template = objects.template
    metadata = template["metadata"] | {"name": "judged", "namespace": "ml"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}

    admitted = cluster.admit(pod)

    assert admitted.returncode == 0, admitted.stderr


def test_a_pod_that_is_not_restricted_is_refused(cluster: Cluster, objects: Objects) -> None:
    """The namespace does enforce: one missing line is one refused pod."""
    spec = deepcopy(objects.template["spec"])
    del spec["securityContext"]["seccompProfile"]
    metadata = {"name": "judged", "namespace": "ml"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}

    admitted = cluster.admit(pod)

    assert admitted.returncode != 0
    assert 'violates PodSecurity "restricted' in admitted.stderr
