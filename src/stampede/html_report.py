"""The status of a fleet as one page that needs nothing else."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape

from stampede.outcomes import Outcome, State
from stampede.report import status_of, versions_of

STYLE = """
:root { color-scheme: light dark; font: 15px/1.5 system-ui, sans-serif; }
body { margin: 2rem auto; max-width: 72rem; padding: 0 1rem; }
table { border-collapse: collapse; width: 100%; }
th, td { border-bottom: 1px solid #8884; padding: .4rem .6rem; }
th, td { text-align: left; vertical-align: top; }
code { font-size: .9em; overflow-wrap: anywhere; }
.ok { color: #2a7d2a; } .wait { color: #b36b00; } .failed { color: #c22; }
ul { margin: .3rem 0; padding-left: 1.2rem; }
"""


def page(title: str, outcomes: Sequence[Outcome]) -> str:
    """Return the page."""
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    current = sum(found.state is State.CURRENT for found in outcomes)
    rows = "\n".join(_row(found) for found in outcomes)
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{escape(title)}</title>
<style>{STYLE}</style>
<h1>{escape(title)}</h1>
<p>{current} of {len(outcomes)} services are up to date; looked at on {now}.</p>
<table>
<thead>
<tr><th>Service<th>State<th>Version<th>Answers that differ<th>Edited template files</tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</html>
"""


def _row(found: Outcome) -> str:
    kind = {State.CURRENT: "ok", State.FAILED: "failed"}.get(found.state, "wait")
    reasons = [found.message, *(str(finding) for finding in found.findings)]
    answers = (
        f"<code>{escape(difference.question)}</code>: "
        f"<code>{escape(difference.recorded or 'no answer')}</code> &rarr; "
        f"<code>{escape(difference.wanted or 'no answer')}</code>"
        for difference in found.differences
    )
    files = (f"{change.letter} <code>{escape(change.path)}</code>" for change in found.edited)
    return (
        f"<tr><td><code>{escape(found.path)}</code><br>{escape(found.name)}"
        f'<td><span class="{kind}">{escape(status_of(found))}</span>'
        f"{_list(escape(reason) for reason in reasons if reason)}"
        f"<td>{escape(versions_of(found))}<td>{_list(answers)}<td>{_list(files)}</tr>"
    )


def _list(items: Iterable[str]) -> str:
    listed = "".join(f"<li>{item}" for item in items)
    return f"<ul>{listed}</ul>" if listed else ""
