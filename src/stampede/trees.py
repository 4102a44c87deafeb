"""Trees of files as git keeps them, in a scratch repository that borrows a real one's objects."""

from dataclasses import dataclass
from pathlib import Path

from stampede.errors import ProcessError
from stampede.processes import git, run

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"  # In every repository, stored or not.
Entry = tuple[str, str]
"""Mode and blob."""


@dataclass(frozen=True)
class Trees:
    """A scratch repository; its work tree is the folder that holds it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, borrowed: Path | None = None) -> "Trees":
        """Make an empty one, which sees the objects of the repository at *borrowed* as its own."""
        folder.mkdir(parents=True)
        git("init", "--quiet", "--template=", cwd=folder)
        if borrowed is not None:
            ask = ("rev-parse", "--path-format=absolute", "--git-path", "objects")
            objects = git(*ask, cwd=borrowed).strip()
            info = folder / ".git/objects/info"
            info.mkdir(parents=True, exist_ok=True)
            (info / "alternates").write_text(f"{objects}\n")
        return cls(folder)

    def commit(self, tree: str) -> str:
        """Check *tree* out as the one commit, and return the commit."""
        sha = git("commit-tree", tree, "-m", "Service", cwd=self.folder).strip()
        git("reset", "--quiet", "--hard", sha, cwd=self.folder)
        return sha

    def commit_all(self) -> None:
        git("commit", "--quiet", "--all", "--no-gpg-sign", "-m", "Source", cwd=self.folder)

    def store(self, folder: Path) -> str:
        """Keep all files in *folder*, ignored ones as well, and return their tree."""
        places = {
            "GIT_DIR": str(self.folder / ".git"),
            "GIT_WORK_TREE": str(folder),
            "GIT_INDEX_FILE": str(self.folder / ".git/index.store"),
        }
        run("git", "add", "--all", "--force", ".", cwd=folder, variables=places)
        tree = run("git", "write-tree", cwd=folder, variables=places).strip()
        (self.folder / ".git/index.store").unlink(missing_ok=True)
        return tree

    def entries(self, tree: str) -> dict[str, Entry]:
        listed = git("ls-tree", "-r", "-z", "--full-tree", tree, cwd=self.folder)
        entries = {}
        for line in filter(None, listed.split("\0")):
            about, path = line.split("\t", 1)
            mode, _, blob = about.split()
            entries[path] = (mode, blob)
        return entries

    def unmerged(self) -> dict[str, list[str]]:
        """Return the lines of `git update-index --index-info` by the path that is in conflict."""
        stages: dict[str, list[str]] = {}
        for line in git("ls-files", "--unmerged", "-z", cwd=self.folder).split("\0"):
            if line:
                about, path = line.split("\t", 1)
                stages.setdefault(path, []).append(about)
        return stages

    def diff(self, old: str, new: str) -> str:
        return git("diff", "--no-color", "--no-ext-diff", "--no-renames", old, new, cwd=self.folder)

    def merged(self, current: str, base: str, other: str) -> str | None:
        """Return the blob that merging two edits of *base* gives; None if they conflict."""
        named: list[Path] = []
        for blob in (current, base, other):
            file = self.folder / ".git" / f"merge.{len(named)}"
            content = git("cat-file", "blob", blob, cwd=self.folder)
            file.write_bytes(content.encode("utf-8", "surrogateescape"))
            named.append(file)
        try:
            merged = git("merge-file", "-p", *named, cwd=self.folder)
        except ProcessError:
            return None
        return git("hash-object", "-w", "--stdin", cwd=self.folder, stdin=merged).strip()
