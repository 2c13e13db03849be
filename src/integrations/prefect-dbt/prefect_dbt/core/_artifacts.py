"""Summaries of dbt runs, in Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, cast

MAX_SUMMARY_CHARACTERS = 100_000
"""Longest summary: what is left out is counted. Prefect itself sets no limit, but browsers must render it."""

_MAX_BLOCK_CHARACTERS = 2_000
_MAX_NAME_CHARACTERS = 200

# Consolidated outcome by dbt's status; see `NodeStatus` in dbt/artifacts/schemas/results.py.
_OUTCOMES = {
    "success": "Success",
    "pass": "Success",
    "no-op": "Success",
    "reused": "Success",
    "warn": "Warn",
    "error": "Error",
    "runtime error": "Error",
    "partial success": "Error",
    "fail": "Fail",
    "skipped": "Skipped",
}
OUTCOMES = ("Success", "Warn", "Error", "Fail", "Skipped")
"""The keys of `consolidate_run_results`."""

_SECTIONS = {
    "Error": "Nodes with errors ❌",
    "Fail": "Failed tests ❌",
    "Warn": "Nodes with warnings ⚠️",
    "Skipped": "Skipped nodes ⏭️",
    "Success": "Successful nodes ✅",
}
_COLUMNS = {"Success": "Successes", "Warn": "Warnings", "Error": "Errors", "Fail": "Failures", "Skipped": "Skips"}


_PLAIN = re.compile(r"[A-Za-z0-9 -]{1,100}")


@dataclass(frozen=True)
class _Row:
    name: str
    resource_type: str
    message: str
    path: str
    code: str = ""


def consolidate_run_results(results: Any) -> dict[str, list[Any]]:
    """Sort the results of a dbt invocation by how they ended.

    Args:
        results: What dbt returned (`dbtRunnerResult`), its `RunExecutionResult`, the content of a
            `run_results.json`, or a sequence of results of nodes.

    Returns:
        The results of nodes under `Success` (also passed tests), `Warn`, `Error`, `Fail` (tests) and `Skipped`, each a
        list in the order of `results`. All lists are empty for a command that runs no nodes, such as `dbt debug`.
    """
    consolidated: dict[str, list[Any]] = {outcome: [] for outcome in OUTCOMES}
    for result in _node_results(results):
        consolidated[_outcome_of(result)].append(result)
    return consolidated


def create_summary_markdown(run_results: dict[str, Any], command: str) -> str:
    """Summarise a dbt run in Markdown: counts, then each node that did not end well, then the rest.

    The former have dbt's message and, where it failed, the compiled code.

    Text of dbt and of the database is escaped, and shortened where it would make the summary longer than 100,000
    characters.

    Args:
        run_results: Results by outcome, as `consolidate_run_results` gives them, or the content of a
            `run_results.json`.
        command: The dbt command, such as `build`.

    Returns:
        Markdown for a Prefect artifact.
    """
    by_outcome = _rows_by_outcome(run_results)
    name = command.strip()
    title = name if name.startswith("dbt ") or name == "dbt" else f"dbt {name}".strip()
    parts = [
        f"# {title if _PLAIN.fullmatch(title) else markdown_code(title)} summary",
        "",
        "| " + " | ".join(_COLUMNS.values()) + " |",
        "| " + " | ".join(":---:" for _ in _COLUMNS) + " |",
        "| " + " | ".join(str(len(by_outcome[outcome])) for outcome in _COLUMNS) + " |",
    ]
    room = MAX_SUMMARY_CHARACTERS - sum(len(part) + 1 for part in parts)
    waiting = [outcome for outcome in _SECTIONS if by_outcome[outcome]]
    for index, outcome in enumerate(waiting):
        # Half of what is left for each section, so that many errors do not hide that there are warnings.
        share = room if index == len(waiting) - 1 else room // 2
        section = _section(_SECTIONS[outcome], outcome, by_outcome[outcome], share)
        parts.append(section)
        room -= len(section) + 1
    return "\n".join(parts) + "\n"


def markdown_code(text: str) -> str:
    """Write one line of a name or path as code, where nothing has a meaning in Markdown or HTML."""
    text = _printable(text, keeps_lines=False)
    if len(text) > _MAX_NAME_CHARACTERS:
        text = text[: _MAX_NAME_CHARACTERS - 1] + "…"
    ticks = "`" * (_longest_run(text) + 1)
    margin = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{ticks}{margin}{text or '?'}{margin}{ticks}"


def _section(heading: str, outcome: str, rows: list[_Row], room: int) -> str:
    lines = ["", f"## {heading}", ""]
    more = f"… and {len(rows)} more."
    room -= sum(len(line) + 1 for line in lines) + len(more) + 2
    for done, row in enumerate(rows):
        entry = f"* {markdown_code(row.name)}" if outcome == "Success" else _entry(row)
        room -= len(entry) + 1
        if room < 0:
            lines += ["", f"… and {len(rows) - done} more."]
            break
        lines.append(entry)
    return "\n".join(lines)


def _entry(row: _Row) -> str:
    lines = [f"### {markdown_code(row.name)}", ""]
    if row.resource_type:
        lines.append(f"* Type: {markdown_code(row.resource_type)}")
    if row.path:
        lines.append(f"* Path: {markdown_code(row.path)}")
    if row.message.strip():
        lines += ["* Message:", "", _fenced(row.message)]
    if row.code.strip():
        lines += ["* Compiled code:", "", _fenced(row.code, "sql")]
    return "\n".join([*lines, ""])


def _fenced(text: str, language: str = "text") -> str:
    """Put text in a code block that it cannot end."""
    text = _printable(text.strip("\n"), keeps_lines=True)
    if len(text) > _MAX_BLOCK_CHARACTERS:
        text = text[:_MAX_BLOCK_CHARACTERS] + f"\n… {len(text) - _MAX_BLOCK_CHARACTERS} characters more"
    fence = "`" * max(3, _longest_run(text) + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)


_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


def _printable(text: str, *, keeps_lines: bool) -> str:
    text = _COLOURS.sub("", text).replace("\r\n", "\n")
    if not keeps_lines:
        text = " ".join(text.split())
    return "".join(character for character in text if character.isprintable() or character in "\n\t")


def _rows_by_outcome(run_results: Mapping[str, Any]) -> dict[str, list[_Row]]:
    rows: dict[str, list[_Row]] = {outcome: [] for outcome in OUTCOMES}
    if isinstance(run_results.get("results"), list):
        run_results = consolidate_run_results(run_results)
    for key, results in run_results.items():
        if isinstance(results, list | tuple):
            for result in cast("Iterable[Any]", results):
                outcome = _outcome_of(result, key)
                rows[outcome].append(_row_of(result, with_code=outcome in {"Error", "Fail"}))
    return rows


def _outcome_of(result: Any, otherwise: str = "") -> str:
    status = _get(result, "status")
    status = str(getattr(status, "value", status) or otherwise).lower()
    return _OUTCOMES.get(status, "Error")  # what is not known to be good is shown


def _row_of(result: Any, *, with_code: bool) -> _Row:
    if isinstance(result, str):
        return _Row(result, "", "", "")
    node = _get(result, "node")
    unique_id = _text(_get(result, "unique_id")) or _text(_get(node, "unique_id"))
    kind = _get(node, "resource_type") or _get(result, "resource_type")
    return _Row(
        name=_text(_get(node, "name")) or _text(_get(result, "name")) or _name_in(unique_id),
        resource_type=_text(getattr(kind, "value", kind)) or unique_id.partition(".")[0],
        message=_text(_get(result, "message")),
        path=_text(_get(node, "original_file_path")) or _text(_get(result, "path")),
        code=_text(_get(node, "compiled_code") or _get(result, "compiled_code")) if with_code else "",
    )


def _name_in(unique_id: str) -> str:
    """Take the name out of `model.project.name`; names may have dots."""
    return unique_id.split(".", 2)[-1]


def _node_results(results: Any) -> Iterable[Any]:
    """Find the results of nodes in whatever dbt returned: none in a manifest, a catalog, a list of names."""
    if isinstance(results, Mapping):
        found: Any = cast("Mapping[str, Any]", results).get("results")
    elif isinstance(results, list | tuple):
        found = cast("Any", results)
    else:
        found = getattr(results, "result", results)
        found = getattr(found, "results", None)
    if not isinstance(found, list | tuple):
        return []
    return [result for result in cast("Iterable[Any]", found) if _get(result, "status") is not None]


def _get(value: Any, name: str) -> Any:
    return cast("Mapping[str, Any]", value).get(name) if isinstance(value, Mapping) else getattr(value, name, None)


def _text(value: Any) -> str:
    return "" if value is None else str(value)
