"""Real clients against the running container: k6, Node's test runner, a browser."""

import json
import re
from http import HTTPStatus
from pathlib import Path
from typing import Any

import pytest
from support.containers import Container, container
from support.processes import run, succeed
from support.repositories import ROOT
from support.tools import need

pytestmark = [pytest.mark.deploy, pytest.mark.xdist_group("containers")]


def load(service: Path, running: Container, profile: str) -> tuple[int, str]:
    """Return the exit code of `make load`, and what it says."""
    command = ["make", "load", f"PROFILE={profile}", f"BASE_URL=http://127.0.0.1:{running.port}"]
    done = run(command, cwd=service, seconds=180)
    return done.returncode, done.stdout + done.stderr


def test_make_load_writes_a_report_to_look_at(service: Path, running: Container) -> None:
    """k6 runs the smoke profile, every threshold holds, and there is a page with plots."""
    need("k6", "make")

    code, output = load(service, running, "smoke")

    assert code == 0, output
    report = service / "build/load/smoke.html"
    assert report.read_text().lower().startswith("<!doctype html>")
    summary = json.loads((service / "build/load/smoke.json").read_text())
    assert summary["metrics"]["http_reqs"]["values"]["count"] >= 40
    assert summary["metrics"]["checks"]["values"]["fails"] == 0


def test_a_threshold_that_does_not_hold_fails_the_run(
    image: str, models: str, service: Path
) -> None:
    """Answers that are errors are not taken for load: the run fails and says what broke."""
    need("k6", "make")
    takes_no_body = "--env=MAX_BODY_BYTES=1"

    with container(image, models, takes_no_body) as started:
        started.wait_until_ready()
        code, output = load(service, started, "smoke")

    assert code != 0
    assert "checks: not rate==1" in output


def test_overload_is_refused_and_not_endured(image: str, models: str, service: Path) -> None:
    """Far beyond what a quarter of a CPU can do, it refuses, answers in time, and lives on."""
    need("k6", "make")
    with container(image, models, "--cpus=0.25") as started:
        started.wait_until_ready()
        code, output = load(service, started, "overload")
        status, metrics = started.request("GET", "/metrics")
        logs = started.logs()

    assert code == 0, output
    assert status == HTTPStatus.OK
    assert re.search(rb'model_refused_total\{[^}]*reason="queue_full"', metrics)
    assert "WORKER TIMEOUT" not in logs


def test_make_load_says_how_to_get_k6(service: Path, tmp_path: Path) -> None:
    """Where k6 is missing, one line tells what to do."""
    for command in ("git", "make", "mkdir", "sh"):
        found = succeed(["sh", "-c", f"command -v {command}"], cwd=tmp_path).strip()
        (tmp_path / command).symlink_to(found)

    done = run(["env", f"PATH={tmp_path}", "make", "load"], cwd=service)

    assert done.returncode != 0
    assert "k6 is missing: get it from" in done.stderr


def test_the_service_s_end_to_end_tests_pass(service: Path, running: Container) -> None:
    """Node's test runner, with nothing but fetch, finds the service as documented."""
    need("node", "make")

    command = ["make", "e2e", f"BASE_URL=http://127.0.0.1:{running.port}"]
    output = succeed(command, cwd=service, seconds=120)

    counts = dict(re.findall(r"(pass|fail) (\d+)$", output, re.M))
    assert counts["fail"] == "0"
    assert int(counts["pass"]) > 0


def test_the_documentation_works_without_a_network(service: Path, running: Container) -> None:
    """A browser that reaches nothing else opens /, tries a prediction out and sees the answer."""
    need("chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    model = json.loads((service / "tests/e2e/models.json").read_text())[0]
    origin = f"http://127.0.0.1:{running.port}/"
    foreign: list[str] = []

    def only_the_service(route: Any) -> None:
        if route.request.url.startswith((origin, "data:")):
            route.continue_()
        else:
            foreign.append(route.request.url)
            route.abort()

    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        page = browser.new_page(viewport={"width": 1100, "height": 900})
        page.route("**/*", only_the_service)
        page.goto(origin)
        operation = page.locator(f'.opblock:has([data-path="{model["endpoint"]}"])').first
        operation.locator(".opblock-summary").click()
        operation.get_by_role("button", name="Try it out").click()
        operation.get_by_role("button", name="Execute").click()
        answer = operation.locator(".live-responses-table .response").first
        answer.wait_for()
        status = answer.locator(".response-col_status").inner_text()
        shown = answer.inner_text()
        answer.scroll_into_view_if_needed()
        folder = ROOT / "build/deploy"
        folder.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=folder / "swagger.png")
        browser.close()

    assert foreign == []
    assert status.split()[0] == "200"
    assert '"prediction"' in shown
    assert "x-model-digest: sha256:" in shown
