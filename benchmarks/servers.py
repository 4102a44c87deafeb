"""Who is measured, how each is installed, and how it is started: in its production set-up."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.places import APPS, PORT, WORK, FailedError, run, say
from benchmarks.services import MODELS, VARIANTS, folder_of, python_of

# The model libraries that the rendered service has, so that all predict with the same code.
LIBRARIES = ("scikit-learn>=1.9,<1.10", "xgboost-cpu>=3.2,<3.3", "joblib", "skops")
SERVICE = folder_of("service")
PEERS = WORK / "peers"
# Models without their service's gunicorn.conf.py, which Gunicorn reads wherever it is started.
PLAIN, PLAIN_ONNX = WORK / "plain", WORK / "plain-onnx"


@dataclass(frozen=True)
class Server:
    """One contestant, and where it takes requests."""

    name: str
    python: Path
    command: tuple[str | Path, ...]
    paths: tuple[tuple[str, str], ...]
    """Path by model."""
    folder: Path = PLAIN
    form: str = "fields"
    """The form that it takes rows in: the ending of a file of bodies."""
    environment: tuple[tuple[str, str], ...] = ()
    is_peer: bool = False


@dataclass(frozen=True)
class Peer:
    """Another project: its own environment, and its servers in it."""

    name: str
    packages: tuple[str, ...]
    servers: Callable[[Path], list[Server]]
    prepare: Callable[[Path], None] = lambda _: None

    @property
    def python(self) -> Path:
        return PEERS / self.name / "bin/python"


def _gunicorn(python: Path, app: str, worker: str, workers: int = 1) -> tuple[str | Path, ...]:
    bind = ("--bind", f"127.0.0.1:{PORT}", "--workers", str(workers))
    return (python, "-m", "gunicorn", *bind, "--worker-class", worker, "--no-control-socket", app)


def _paths(*models: str) -> tuple[tuple[str, str], ...]:
    return tuple((model, f"/predict/{model}") for model in models or MODELS)


def service(variant: str, name: str = "", workers: int = 1, **variables: str) -> Server:
    """Return a rendered service in its production environment."""
    # No load balancer has to learn that it ends.
    given = {"PORT": str(PORT), "GUNICORN_WORKERS": str(workers), "DRAIN_SECONDS": "0", **variables}
    return Server(
        name or variant,
        python_of(variant),
        (python_of(variant), "-m", "gunicorn", "--config", "gunicorn.conf.py"),
        _paths(),
        folder=folder_of(variant),
        environment=tuple(given.items()),
    )


def own_servers(left_out: dict[str, str]) -> list[Server]:
    """Return the rendered services and the limits, which share a service's environment."""
    apps = (("PYTHONPATH", str(APPS)),)
    found = [service(variant) for variant in VARIANTS if variant not in left_out]
    for name, app, variant, folder in (
        ("raw ASGI", "raw:app", "service", PLAIN),
        ("raw ASGI + predict", "raw_predict:app", "service", PLAIN),
        ("raw ASGI + predict, ONNX", "raw_predict:app", "service, ONNX", PLAIN_ONNX),
    ):
        if variant not in left_out:
            _link_models(folder, variant)
            python = python_of(variant)
            command = _gunicorn(python, app, "tuned.Worker")
            found.append(Server(name, python, command, _paths(), folder, environment=apps))
    return found


def _link_models(folder: Path, variant: str) -> None:
    folder.mkdir(exist_ok=True)
    if not (folder / "models").exists():
        (folder / "models").symlink_to(folder_of(variant) / "models")


def seed(python: Path, workers: int = 1) -> Server:
    """Return the design of the article as it is written there."""
    command = _gunicorn(python, "seed:app", "uvicorn_worker.UvicornWorker", workers)
    apps = (("PYTHONPATH", str(APPS)),)
    return Server("seed.txt", python, command, _paths(), environment=apps)


def _designs(python: Path) -> list[Server]:
    apps = (("PYTHONPATH", str(APPS)),)
    command = _gunicorn(python, "fastapi_def:app", "uvicorn_worker.UvicornWorker")
    return [seed(python), Server("FastAPI def", python, command, _paths(), environment=apps)]


def _flask(python: Path) -> list[Server]:
    apps = (("PYTHONPATH", str(APPS)),)
    command = _gunicorn(python, "flask_gevent:app", "gevent")
    return [Server("Flask + gevent", python, command, _paths(), environment=apps, is_peer=True)]


def _mlserver(python: Path) -> list[Server]:
    paths = (("price", "/v2/models/price/infer"),)
    return [
        Server(
            name,
            python,
            (python.with_name("mlserver"), "start", PEERS / folder),
            paths,
            form="tensor",
            is_peer=True,
        )
        for name, folder in (("MLServer", "mlserver-one"), ("MLServer, batching", "mlserver-many"))
    ]


def _prepare_mlserver(_: Path) -> None:
    adaptive = {"max_batch_size": 64, "max_batch_time": 0.001}
    both: tuple[tuple[str, dict[str, Any]], ...] = (
        ("mlserver-one", {}),
        ("mlserver-many", adaptive),
    )
    for name, batching in both:
        folder = PEERS / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(SERVICE / "models/price.ubj", folder / "price.ubj")
        settings: dict[str, Any] = {"host": "127.0.0.1", "http_port": PORT, "grpc_port": PORT + 1}
        settings |= {"metrics_port": PORT + 2, "debug": False, "parallel_workers": 1}
        (folder / "settings.json").write_text(json.dumps(settings))
        model: dict[str, Any] = {"name": "price", "implementation": "mlserver_xgboost.XGBoostModel"}
        model |= {"parameters": {"uri": "./price.ubj"}, **batching}
        (folder / "model-settings.json").write_text(json.dumps(model))


def _bentoml(python: Path) -> list[Server]:
    address = ("--host", "127.0.0.1", "--port", str(PORT))
    command = (python.with_name("bentoml"), "serve", "bento:Price", *address, "--api-workers", "1")
    apps = (("PYTHONPATH", str(APPS)),)
    forms = (("BentoML", "row", "/predict"), ("BentoML, batching", "rows", "/predict_together"))
    return [
        Server(
            name,
            python,
            command,
            (("price", path),),
            form=form,
            environment=apps,
            is_peer=True,
        )
        for name, form, path in forms
    ]


def _script(name: str, path: str, batch: int = 64) -> Callable[[Path], list[Server]]:
    def servers(python: Path) -> list[Server]:
        command = (python, APPS / path, str(PORT))
        paths = (("price", "/predict" if path == "lit.py" else "/"),)
        return [
            Server(
                name if size == 1 else f"{name}, batching",
                python,
                command,
                paths,
                form="row",
                environment=(("BATCH", str(size)),),
                is_peer=True,
            )
            for size in (1, batch)
        ]

    return servers


def _mlflow(python: Path) -> list[Server]:
    options = ("--env-manager", "local", "--host", "127.0.0.1", "--port", str(PORT))
    serve = (python.with_name("mlflow"), "models", "serve", "--workers", "1", *options)
    command = (*serve, "--model-uri", PEERS / "mlflow-model")
    paths = (("price", "/invocations"),)
    # Its own command starts `uvicorn`, which it looks for on PATH.
    where = (("PATH", f"{python.parent}:/usr/local/bin:/usr/bin:/bin"),)
    return [
        Server("MLflow", python, command, paths, form="frame", environment=where, is_peer=True),
    ]


def _prepare_mlflow(python: Path) -> None:
    run([python, APPS / "mlflow_save.py", PEERS / "mlflow-model"], SERVICE)


# The article's design needs what the article names: XGBoost with its GPU library.
DESIGNS = Peer(
    "designs",
    (
        "fastapi",
        "gunicorn",
        "joblib",
        "orjson",
        "scikit-learn>=1.9,<1.10",
        "skops",
        "uvicorn-worker",
        "uvicorn[standard]",
        "xgboost>=3.2,<3.3",
    ),
    _designs,
)
PEERS_BY_NAME = {
    peer.name: peer
    for peer in (
        Peer("flask", ("flask", "gunicorn", "gevent", *LIBRARIES), _flask),
        Peer(
            "mlserver",
            (
                "mlserver",
                "mlserver-xgboost",
                # What its dependencies allow, but it cannot run with.
                "pandas<3",
                "uvloop<0.22",
                "scikit-learn>=1.9,<1.10",
            ),
            _mlserver,
            _prepare_mlserver,
        ),
        Peer("bentoml", ("bentoml", *LIBRARIES), _bentoml),
        Peer("litserve", ("litserve", *LIBRARIES), _script("LitServe", "lit.py")),
        Peer("mlflow", ("mlflow", *LIBRARIES), _mlflow, _prepare_mlflow),
        Peer("ray", ("ray[serve]", *LIBRARIES), _script("Ray Serve", "ray_serve.py")),
    )
}


def _chosen(names: list[str]) -> list[Peer]:
    """Return the designs, which are always measured, and the peers that are named."""
    return [DESIGNS, *(PEERS_BY_NAME[name] for name in names)]


def install_peers(names: list[str]) -> dict[str, str]:
    """Install the designs and the peers that are named; return why some could not be."""
    failures = {}
    for peer in _chosen(names):
        say(f"installing {peer.name}")
        try:
            if not peer.python.exists():
                run(["uv", "venv", "--quiet", "--python", sys.executable, PEERS / peer.name], WORK)
            # The latest of everything, on every run.
            install: list[str | Path] = ["uv", "pip", "install", "--quiet", "--upgrade"]
            install.append("--compile-bytecode")
            run([*install, "--python", peer.python, *peer.packages], WORK)
        except FailedError as error:
            failures[peer.name] = str(error)
            say(f"  {peer.name} is left out: {error}")
    return failures


def peer_servers(names: list[str], left_out: dict[str, str]) -> list[Server]:
    """Give what was installed its models and settings; note what could not be prepared."""
    found: list[Server] = []
    _link_models(PLAIN, "service")
    for peer in (each for each in _chosen(names) if each.name not in left_out):
        try:
            peer.prepare(peer.python)
        except FailedError as error:
            left_out[peer.name] = str(error)
            say(f"  {peer.name} is left out: {error}")
        else:
            found += peer.servers(peer.python)
    return found
