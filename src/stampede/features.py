"""A model as its artifact tells of it; None stands for what that does not say."""

from dataclasses import dataclass, field

Label = str | int
Number = int | float


@dataclass
class Column:
    """One column of what the model was fitted on."""

    name: str | None = None
    type: str | None = None
    values: list[Label] | None = None
    unknown: str | None = None
    nullable: bool | None = None
    minimum: Number | None = None
    maximum: Number | None = None
    """What training saw."""
    example: Label | Number | None = None
    questions: list[str] = field(default_factory=list)
    """What a person has to look at."""


@dataclass
class Model:
    """What an artifact holds."""

    framework: str
    format: str
    task: str | None
    columns: list[Column]
    classes: list[Label] | None = None
    outputs: int = 1
    raw: bool = False
    """Whether a classifier has raw scores alone, and no probabilities."""
    questions: list[str] = field(default_factory=list)
