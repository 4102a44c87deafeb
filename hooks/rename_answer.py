"""Rename an answer in a service's answers file, before Copier reads it for an update.

    python rename_answer.py ANSWERS_FILE OLD NEW

Of the file nothing else changes. Where the old name is not there, or the new one is, nothing does.
"""

import re
import sys
from pathlib import Path


def renamed(answers: bytes, old: str, new: str) -> bytes:
    """Return *answers*, which is YAML as Copier writes it, with one key renamed."""

    def key(name: str) -> re.Pattern[bytes]:
        # What a text goes on with on further lines is indented: at a line's start there are keys.
        return re.compile(rb"^%s(?=:)" % re.escape(name.encode()), re.MULTILINE)

    if key(new).search(answers):
        return answers
    return key(old).sub(new.encode(), answers, count=1)


if __name__ == "__main__":
    file, *names = sys.argv[1:]
    path = Path(file)
    path.write_bytes(renamed(path.read_bytes(), *names))
