"""What apply does to a service's repository beyond its files: conflicts, commits, branches."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stampede import places
from stampede.errors import AwaitsPersonError, StampedeError
from stampede.locks import locked
from stampede.places import Place
from stampede.processes import git, git_succeeds, pipe
from stampede.trees import Trees

NO_BLOB = "0" * 40
# Signing may wait for a person's passphrase.
SECONDS = 60.0


def check(place: Place, *, commit: bool) -> None:
    """Refuse early what git would refuse, or lose, in the end.

    Raises:
        AwaitsPersonError: The branch is checked out, or there is none to commit to.
    """
    if place.top is None:
        return
    if place.branch:
        listed = git("worktree", "list", "--porcelain", cwd=place.top).splitlines()
        if f"branch refs/heads/{place.branch}" in listed:
            message = f"the branch {place.branch} is checked out: name another, or give --commit"
            raise AwaitsPersonError(message)
    elif commit and not git_succeeds("symbolic-ref", "--quiet", "HEAD", cwd=place.top):
        message = "HEAD is detached, so that a commit would be lost: check a branch out, or give"
        raise AwaitsPersonError(f"{message} --branch")


def send_blobs(trees: Trees, stages: Mapping[str, Sequence[str]], place: Place) -> None:
    """Give the repository the contents that its index will name."""
    blobs = {about.split()[1] for abouts in stages.values() for about in abouts}
    _send(trees, "\n".join(blobs), place, "pack-objects", "-q", "--stdout")


def mark_conflicts(place: Place, stages: Mapping[str, Sequence[str]]) -> None:
    """Let git know which files are in conflict, as after a merge."""
    if not stages or place.top is None:
        return
    lines = []
    for path, abouts in stages.items():
        name = f"{place.prefix}/{path}" if place.prefix else path
        lines += [f"0 {NO_BLOB}\t{name}", *(f"{about}\t{name}" for about in abouts)]
    with locked(place.lock):
        git("update-index", "-z", "--index-info", cwd=place.top, stdin="\0".join([*lines, ""]))


def commit(place: Place, message: str) -> str:
    """Commit the service's folder, and nothing else, to the branch that is checked out."""
    top = _top(place)
    with locked(place.lock):
        git("add", "--all", "--", place.pathspec, cwd=top)
        if not git_succeeds("diff", "--cached", "--quiet", "--", place.pathspec, cwd=top):
            arguments = ("commit", "--quiet", "--message", message, "--", place.pathspec)
            git(*arguments, cwd=top, seconds=SECONDS)
        return git("rev-parse", "HEAD", cwd=top).strip()


def commit_to_branch(place: Place, branch: str, trees: Trees, new: Path, message: str) -> str:
    """Commit *new* as the service's folder to a branch, which is made if need be.

    No work tree is touched, and so nothing can be half done: the branch has the commit or not.
    """
    top, tree = _top(place), trees.store(new)
    without = f"\n^{place.head}" if place.head else ""
    _send(trees, f"{tree}{without}\n", place, "pack-objects", "-q", "--revs", "--stdout")
    with locked(place.lock):
        tip = places.find(place.folder, branch).head
        if _subtree(top, tip, place.prefix) != _subtree(top, place.head, place.prefix):
            raise StampedeError(f"{branch} has changed meanwhile; apply again")
        if place.prefix:
            tree = _with_folder(place, tip, tree)
        parent = ("-p", tip) if tip else ()
        sha = git("commit-tree", tree, *parent, "-m", message, cwd=top).strip()
        git("update-ref", f"refs/heads/{branch}", sha, cwd=top)
    return sha


def begin_repository(folder: Path, message: str) -> str:
    """Make *folder* a repository of its own with everything committed."""
    git("init", "--quiet", cwd=folder)
    git("add", "--all", cwd=folder)
    git("commit", "--quiet", "--message", message, cwd=folder, seconds=SECONDS)
    return git("rev-parse", "HEAD", cwd=folder).strip()


def _with_folder(place: Place, tip: str | None, tree: str) -> str:
    """Return the tree of *tip* with the service's folder replaced, without anybody's index."""
    top = _top(place)
    index = place.lock.with_suffix(".index")
    variables = {"GIT_INDEX_FILE": str(index)}
    try:
        git("read-tree", *((tip,) if tip else ("--empty",)), cwd=top, variables=variables)
        remove = ("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", place.prefix)
        git(*remove, cwd=top, variables=variables)
        git("read-tree", f"--prefix={place.prefix}/", tree, cwd=top, variables=variables)
        return git("write-tree", cwd=top, variables=variables).strip()
    finally:
        index.unlink(missing_ok=True)


def _subtree(top: Path, commit: str | None, prefix: str) -> str:
    if commit is None or not git_succeeds(
        "rev-parse", "-q", "--verify", f"{commit}:{prefix}", cwd=top
    ):
        return ""
    return git("rev-parse", f"{commit}:{prefix}", cwd=top).strip()


def _send(trees: Trees, wanted: str, place: Place, *pack: str) -> None:
    """Unpack objects of the scratch repository into the service's."""
    packed = pipe(("git", *pack), cwd=trees.folder, stdin=wanted.encode())
    pipe(("git", "unpack-objects", "-q"), cwd=_top(place), stdin=packed)


def _top(place: Place) -> Path:
    if place.top is None:
        raise AwaitsPersonError(f"{place.folder} is in no git repository")
    return place.top
