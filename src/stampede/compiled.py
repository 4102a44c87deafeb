"""Templates compiled once a process, not once a rendering.

Copier compiles every template, every part of a path and the answers file's name again for each
file of each rendering: two thirds of its time. The code depends on nothing but the source, so a
process that renders a hundred services compiles it for the first of them alone.
"""

from collections.abc import Callable
from types import CodeType

from jinja2 import Environment


def share_compiled_templates() -> None:
    """Let all of Jinja's environments in this process share what they compile.

    They must have the same settings, as the versions of one template do in practice: the settings
    are part of the key, so that others are compiled apart.
    """
    compile_template: Callable[..., CodeType] = Environment.compile
    compiled: dict[tuple[object, ...], CodeType] = {}

    def compile_once(
        self: Environment,
        source: str,
        name: str | None = None,
        filename: str | None = None,
        *options: bool,
    ) -> CodeType:
        key = (source, name, options, *_settings(self))
        if key in compiled:
            # Extensions see each source all the same: Copier's forgets the last `yield` so.
            self.preprocess(source, name, filename)
        else:
            compiled[key] = compile_template(self, source, name, filename, *options)
        return compiled[key]

    Environment.compile = compile_once  # type: ignore[method-assign, assignment]


def _settings(environment: Environment) -> tuple[object, ...]:
    """Return what the code of a template depends on beside its source."""
    return (
        type(environment),
        environment.block_start_string,
        environment.block_end_string,
        environment.variable_start_string,
        environment.variable_end_string,
        environment.comment_start_string,
        environment.comment_end_string,
        environment.line_statement_prefix,
        environment.line_comment_prefix,
        environment.trim_blocks,
        environment.lstrip_blocks,
        environment.newline_sequence,
        environment.keep_trailing_newline,
        environment.optimized,
        environment.undefined,
        environment.finalize,
        environment.autoescape,
        tuple(environment.extensions),
    )
