"""What Linux says of the service's processes."""

from __future__ import annotations

import os
import re
from pathlib import Path


def resident_bytes(process: int) -> int:
    """Tell how much memory a process holds."""
    status = Path(f"/proc/{process}/status").read_text()
    (kilobytes,) = re.findall(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    return int(kilobytes) * 1024


def open_descriptors(process: int) -> int:
    """Count a process's open files and connections."""
    return len(os.listdir(f"/proc/{process}/fd"))


def children(process: int) -> set[int]:
    """List the processes that a process started and that still run."""
    return set(map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split()))


def writable_files(process: int) -> set[Path]:
    """List the regular files that a process has open for writing, or mapped so."""
    opened = {
        Path(os.readlink(descriptor))
        for descriptor in Path(f"/proc/{process}/fd").iterdir()
        if int(_flags(process, descriptor.name), 8) & os.O_ACCMODE != os.O_RDONLY
    }
    mapped = {
        Path(line.split(maxsplit=5)[5])
        for line in Path(f"/proc/{process}/maps").read_text().splitlines()
        if line.split()[1] == "rw-s"
    }
    return {path for path in opened | mapped if path.is_absolute()}


def _flags(process: int, descriptor: str) -> str:
    info = Path(f"/proc/{process}/fdinfo/{descriptor}").read_text()
    (flags,) = re.findall(r"^flags:\s+(\d+)$", info, re.MULTILINE)
    return str(flags)
