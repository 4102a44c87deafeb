"""What a worker process is asked to do about one service."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stampede.fleet import Service
from stampede.releases import Release


@dataclass(frozen=True)
class Options:
    """What the command line says about every service."""

    trust: bool = False
    force: bool = False
    diff: bool = False
    lock: bool = True
    commit: bool = False
    branch: str | None = None


@dataclass(frozen=True)
class Order:
    """One service to stamp."""

    service: Service
    release: Release
    defaults: Mapping[str, Any]
    places: Mapping[str, str]
    options: Options
