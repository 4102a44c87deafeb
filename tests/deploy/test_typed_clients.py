"""Clients that generators write of openapi.json: type-checked, and used against the service."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.processes import UV, run, succeed
from support.services import Server, serve
from support.tools import need
from support.variants import DEFAULTS, SAMPLES

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]

SCRIPTS = Path(__file__).with_name("clients")
SECONDS = 600

# As the service's docs/clients.md names them; exact, for another version may write another client.
PYTHON = "openapi-python-client==0.29.1"
PYTHON_NEEDS = ("httpx", "attrs", "mypy==2.4.0")
TYPESCRIPT = ("openapi-typescript@7.13.0", "openapi-fetch@0.17.0", "typescript@5.9.3")
GO = "github.com/oapi-codegen/oapi-codegen/v2/cmd/oapi-codegen@v2.8.2"
GO_RUNTIME = "github.com/oapi-codegen/runtime@v1.8.0"
CSHARP = "nswag@14.7.1"

Command = list[str | Path]
Asked = dict[str, list[dict[str, Any]]]


@pytest.fixture(scope="module")
def server(service: Path) -> Iterator[Server]:
    with serve(service, DEFAULTS.service_name) as server:
        yield server


@pytest.fixture(scope="module")
def asked() -> Asked:
    """Return instances of each model: its example, and the same with another first value."""
    return {model["name"]: list(_instances(model["features"])) for model in SAMPLES}


def _instances(features: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    example = {feature["name"]: feature["example"] for feature in features}
    yield example
    yield example | {features[0]["name"]: features[0]["minimum"]}


@pytest.fixture(scope="module")
def expected(server: Server, asked: Asked) -> dict[str, list[Any]]:
    """Return what the service answers to plain requests."""
    found = {}
    for model in SAMPLES:
        body = {"instances": asked[model["name"]]}
        status, answer = server.request("POST", f"{model['endpoint']}/batch", body)
        assert status == 200, answer
        found[model["name"]] = answer["predictions"]
    return found


def install(*packages: str, folder: Path) -> Path:
    """Install packages of npm into a folder, and return where they are."""
    (folder / "package.json").write_text('{"private": true, "type": "module"}')
    quiet = ["--silent", "--no-audit", "--no-fund"]
    succeed(["npm", "install", *quiet, *packages], cwd=folder, seconds=SECONDS)
    return folder / "node_modules"


def check(output: str, expected: dict[str, list[Any]]) -> None:
    answers = json.loads(output.splitlines()[-1])
    assert answers.keys() == {"progression", "progression, batch", "iris"}
    for name, predictions in answers.items():
        assert predictions == pytest.approx(expected[name.partition(",")[0]], rel=1e-6), name


def test_the_python_client(
    service: Path, server: Server, asked: Asked, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    """openapi-python-client: what uses it holds up to mypy, strict, and is answered."""
    generate: Command = ["openapi-python-client", "generate", "--path", service / "openapi.json"]
    output: Command = ["--meta", "none", "--output-path", tmp_path / "tabular_client"]
    succeed([UV, "tool", "run", "--from", PYTHON, *generate, *output], cwd=tmp_path)
    script = shutil.copy(SCRIPTS / "typed_client.py", tmp_path)
    options = ["--isolated", "--no-project", "--python", "3.11"]
    options += [part for package in PYTHON_NEEDS for part in ("--with", package)]
    python = [UV, "run", *options, "python"]

    # What is generated is typed, but not by mypy's strictest rules.
    strict = ["-m", "mypy", "--strict", "--follow-imports", "silent"]
    succeed([*python, *strict, script], cwd=tmp_path, seconds=SECONDS)
    url = f"http://127.0.0.1:{server.port}"
    answered = succeed([*python, script, url], cwd=tmp_path, stdin=json.dumps(asked))

    check(answered, expected)
    wrong = Path(script).read_text().replace("prediction.value", "predicted.value")
    Path(script).write_text(wrong)
    done = run([*python, *strict, script], cwd=tmp_path, seconds=SECONDS)
    assert '"IrisPrediction" has no attribute "predicted"' in done.stdout


def test_the_typescript_client(
    service: Path, server: Server, asked: Asked, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    """openapi-typescript and openapi-fetch: tsc, strict, finds nothing, and Node is answered."""
    need("node", "npm")
    shutil.copy(SCRIPTS / "typed_client.ts", tmp_path)
    programs = install(*TYPESCRIPT, folder=tmp_path) / ".bin"
    description: Command = ["--default-non-nullable", "false", service / "openapi.json"]
    succeed([programs / "openapi-typescript", *description, "-o", "api.d.ts"], cwd=tmp_path)
    (tmp_path / "globals.d.ts").write_text("declare const process: { argv: string[] };\n")

    strict = [
        "--strict",
        "--noUncheckedIndexedAccess",
        "--target",
        "es2022",
        "--module",
        "nodenext",
    ]
    sources = ["typed_client.ts", "globals.d.ts"]
    succeed([programs / "tsc", *strict, "--skipLibCheck", *sources], cwd=tmp_path, seconds=SECONDS)
    url = f"http://127.0.0.1:{server.port}"
    answered = succeed(["node", "typed_client.js", url, json.dumps(asked)], cwd=tmp_path)

    check(answered, expected)


def test_the_go_client(
    service: Path, server: Server, asked: Asked, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    """oapi-codegen: what uses it compiles, and is answered."""
    need("go")
    (tmp_path / "api").mkdir()
    (tmp_path / "go.mod").write_text("module example.com/client\n\ngo 1.24\n")
    shutil.copy(SCRIPTS / "typed_client.go", tmp_path / "main.go")
    options = ["-generate", "types,client", "-package", "api", "-o", "api/api.go"]
    succeed(["go", "run", GO, *options, service / "openapi.json"], cwd=tmp_path, seconds=SECONDS)
    succeed(["go", "get", GO_RUNTIME], cwd=tmp_path, seconds=SECONDS)
    succeed(["go", "mod", "tidy"], cwd=tmp_path, seconds=SECONDS)

    succeed(["go", "build", "-o", "client", "."], cwd=tmp_path, seconds=SECONDS)
    url = f"http://127.0.0.1:{server.port}"
    answered = succeed([tmp_path / "client", url], cwd=tmp_path, stdin=json.dumps(asked))

    check(answered, expected)


def test_the_csharp_client(
    service: Path, server: Server, asked: Asked, expected: dict[str, list[Any]], tmp_path: Path
) -> None:
    """NSwag: what uses it compiles, and is answered; Mono stands for .NET."""
    need("npm", "mono", "mcs")
    nswag = install(CSHARP, folder=tmp_path) / "nswag/bin/binaries/Win"
    generate: Command = ["mono", nswag / "NSwag.exe", "openapi2csclient"]
    options = ["/namespace:Inference", "/className:Client"]
    options.append("/operationGenerationMode:SingleClientFromOperationId")
    files = [f"/input:{service / 'openapi.json'}", "/output:Client.cs"]
    succeed([*generate, *files, *options], cwd=tmp_path, seconds=SECONDS)
    shutil.copy(nswag / "Newtonsoft.Json.dll", tmp_path)

    assemblies = ("System.Net.Http", "System.ComponentModel.DataAnnotations", "Newtonsoft.Json")
    references = [f"-r:{name}.dll" for name in (*assemblies, "System.Runtime.Serialization")]
    script = shutil.copy(SCRIPTS / "typed_client.cs", tmp_path)
    compiler: Command = ["mcs", "-out:client.exe"]
    succeed([*compiler, *references, script, "Client.cs"], cwd=tmp_path)
    url = f"http://127.0.0.1:{server.port}"
    answered = succeed(["mono", "client.exe", url], cwd=tmp_path, stdin=json.dumps(asked))

    check(answered, expected)
