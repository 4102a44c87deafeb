"""How much CPU this process may use."""

from __future__ import annotations

import os
from pathlib import Path

CGROUP_CPU_MAX = Path("/sys/fs/cgroup/cpu.max")


def available_cpus(cgroup_file: Path = CGROUP_CPU_MAX) -> int:
    """Count the CPUs of the affinity mask, or of the cgroup's quota where that is smaller.

    A quota of 1.5 CPUs counts as one: a second busy worker would be throttled.
    """
    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = cgroup_file.read_text().split()
    except (OSError, ValueError):  # no cgroup v2 here
        return cpus
    if quota == "max":
        return cpus
    return max(1, min(cpus, int(quota) // int(period)))
