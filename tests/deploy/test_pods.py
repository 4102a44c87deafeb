"""The manifests at work: a pod with its claim gets ready, or says why it does not."""

import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.containers import Container, podman
from support.manifests import kustomize
from support.processes import succeed
from support.repositories import ROOT
from support.texts import documents
from support.tools import TOOLS, cannot_run, need

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

SERVICE = "tabular-inference"
IMAGE = f"registry.example.com/ml/{SERVICE}"
SCRIPT = Path(__file__).with_name("pod.sh")
READY_SECONDS = 90
# A pod that cannot get ready is started again and again: so long it is watched.
UNREADY_SECONDS = 30


@dataclass(frozen=True)
class Player:
    """A Podman that knows initContainers (5 or later), with a folder that it shares."""

    folder: Path

    def run(self, *command: str, seconds: float) -> str:
        return succeed([*self.prefix(), *command], cwd=self.folder, seconds=seconds)

    def prefix(self) -> list[str | Path]:
        enter = ["unshare", "--mount", "--propagation", "private"]
        return [*enter, ROOT / ".ci/trixie-run", TOOLS / "trixie", self.folder]

    def play(self, models: Path, *, pins: str = "", seconds: int) -> str:
        """Return what is seen of the overlay dev's pod with *models* in its claim."""
        with tarfile.open(self.folder / "models.tar", "w") as archive:
            archive.add(models, arcname=".")
        manifests = (self.folder / "dev.yaml").read_text()
        assert manifests.count('MODEL_DIGESTS: ""') == 1
        pinned = manifests.replace('MODEL_DIGESTS: ""', f'MODEL_DIGESTS: "{pins}"')
        (self.folder / "manifests.yaml").write_text(pinned)
        script = ["sh", "/shared/pod.sh", "/shared", SERVICE, str(seconds)]
        return self.run(*script, seconds=seconds * 2 + 60)


@pytest.fixture(scope="module")
def player(image: str, service: Path, tmp_path_factory: pytest.TempPathFactory) -> Player:
    """Return Podman with the image, and the overlay dev as it is but for the image's tag."""
    need("kubectl", "unshare")
    if not (TOOLS / "trixie").exists():
        cannot_run("no root with Podman 5: .ci/install-tools makes it")
    folder = tmp_path_factory.mktemp("pods")
    shutil.copy(SCRIPT, folder)
    objects = kustomize(service / "deploy/overlays/dev")
    assert f"image: {IMAGE}:latest" in objects.text
    (folder / "dev.yaml").write_text(objects.text.replace(f"{IMAGE}:latest", f"{IMAGE}:1.2.3"))
    podman("tag", image, f"{IMAGE}:1.2.3")
    podman("save", "--quiet", f"--output={folder}/image.tar", f"{IMAGE}:1.2.3")
    player = Player(folder)
    player.run("podman", "load", "--quiet", "--input=/shared/image.tar", seconds=300)
    (folder / "image.tar").unlink()
    return player


@pytest.fixture
def claimed(service: Path, tmp_path: Path) -> Path:
    """Return a copy of the trained models, to be damaged."""
    return Path(shutil.copytree(service / "models", tmp_path / "models"))


def test_a_pod_is_ready_once_its_models_are_copied_and_verified(
    player: Player, claimed: Path
) -> None:
    """From the claim through both containers that run first to the folder that is served."""
    seen = player.play(claimed, seconds=READY_SECONDS)

    assert "state: ready" in seen
    assert seen.count('"message":"model verified"') >= len(list(claimed.glob("*.manifest.json")))


def test_a_missing_model_leaves_the_pod_unready_and_is_named(player: Player, claimed: Path) -> None:
    """The copy fails, and the service's container is never started."""
    (claimed / "iris.skops").unlink()

    seen = player.play(claimed, seconds=UNREADY_SECONDS)

    assert "state: unready" in seen
    assert "cannot stat '/mnt/models/iris.skops'" in seen
    assert "Starting gunicorn" not in seen


def test_a_truncated_model_leaves_the_pod_unready_and_is_named(
    player: Player, claimed: Path
) -> None:
    """A short copy is found before a byte of it is deserialised."""
    artifact = claimed / "iris.skops"
    artifact.write_bytes(artifact.read_bytes()[:-100])

    seen = player.play(claimed, seconds=UNREADY_SECONDS)

    assert "state: unready" in seen
    assert "iris.skops" in seen
    assert "Starting gunicorn" not in seen


def test_a_model_that_is_not_the_pinned_one_leaves_the_pod_unready(
    player: Player, claimed: Path
) -> None:
    """The overlay's pin decides what may run."""
    seen = player.play(claimed, pins=f"iris=sha256:{'0' * 64}", seconds=UNREADY_SECONDS)

    assert "state: unready" in seen
    assert "0000" in seen
    assert "Starting gunicorn" not in seen


def test_the_probes_of_the_manifests_are_answered(service: Path, running: Container) -> None:
    """Every path that the cluster asks for is there."""
    (deployment,) = documents((service / "deploy/base/deployment.yaml").read_text())
    (main,) = deployment["spec"]["template"]["spec"]["containers"]
    probes = [
        main[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")
    ]

    statuses = {path: running.request("GET", path)[0] for path in probes}

    assert statuses == dict.fromkeys(probes, 200)
