"""How much CPU this process may use."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")


def available_cpus(cgroup: Path = CGROUP) -> int:
    """Count the CPUs of the affinity mask, or of the cgroup's quota where that is smaller.

    A quota of 1.5 CPUs counts as one: a second busy worker would be throttled.
    """
    cpus = len(os.sched_getaffinity(0))
    with suppress(OSError, ValueError):  # no quota here
        quota, period = _quota(cgroup)
        return max(1, min(cpus, quota // period))
    return cpus


def _quota(cgroup: Path) -> tuple[int, int]:
    """Return the microseconds of CPU in each period of so many (cgroup v2, or v1)."""
    if (limit := cgroup / "cpu.max").exists():
        quota, period = limit.read_text().split()
    else:
        quota = (cgroup / "cpu/cpu.cfs_quota_us").read_text()
        period = (cgroup / "cpu/cpu.cfs_period_us").read_text()
    if quota.strip() == "-1":
        raise ValueError(quota)
    return int(quota), int(period)
