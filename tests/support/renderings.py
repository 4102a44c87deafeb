"""Renderings as the tests see them, and the reading of their files."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support.texts import files
from support.variants import Variant


@dataclass(frozen=True)
class Rendering:
    """What a variant's answers were rendered to; shared between tests, and never written to."""

    variant: Variant
    root: Path

    def files(self) -> list[Path]:
        return files(self.root)

    def contents(self) -> dict[Path, bytes]:
        return {path: (self.root / path).read_bytes() for path in self.files()}

    def text(self, path: Path | str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def python(self) -> dict[Path, str]:
        """Return the Python that the service runs: all but its tests."""
        return {
            path: self.text(path)
            for path in self.files()
            if path.suffix == ".py" and path.parts[0] != "tests"
        }

    def modules(self) -> Iterator[tuple[str, str]]:
        """Yield name, relative to the package, and text of each module of the package."""
        package = Path("src", self.variant.package)
        for path, text in self.python().items():
            if path.is_relative_to(package):
                yield ".".join(path.relative_to(package).with_suffix("").parts), text
