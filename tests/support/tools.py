"""What the deploy tests need of the system, and what becomes of a test where that is missing."""

import os
import shutil
from typing import NoReturn

import pytest

from support.repositories import ROOT

# What .ci/install-tools puts there is found first.
TOOLS = ROOT / ".tools/deploy"


def need(*commands: str) -> None:
    """Skip the test, or fail it where nothing may be skipped, without *commands* on PATH."""
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        cannot_run(f"{', '.join(missing)} not found: .ci/install-tools says how to get it")


def cannot_run(reason: str) -> NoReturn:
    if os.environ.get("STAMPEDE_NO_SKIP"):
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
