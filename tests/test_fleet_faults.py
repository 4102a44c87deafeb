"""What stops an apply: nothing is half written, nothing is lost, and the next one goes on."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest
from support.fleets import Fleet, Template, contents, dirty, edit, new_fleet, small_template
from support.processes import BIN, environment, run
from support.repositories import ROOT, commit, git

pytestmark = pytest.mark.service

KILLED = ROOT / "tests/support/killed.py"
CHANGED = "".join(f"line {n}\n" if n != 10 else "by the template\n" for n in range(1, 21))
START_SECONDS = 60


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    template = small_template(tmp_path_factory.mktemp("small") / "template")
    template.release("v1.1.0", {"alpha.txt": CHANGED, "beta.txt": None, "new/gamma.txt": "g\n"})
    return template


@pytest.fixture
def fleet(template: Template, tmp_path: Path) -> Fleet:
    return new_fleet(tmp_path / "fleet", template)


def killed(fleet: Fleet, at: int | None = None) -> "subprocess.CompletedProcess[str]":
    at_last = [str(at)] if at else []
    return run([sys.executable, KILLED, fleet.file, *at_last], cwd=fleet.root)


def undo(folder: Path) -> None:
    git("checkout", "--quiet", "--", ".", cwd=folder)
    git("clean", "--quiet", "-fd", cwd=folder)


def started(fleet: Fleet, *options: str, log: Path | None = None) -> "subprocess.Popen[bytes]":
    """Start an apply in a process group of its own."""
    with (log or Path(os.devnull)).open("wb") as output:
        return _popen(fleet, options, output)


def _popen(fleet: Fleet, options: tuple[str, ...], output: BinaryIO) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [BIN / "stampede", "apply", fleet.file, "--no-lock", "--jobs", "2", *options],
        env=environment(XDG_CACHE_HOME=str(fleet.root.parent / "cache")),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        start_new_session=True,
    )


def wait_for(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def moments(count: int) -> list[int]:
    """Return up to eight moments of an apply to die at, the first and the last among them."""
    return sorted({1 + round(step * (count - 1) / 7) for step in range(8)})


def test_a_kill_while_creating_leaves_no_service_or_a_whole_one(fleet: Fleet) -> None:
    """Wherever kill -9 meets a creation, the next apply makes the service as if nothing were."""
    folder = fleet.add("s/one")
    folder.parent.mkdir()
    happened = len(killed(fleet).stdout.splitlines())
    whole = contents(folder)

    for moment in moments(happened):
        shutil.rmtree(folder, ignore_errors=True)
        assert killed(fleet, moment).returncode == -signal.SIGKILL
        assert not folder.exists() or contents(folder) == whole

    assert fleet.apply().code == 0
    assert contents(folder) == whole
    assert dirty(folder) == ""
    assert [path.name for path in folder.parent.iterdir()] == ["one"]


def test_a_kill_while_updating_is_finished_by_the_next_apply(fleet: Fleet) -> None:
    """Wherever kill -9 meets an update, every file is the old or the new one, and then the new."""
    folder = fleet.add("s/one")
    assert fleet.apply().code == 0
    edit(folder / "README.md", "Size 1", "Size unknown")
    commit(folder, "The team's edit")
    old = contents(folder)
    fleet.want("v1.1.0")
    happened = len(killed(fleet).stdout.splitlines())
    new = contents(folder)

    halves = 0
    for moment in moments(happened):
        undo(folder)
        assert killed(fleet, moment).returncode == -signal.SIGKILL
        now = contents(folder)
        halves += now not in (old, new)
        for name in old.keys() | new.keys():
            assert now.get(name) in {old.get(name), new.get(name)}
        killed(fleet)
        assert contents(folder) == new

    assert halves
    assert fleet.apply().states == {"s/one": "up to date"}


def test_what_a_person_edits_after_a_kill_is_not_written_over(fleet: Fleet) -> None:
    """A file that is neither the old nor the new one belongs to whoever wrote it."""
    folder = fleet.add("s/one")
    assert fleet.apply().code == 0
    fleet.want("v1.1.0")
    happened = killed(fleet).stdout.splitlines()
    undo(folder)
    live = next(line for line in happened if line.startswith("os.rename ") and ".new" in line)
    killed(fleet, happened.index(live) + 2)
    (folder / "alpha.txt").write_text("by a person\n")

    planned = fleet.run("plan")
    applied = fleet.apply()

    assert "interrupted" in planned.services["s/one"]["message"]
    assert applied.states == {"s/one": "dirty"}
    assert "git checkout -- alpha.txt" in applied.services["s/one"]["message"]
    assert (folder / "alpha.txt").read_text() == "by a person\n"
    git("checkout", "--", "alpha.txt", cwd=folder)
    assert fleet.apply().code == 0
    assert (folder / "alpha.txt").read_text() == CHANGED


@pytest.mark.parametrize("services", [1, 3])
def test_a_killed_command_leaves_no_workers_and_whole_services(fleet: Fleet, services: int) -> None:
    """The workers end with the command; what they had made is whole, and the rest comes next."""
    folders = [fleet.add(f"s/{number}") for number in range(6)]
    process = started(fleet)
    wait_for(lambda: sum(folder.exists() for folder in folders) >= services)
    process.kill()
    process.wait()
    time.sleep(1)
    ended = [folder.exists() for folder in folders]
    time.sleep(1)

    assert [folder.exists() for folder in folders] == ended
    for folder, exists in zip(folders, ended, strict=True):
        assert not exists or dirty(folder) == ""
    applied = fleet.apply()
    assert applied.code == 0
    assert applied.states == {
        f"s/{number}": "up to date" if exists else "create" for number, exists in enumerate(ended)
    }
    assert sorted(path.name for path in (fleet.root / "s").iterdir()) == [*"012345"]


def test_ctrl_c_ends_it_after_what_has_begun(fleet: Fleet, tmp_path: Path) -> None:
    """One line says that the same command goes on; no service is half made."""
    folders = [fleet.add(f"s/{number}") for number in range(20)]
    log = tmp_path / "log"
    process = started(fleet, log=log)
    wait_for(lambda: any(folder.exists() for folder in folders))

    process.send_signal(signal.SIGINT)

    assert process.wait(START_SECONDS) == 1
    (line,) = log.read_text().splitlines()
    assert line.startswith("stampede: interrupted: services that had begun are done")
    assert not all(folder.exists() for folder in folders)
    assert all(dirty(folder) == "" for folder in folders if folder.exists())
    assert list((fleet.root / "s").glob(".*")) == []


def test_a_killed_worker_fails_its_services_and_the_next_apply_makes_them(fleet: Fleet) -> None:
    """Out of memory, say: the command tells what is left, and does it when asked again."""
    for number in range(6):
        fleet.add(f"s/{number}")
    process = started(fleet, "--json")
    wait_for(lambda: list((fleet.root / "s").glob(".*.stampede")))
    for worker in _children_of_children(process.pid):
        os.kill(worker, signal.SIGKILL)

    assert process.wait(START_SECONDS) == 1
    assert fleet.apply().code == 0


def _children_of_children(pid: int) -> list[int]:
    """Return the workers: children of the server that forks them (Linux: it reads /proc)."""

    def children(parent: int) -> list[int]:
        listed = Path(f"/proc/{parent}/task/{parent}/children").read_text()
        return [int(child) for child in listed.split()]

    return [worker for child in children(pid) for worker in children(child)]


def test_of_two_applies_the_second_says_so(template: Template, fleet: Fleet) -> None:
    """They never work on the same fleet at the same time."""
    fleet.add("s/one")
    slow = Template(template.root, template.questions | {"_tasks": ["sleep 5"]})
    slow.release("v2.0.0", {})
    fleet.want("v2.0.0")
    first = started(fleet, "--trust")
    wait_for((fleet.root / "s/.one.stampede").exists)

    second = fleet.text("apply", "--no-lock", "--trust")

    assert second.returncode == 1
    assert "another apply of" in second.stderr
    assert "is running" in second.stderr
    assert first.wait(START_SECONDS) == 0


def _isolated(script: str, fleet: Fleet) -> "subprocess.CompletedProcess[str]":
    """Run a shell script with mounts of its own, which end with it."""
    variables = {"XDG_CACHE_HOME": str(fleet.root.parent / "cache")}
    done = run(["unshare", "--mount", "sh", "-c", "true"], cwd=fleet.root)
    if done.returncode:
        pytest.skip("no mounts of one's own here")
    command = f"stampede apply --json --no-lock {fleet.file}"
    script = script.format(apply=command)
    return run(["unshare", "--mount", "sh", "-c", script], cwd=fleet.root, variables=variables)


def test_a_full_disk_leaves_a_service_as_it_was(fleet: Fleet, tmp_path: Path) -> None:
    """Created or updated: what does not fit is not begun, and the message names the disk."""
    small = tmp_path / "small"
    small.mkdir()
    folder = fleet.add("s/one")
    assert fleet.apply().code == 0
    before = contents(folder)
    fleet.want("v1.1.0")
    # One service that is there, on a file system with no room left, and one that is not yet.
    fleet.content["services"][0]["path"] = str(small / "one")
    fleet.add("new").parent.mkdir(exist_ok=True)
    fleet.content["services"][1]["path"] = str(small / "new")
    fleet.write()

    done = _isolated(
        f"mount -t tmpfs -o size=2m none {small} && cp -a {folder} {small}/one"
        f" && dd if=/dev/zero of={small}/filler bs=4k status=none; {{apply}}; echo; cd {small}/one"
        " && git --no-optional-locks status --porcelain && rm ../filler && {apply}"
        " && cat alpha.txt",
        fleet,
    )

    first, rest = done.stdout.split("\n}\n", 1)
    states = {found["name"]: found for found in json.loads(first + "}")["services"]}
    assert {name: found["state"] for name, found in states.items()} == {
        "one": "failed",
        "new": "failed",
    }
    assert f"{small}/one/.git/stampede" in states["one"]["message"]
    assert "No space left on device" in states["one"]["message"]
    assert "apply again" in states["one"]["message"]
    assert "No space left on device" in states["new"]["message"]
    assert rest.lstrip().startswith("{"), "the service was changed"
    assert CHANGED in rest
    assert '"applied": true' in rest
    assert contents(folder) == before


def test_a_read_only_service_is_left_alone_and_the_others_are_done(fleet: Fleet) -> None:
    """The message names the file that could not be written."""
    folder, other = fleet.add("s/one"), fleet.add("s/other")
    assert fleet.apply().code == 0
    fleet.want("v1.1.0")

    mounted = f"mount -o bind {folder} {folder} && mount -o remount,ro,bind {folder}"
    done = _isolated(f"{mounted}; {{apply}}", fleet)

    found = {service["name"]: service for service in json.loads(done.stdout)["services"]}
    assert done.returncode == 1
    assert found["one"]["state"] == "failed"
    assert "Read-only file system" in found["one"]["message"]
    assert found["other"]["applied"]
    assert dirty(folder) == ""
    assert (other / "alpha.txt").read_text() == CHANGED


def test_a_detached_head_is_updated_but_not_committed_to(fleet: Fleet) -> None:
    """Files may change; a commit that no branch holds would be lost."""
    folder = fleet.add("s/one")
    assert fleet.apply().code == 0
    git("checkout", "--quiet", "--detach", cwd=folder)
    fleet.want("v1.1.0")

    refused = fleet.apply("--commit")
    applied = fleet.apply()

    assert refused.code == 3
    assert "HEAD is detached" in refused.services["s/one"]["message"]
    assert applied.code == 0
    assert (folder / "alpha.txt").read_text() == CHANGED


def test_a_template_that_does_not_answer_is_named(fleet: Fleet) -> None:
    """Neither a closed port nor a server that says nothing keeps the command."""
    fleet.add("s/one")
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        for port in (1, silent.getsockname()[1]):
            url = f"http://127.0.0.1:{port}/template.git"
            fleet.content["template"]["source"] = url
            fleet.write()
            done = run(
                [BIN / "stampede", "apply", "--no-lock", fleet.file],
                cwd=fleet.root,
                variables={
                    "STAMPEDE_TIMEOUT_SECONDS": "2",
                    "XDG_CACHE_HOME": str(fleet.root.parent / "cache"),
                },
            )

            assert done.returncode == 1
            assert f"the template {url} does not answer" in done.stderr
            assert "Traceback" not in done.stderr
    assert not (fleet.root / "s").exists()
    assert list((fleet.root.parent / "cache/stampede").glob("*.git")) == []


def test_no_code_of_the_template_runs_without_trust(template: Template, fleet: Fleet) -> None:
    """Tasks and migrations await a person's --trust; services that need none are done."""
    folder = fleet.add("s/one")
    fleet.add("s/two")
    fleet.content["services"][1]["version"] = "v1.1.0"
    fleet.write()
    assert fleet.apply("--only", "s/one").code == 0
    migration = {
        "version": "v3.0.0",
        "command": "touch migrated",
        "when": "{{ _stage == 'after' }}",
    }
    moved = Template(template.root, template.questions | {"_migrations": [migration]})
    moved.release("v3.0.0", {"delta.txt": "d\n"})
    tasked = Template(template.root, moved.questions | {"_tasks": ["touch tasked"]})
    tasked.release("v4.0.0", {})
    fleet.add("s/new")
    fleet.content["services"][2]["version"] = "v4.0.0"
    fleet.want("v3.0.0")

    planned, applied = fleet.run("plan"), fleet.apply()
    before = contents(folder)
    trusted = fleet.apply("--trust")

    assert (
        planned.states
        == applied.states
        == {
            "s/one": "needs trust",
            "s/two": "create",
            "s/new": "needs trust",
        }
    )
    assert applied.code == 3
    assert "(migrations)" in applied.services["s/one"]["message"]
    assert "(tasks)" in applied.services["s/new"]["message"]
    assert "delta.txt" not in before
    assert trusted.code == 0
    assert (folder / "migrated").exists()
    assert (fleet.root / "s/new/tasked").exists()


def test_git_s_own_variables_do_not_mislead_it(fleet: Fleet) -> None:
    """Started from a git hook, it still works on the services' repositories."""
    folder = fleet.add("s/one")

    done = run(
        [BIN / "stampede", "apply", "--no-lock", fleet.file],
        cwd=fleet.root,
        variables={"GIT_DIR": "/nowhere/.git", "GIT_INDEX_FILE": "/nowhere/index"},
    )

    assert done.returncode == 0, done.stderr
    assert dirty(folder) == ""
