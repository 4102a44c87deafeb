"""Many services at once: nothing interferes, and nothing grows."""

from pathlib import Path

import pytest
from support.fleets import contents, dirty, new_fleet, small_template

pytestmark = pytest.mark.service

SERVICES = 20
TIMES = 10


def test_twenty_services_at_four_jobs_ten_times_over(tmp_path: Path) -> None:
    """Stamping them side by side never fails, and each is what it would be alone."""
    template = small_template(tmp_path / "template")
    expected = None
    for time in range(TIMES):
        fleet = new_fleet(tmp_path / f"fleet-{time}", template)
        folders = [fleet.add(f"s/{number}") for number in range(SERVICES)]

        applied = fleet.apply("--jobs", "4")

        assert applied.code == 0, applied.document
        found = [contents(folder) for folder in folders]
        expected = expected or found
        assert found == expected
        assert all(dirty(folder) == "" for folder in folders)
