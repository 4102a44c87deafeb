"""Locks between processes; the system drops them when their holder ends, however it ends."""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stampede.errors import StampedeError


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold *file*, which is made if need be, waiting for whoever holds it now."""
    with file.open("ab") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def alone(fleet_file: Path) -> Iterator[None]:
    """Hold the fleet file itself against a second apply.

    Raises:
        StampedeError: Another one holds it.
    """
    with fleet_file.open("rb") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another apply of {fleet_file} is running; wait for its end"
            raise StampedeError(message) from error
        yield
