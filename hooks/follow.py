"""Let what a team wrote in files of the template follow them where they are renamed or removed.

    python follow.py ANSWERS_FILE [--moved OLD NEW]... [--removed OLD]...

It runs after Copier's own merge, which knows no renames: Copier has written the new file as the
template has it, and deleted the old one with all that was written in it. Here the team's version
is merged with the new file, both seen from what the template had written under the old name. Where
both changed the same lines, or there is no new file, git lists a conflict.
"""

import os
import subprocess
from argparse import ArgumentParser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from copier import run_recopy

# Copier's own words, which people know from other conflicts.
SIDES = ["-L", "before updating", "-L", "last update", "-L", "after updating"]
# git merge-file exits with the number of conflicts, or above this.
MAX_CONFLICTS = 127


def git(*arguments: str | Path, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(  # noqa: S603 - no shell, and the arguments are this file's own.
        ["git", *arguments],  # noqa: S607 - found on PATH, as Copier finds it.
        input=stdin,
        capture_output=True,
        check=False,
    )


def committed(path: str) -> bytes | None:
    """Return the file as the team committed it last; None if there is none."""
    shown = git("cat-file", "blob", f"HEAD:./{path}")
    return None if shown.returncode else shown.stdout


@contextmanager
def last_rendering(answers_file: str) -> Iterator[Path]:
    """Yield the service as the template wrote it at the version that the update comes from."""
    with TemporaryDirectory() as folder:
        answers = Path(folder, answers_file)
        answers.parent.mkdir(parents=True, exist_ok=True)
        answers.write_bytes(committed(answers_file) or b"")
        run_recopy(
            folder,
            answers_file=answers_file,
            vcs_ref=os.environ["VERSION_FROM"],
            defaults=True,
            overwrite=True,
            quiet=True,
        )
        yield Path(folder)


def is_here(old: str, new: str | None) -> bool:
    """Tell whether the service may ever have had the file: few answers bring every file."""
    return committed(old) is not None or (new is not None and Path(new).is_file())


def follow(base: bytes, old: str, new: str | None) -> None:
    """Bring the team's version of *old* to *new*; the template had written *base* there."""
    ours = committed(old)
    if ours == base:
        return
    # A file of the team's own under the new name is none to merge into, or to delete.
    target = Path(new) if new and Path(new).is_file() and committed(new) is None else None
    if ours is None:
        # The team had deleted it.
        if target:
            target.unlink()
    elif target:
        merge(base, ours, target)
    else:
        Path(old).parent.mkdir(parents=True, exist_ok=True)
        Path(old).write_bytes(ours)
        mark_unmerged(old, base, ours)


def merge(base: bytes, ours: bytes, target: Path) -> None:
    theirs = target.read_bytes()
    with TemporaryDirectory() as folder:
        last, mine = Path(folder, "last"), Path(folder, "mine")
        last.write_bytes(base)
        mine.write_bytes(ours)
        merged = git("merge-file", "--stdout", *SIDES, mine, last, target)
    if merged.returncode > MAX_CONFLICTS:
        raise RuntimeError(merged.stderr.decode())
    target.write_bytes(merged.stdout)
    if merged.returncode:
        mark_unmerged(target.as_posix(), base, ours, theirs)


def mark_unmerged(path: str, *stages: bytes) -> None:
    """Have git list *path* as a conflict of these: the last update's, the team's, the new one."""
    # What comes on standard input is relative to the repository, which may hold many services.
    name = git("rev-parse", "--show-prefix").stdout.strip() + path.encode()
    blobs = [git("hash-object", "-w", "--stdin", stdin=stage).stdout.strip() for stage in stages]
    lines = [b"0 %s\t%s\n" % (b"0" * len(blobs[0]), name)]
    lines += [b"100644 %s %d\t%s\n" % (blob, stage, name) for stage, blob in enumerate(blobs, 1)]
    git("update-index", "--index-info", stdin=b"".join(lines)).check_returncode()


def main() -> None:
    parser = ArgumentParser()
    parser.add_argument("answers_file")
    parser.add_argument("--moved", nargs=2, action="append", default=[])
    parser.add_argument("--removed", action="append", default=[])
    arguments = parser.parse_args()
    followed = [*arguments.moved, *((old, None) for old in arguments.removed)]
    followed = [(old, new) for old, new in followed if is_here(old, new)]
    if not followed:
        return
    with last_rendering(arguments.answers_file) as last:
        for old, new in followed:
            if (last / old).is_file():
                follow((last / old).read_bytes(), old, new)


if __name__ == "__main__":
    main()
