"""The fleet file: which services there are, and the answers that each is stamped from."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stampede import yaml_file
from stampede.errors import Finding, FleetError, UsageError, shown
from stampede.yaml_file import Document

LATEST = "latest"
FLEET_KEYS = {"template": dict, "defaults": dict, "services": list}
TEMPLATE_KEYS = {"source": str, "version": str}
SERVICE_KEYS = {
    "path": str,
    "answers": dict,
    "answers_file": str,
    "version": str,
    "groups": list,
}
IN_WORDS: dict[type, str] = {dict: "a mapping", list: "a list", str: "text (quote it)"}


@dataclass(frozen=True)
class Service:
    """One service as the fleet file has it."""

    label: str
    """Its path as it is written."""
    path: Path
    name: str
    version: str
    answers: Mapping[str, Any]
    """Its own answers, without the defaults."""
    groups: tuple[str, ...]
    places: Mapping[str, str]
    """Where its path (under "") and each answer stand, for messages."""

    def matches(self, wanted: str) -> bool:
        same_path = os.path.normpath(wanted) == os.path.normpath(self.label)
        return same_path or wanted == self.name or wanted in self.groups


@dataclass(frozen=True)
class Fleet:
    """A fleet file, as far as it can be understood without the template."""

    file: Path
    source: str
    defaults: Mapping[str, Any]
    services: tuple[Service, ...]
    places: Mapping[str, str]
    """Where each default stands."""
    findings: tuple[Finding, ...] = field(default=())
    """Its errors; services that have some are not among `services`."""

    def only(self, wanted: list[str]) -> list[Service]:
        """Return the services that are meant by paths, names or groups; all, if none are given.

        Raises:
            UsageError: One of them means no service.
        """
        for value in wanted:
            if not any(service.matches(value) for service in self.services):
                raise UsageError(f"--only {value}: no service has this path, name or group")
        return [
            service
            for service in self.services
            if not wanted or any(service.matches(value) for value in wanted)
        ]


def read(file: Path) -> Fleet:
    """Read a fleet file with all its errors.

    Raises:
        FleetError: There is no way to tell which services it means.
    """
    document = yaml_file.read(file, file.name)
    return _Reader(file.resolve(), document).fleet()


class _Reader:
    """Collects the errors of one fleet file while reading it."""

    def __init__(self, file: Path, document: Document) -> None:
        self.file = file
        self.document = document
        self.findings: list[Finding] = []

    def fleet(self) -> Fleet:
        root = self._mapping(self.document.value, FLEET_KEYS, ("template", "services"))
        template = self._mapping(
            root.get("template", {}), TEMPLATE_KEYS, ("source",), at=("template",)
        )
        listed = root.get("services") or []
        if not listed:
            self._wrong("", ("services",), listed, "must list at least one service")
        if self.findings and not (listed and "source" in template):
            raise FleetError(self.findings)
        version = template.get("version", LATEST)
        services = list(self._services(listed, version))
        self._refuse_overlaps(services)
        defaults = root.get("defaults", {})
        if "service_name" in defaults:
            rule = "belongs to the answers of a service, not to the defaults of all"
            self._wrong("", ("defaults", "service_name"), defaults["service_name"], rule)
        return Fleet(
            self.file,
            _source(template["source"], self.file.parent),
            defaults,
            tuple(services),
            {str(key): self.document.place("defaults", key) for key in defaults},
            tuple(self.findings),
        )

    def _services(self, listed: list[Any], version: str) -> Iterator[Service]:
        for index, entry in enumerate(listed):
            before = len(self.findings)
            at = ("services", index)
            fields = self._mapping(entry, SERVICE_KEYS, ("path",), at=at)
            label = fields.get("path", f"services[{index}]")
            answers, places = self._answers(label, fields, at)
            groups = fields.get("groups", [])
            if not all(isinstance(group, str) and group for group in groups):
                self._wrong(label, (*at, "groups"), groups, "must be a list of names")
            if len(self.findings) == before:
                path = Path(os.path.normpath(self.file.parent / label))
                wanted = fields.get("version", version)
                name = str(answers["service_name"])
                places |= {"": self.document.place(*at)}
                yield Service(label, path, name, wanted, answers, tuple(groups), places)

    def _answers(
        self, label: str, fields: dict[str, Any], at: tuple[str | int, ...]
    ) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the answers of one service, and where each stands."""
        if ("answers" in fields) == ("answers_file" in fields):
            if fields:
                self._wrong(label, at, fields, "must have either answers or answers_file")
            return {}, {}
        document, at = self.document, (*at, "answers")
        answers = fields.get("answers")
        if answers is None:
            name = fields["answers_file"]
            try:
                document, at = yaml_file.read(self.file.parent / name, name), ()
            except FleetError as error:
                self.findings += error.findings
                return {}, {}
            answers = document.value
            if not isinstance(answers, dict):
                rule = "must be a mapping of answers"
                self.findings.append(Finding(document.place(), label, "", shown(answers), rule))
                return {}, {}
        if answers.get("service_name") is None:
            rule = "must be among the answers"
            self.findings.append(Finding(document.place(*at), label, "service_name", "", rule))
        return answers, {str(key): document.place(*at, key) for key in answers}

    def _mapping(
        self,
        value: object,
        keys: Mapping[str, type],
        needed: tuple[str, ...],
        at: tuple[str | int, ...] = (),
    ) -> dict[str, Any]:
        """Return what is right of a mapping; note what is wrong about it."""
        label = value.get("path", "") if isinstance(value, dict) else ""
        label = label if isinstance(label, str) else ""
        if not isinstance(value, dict):
            self._wrong(label, at, value, "must be a mapping")
            return {}
        right = {}
        for key, part in value.items():
            if key not in keys:
                rule = f"is not a key here; known are {', '.join(keys)}"
                self._wrong(label, (*at, key), part, rule)
            elif not isinstance(part, keys[key]) or part == "":
                rule = f"must be {IN_WORDS[keys[key]]}, not {shown(part)}"
                self._wrong(label, (*at, key), part, rule)
            else:
                right[key] = part
        for key in needed:
            if key not in value:
                self._wrong(label, (*at, key), None, "is missing")
        return right

    def _refuse_overlaps(self, services: list[Service]) -> None:
        """Refuse two services of one name, and folders that are the same or within each other."""
        names: dict[str, Service] = {}
        for service in services:
            if (other := names.setdefault(service.name, service)) is not service:
                rule = f"is also the name of {other.label}"
                place = service.places["service_name"]
                finding = Finding(place, service.label, "service_name", service.name, rule)
                self.findings.append(finding)
        folders = {service.path.resolve(): service for service in reversed(services)}
        for service in services:
            path = service.path.resolve()
            for folder in (path, *path.parents):
                other = folders.get(folder, service)
                if other is not service:
                    same = "is also" if folder == path else "is within"
                    rule = f"{same} the path of {other.label} ({other.name})"
                    place = service.places[""]
                    finding = Finding(place, service.label, "path", service.label, rule)
                    self.findings.append(finding)

    def _wrong(self, label: str, at: tuple[str | int, ...], value: object, rule: str) -> None:
        place = self.document.place(*at)
        names = [str(part) for part in (at[2:] if at[1:] and at[0] == "services" else at)]
        self.findings.append(Finding(place, label, ".".join(names), shown(value), rule))


def _source(written: str, folder: Path) -> str:
    """Return the template's source as Copier shall record it: a folder's path is made absolute.

    It is a URL by git's own rule: it has a colon before the first slash.
    """
    if ":" in written.split("/", maxsplit=1)[0]:
        return written
    return os.path.normpath(folder / Path(written).expanduser())
