"""Services that prove what they survive: their fault tests, run as their owners would."""

import re

import pytest
from conftest import Render
from support.processes import succeed
from support.variants import VARIANTS

pytestmark = pytest.mark.long

# Fewer would mean that some promise has lost its test.
FEWEST_TESTS = 100
# Two minutes on two free cores; here other services are built beside it.
FAULTS_SECONDS = 1200


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.xdist_group(name)) for name in ("defaults", "fraud")],
)
def test_a_service_survives_its_faults(render: Render, name: str) -> None:
    """No fault breaks a new service, with keys or without, and none is left out."""
    root = render(VARIANTS[name]).root
    succeed(["make", "setup", "train"], cwd=root, seconds=600)

    output = succeed(["make", "faults"], cwd=root, seconds=FAULTS_SECONDS)

    # Whatever was skipped, or failed as expected, would stand before the time.
    (passed,) = re.findall(r"^=+ (\d+) passed in ", output, re.MULTILINE)
    assert int(passed) >= FEWEST_TESTS
