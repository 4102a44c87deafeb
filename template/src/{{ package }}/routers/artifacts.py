"""An endpoint of your own, with a call that blocks. This file is yours: change it, or take it off ROUTERS."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel

from ..state import state_of

router = APIRouter(tags=["artifacts"])


class ArtifactFile(BaseModel):
    """A file in the model folder."""

    name: str
    size_bytes: int
    modified: datetime


def list_files(folder: Path) -> list[ArtifactFile]:
    """Look at every file in *folder*; on a network mount this can take a while."""
    found = ((path.name, path.stat()) for path in sorted(folder.iterdir()) if path.is_file())
    return [
        ArtifactFile(
            name=name,
            size_bytes=stat.st_size,
            modified=datetime.fromtimestamp(stat.st_mtime, UTC),
        )
        for name, stat in found
    ]


@router.get("/artifacts")
async def get_artifacts(request: Request) -> list[ArtifactFile]:
    """List the files in the model folder."""
    folder = state_of(request).settings.model_dir
    # The call blocks, so it goes to a thread: on the loop it would hold up every other request.
    return await run_in_threadpool(list_files, folder)
