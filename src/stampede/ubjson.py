"""Universal Binary JSON, as XGBoost writes it: what a model says of itself, without the library.

Of a large array of numbers nothing but its bytes is kept: trees are not what is looked for.
"""

import struct
from typing import Any

from stampede.errors import StampedeError

NUMBERS = {"i": "b", "U": "B", "I": "h", "l": "i", "L": "q", "d": "f", "D": "d"}
CONSTANTS = {"Z": None, "T": True, "F": False}
LARGEST_ARRAY = 100_000
DEEPEST = 100


class NoUbjsonError(StampedeError):
    """The bytes end early, or hold what is no value."""


def loads(data: bytes) -> Any:  # noqa: ANN401 - a document may hold anything.
    """Return the value that *data* stands for.

    Raises:
        NoUbjsonError: It stands for none.
    """
    try:
        return _Reader(data).value(DEEPEST)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise NoUbjsonError(f"is no UBJSON: {error}") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def value(self, depth: int) -> Any:  # noqa: ANN401
        return self._of(self._marker(), depth)

    def _of(self, marker: str, depth: int) -> Any:  # noqa: ANN401
        if depth == 0:
            raise NoUbjsonError("is nested too deep")
        if marker in NUMBERS:
            return self._number(marker)
        if marker in CONSTANTS:
            return CONSTANTS[marker]
        if marker == "S":
            return self._text()
        if marker == "[":
            return self._array(depth - 1)
        if marker == "{":
            return self._object(depth - 1)
        raise NoUbjsonError(f"has no value at byte {self._at - 1}")

    def _marker(self) -> str:
        self._at += 1
        return chr(self._data[self._at - 1])

    def _skips(self, marker: str) -> bool:
        found = chr(self._data[self._at]) == marker
        self._at += found
        return found

    def _number(self, marker: str) -> Any:  # noqa: ANN401
        (number,) = struct.unpack_from(f">{NUMBERS[marker]}", self._data, self._at)
        self._at += struct.calcsize(f">{NUMBERS[marker]}")
        return number

    def _length(self) -> int:
        length = self._number(self._marker())
        if not isinstance(length, int) or not 0 <= length <= len(self._data):
            raise NoUbjsonError(f"has no length at byte {self._at}")
        return length

    def _bytes(self, length: int) -> bytes:
        self._at += length
        if self._at > len(self._data):
            raise NoUbjsonError("ends early")
        return self._data[self._at - length : self._at]

    def _text(self) -> str:
        return self._bytes(self._length()).decode("utf-8")

    def _array(self, depth: int) -> Any:  # noqa: ANN401
        kind = self._marker() if self._skips("$") else None
        if self._skips("#"):
            length = self._length()
            if kind is None:
                return [self.value(depth) for _ in range(length)]
            return self._numbers(kind, length)
        values = []
        while not self._skips("]"):
            values.append(self.value(depth))
        return values

    def _numbers(self, kind: str, length: int) -> Any:  # noqa: ANN401
        if kind not in NUMBERS:
            raise NoUbjsonError(f"has an array of unknown type {kind!r}")
        code = NUMBERS[kind]
        data = self._bytes(length * struct.calcsize(f">{code}"))
        return list(struct.unpack(f">{length}{code}", data)) if length <= LARGEST_ARRAY else data

    def _object(self, depth: int) -> dict[str, Any]:
        count = self._length() if self._skips("#") else None
        found: dict[str, Any] = {}
        while len(found) != count if count is not None else not self._skips("}"):
            name = self._text()
            found[name] = self.value(depth)
        return found
