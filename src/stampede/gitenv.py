"""The environment that git runs in, within this process and in all that it starts."""

import os
from collections.abc import Mapping
from pathlib import Path

from stampede.errors import ProcessError
from stampede.processes import run

# Set by git for its hooks: they would send every command to the repository of that hook.
FOREIGN = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_INDEX_FILE",
    "GIT_NAMESPACE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_WORK_TREE",
)
CONFIG = {
    # Hooks are for what a person commits, and a clean-up in the background outlives the command.
    "core.hooksPath": os.devnull,
    "gc.auto": "0",
    "maintenance.auto": "false",
    # A server that accepts the connection and then says nothing.
    "http.lowSpeedLimit": "1",
    "http.lowSpeedTime": "20",
}
VARIABLES = {
    "GIT_TERMINAL_PROMPT": "0",
    # A `git status` refreshes the index of its repository otherwise, which others may have locked.
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LFS_SKIP_SMUDGE": "1",
}
SSH = "ssh -o BatchMode=yes -o ConnectTimeout=10"
NOBODY = {"NAME": "Stampede", "EMAIL": "stampede@localhost"}


def settle() -> None:
    """Set what holds for every command of a run."""
    for name in FOREIGN:
        os.environ.pop(name, None)
    os.environ |= VARIABLES
    os.environ.setdefault("GIT_SSH_COMMAND", SSH)
    configure(CONFIG)
    try:
        run("git", "var", "GIT_COMMITTER_IDENT", cwd=Path.cwd())
    except ProcessError:
        # A container of a pipeline knows no name; the commits that need one are few.
        for role in ("AUTHOR", "COMMITTER"):
            for key, value in NOBODY.items():
                os.environ.setdefault(f"GIT_{role}_{key}", value)


def configure(settings: Mapping[str, str]) -> None:
    """Add settings of git to the environment, after those that are there already."""
    count = int(os.environ.get("GIT_CONFIG_COUNT") or 0)
    for index, (name, value) in enumerate(settings.items(), start=count):
        os.environ[f"GIT_CONFIG_KEY_{index}"] = name
        os.environ[f"GIT_CONFIG_VALUE_{index}"] = value
    os.environ["GIT_CONFIG_COUNT"] = str(count + len(settings))
