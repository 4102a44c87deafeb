"""Fleets for the tests: a small real template, real repositories, the real command line."""

import json
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from support.processes import BIN, run
from support.repositories import commit, git

SECONDS = 600
ANSWERS_FILE = """\
# Never edit by hand.
{{ dict(_copier_answers | dictsort) | to_nice_yaml(indent=2, sort_keys=false) -}}
"""
QUESTIONS = {
    "_subdirectory": "template",
    "_templates_suffix": ".jinja",
    "_skip_if_exists": ["team/**"],
    "service_name": {
        "type": "str",
        "default": "service",
        "validator": "{% if ' ' in service_name %}must have no spaces{% endif %}",
    },
    "size": {"type": "int", "default": 1, "validator": "{% if size < 1 %}too small{% endif %}"},
    "ci": {"type": "str", "choices": ["gitlab", "github"], "default": "gitlab"},
    "models": {"type": "yaml", "multiline": True, "default": "[price]"},
    "package": {"type": "str", "when": False, "default": "{{ service_name | replace('-', '_') }}"},
}
FIRST = {
    "{{_copier_conf.answers_file}}.jinja": ANSWERS_FILE,
    ".gitignore": "*.log\n",
    "README.md.jinja": "# {{ service_name }}\n\nSize {{ size }}, {{ ci }}.\n",
    "alpha.txt": "".join(f"line {number}\n" for number in range(1, 21)),
    "beta.txt": "beta\n",
    "{% yield model from models %}{{ model }}{% endyield %}.txt.jinja": "{{ model }}\n",
    "team/notes.md": "Yours.\n",
    "run.sh": "#!/bin/sh\n",
}


@dataclass
class Template:
    """A template to release from."""

    root: Path
    questions: dict[str, Any] = field(default_factory=lambda: dict(QUESTIONS))

    def release(self, tag: str, files: Mapping[str, str | None]) -> None:
        """Write *files*, delete those that are None, commit, tag."""
        for name, text in files.items():
            file = self.root / "template" / name
            if text is None:
                file.unlink()
            else:
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
        questions = yaml.safe_dump(self.questions, sort_keys=False)
        (self.root / "copier.yml").write_text(questions)
        if (script := self.root / "template/run.sh").exists():
            script.chmod(0o755)
        commit(self.root, tag, tag=tag)


def small_template(root: Path) -> Template:
    """Make a template of eight files, released as v1.0.0."""
    root.mkdir(parents=True)
    template = Template(root)
    template.release("v1.0.0", FIRST)
    return template


@dataclass
class Fleet:
    """A fleet file, and the command on it."""

    file: Path
    content: dict[str, Any]

    @property
    def root(self) -> Path:
        return self.file.parent

    def write(self) -> None:
        self.file.write_text(yaml.safe_dump(self.content, sort_keys=False, allow_unicode=True))

    def want(self, version: str) -> None:
        """Let the fleet be at *version*."""
        self.content["template"]["version"] = version
        self.write()

    def add(self, path: str, **answers: object) -> Path:
        """Add a service named like its folder, and return the folder."""
        folder = self.root / path
        entry = {"path": path, "answers": {"service_name": folder.name} | answers}
        self.content["services"].append(entry)
        self.write()
        return folder

    def run(self, command: str, *options: str | Path, seconds: float = SECONDS) -> "Done":
        """Run a command on the fleet file as JSON."""
        done = self.text(command, "--json", *options, seconds=seconds)
        assert done.stdout, done.stderr
        return Done(done.returncode, json.loads(done.stdout))

    def text(
        self, command: str, *options: str | Path, seconds: float = SECONDS
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the fleet file as a person would."""
        line = [BIN / "stampede", command, self.file, *options]
        variables = {"XDG_CACHE_HOME": str(self.root.parent / "cache")}
        return run(line, cwd=self.root.parent, seconds=seconds, variables=variables)

    def apply(self, *options: str | Path) -> "Done":
        """Apply without locking: small templates have no dependencies."""
        return self.run("apply", "--no-lock", "--jobs", "2", *options)


@dataclass
class Done:
    """What a command answered."""

    code: int
    document: dict[str, Any]

    @property
    def services(self) -> dict[str, dict[str, Any]]:
        return {service["path"]: service for service in self.document["services"]}

    @property
    def states(self) -> dict[str, str]:
        return {path: service["state"] for path, service in self.services.items()}

    def changes(self, path: str) -> dict[str, str]:
        """Return the letter of each changed file of a service."""
        changes = self.services[path]["changes"]
        return {change["path"]: change["letter"] for change in changes}

    @property
    def findings(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.document["findings"]
        return found


def new_fleet(folder: Path, template: Template, *, version: str = "v1.0.0") -> Fleet:
    folder.mkdir(parents=True)
    source = {"source": str(template.root), "version": version}
    fleet = Fleet(folder / "fleet.yml", {"template": source, "services": []})
    fleet.write()
    return fleet


def edit(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def contents(root: Path) -> dict[str, bytes]:
    """Return every file of a folder, git's own apart."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and ".git" not in path.relative_to(root).parts
    }


def dirty(repository: Path) -> str:
    return git("status", "--porcelain", "--untracked-files=all", cwd=repository)
