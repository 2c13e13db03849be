"""Render the fault matrix as a page of the documentation."""

from __future__ import annotations

from collections.abc import Sequence

from scripts.faults.matrix import FAULTS, KINDS, OUTCOMES, Subject

_COLUMNS = 5  # more subjects side by side do not fit a page

_INTRODUCTION = """\
---
title: What happens when things fail
sidebarTitle: Failures
description: Each worker, store, database, broker and client beside each fault, and what becomes of it.
---

Networks break, servers refuse, processes are killed. Here stands what each integration then does. Every cell is what a
test shows: it sets the fault at the edge of the network or of the process, before a local server of that kind, and
looks at the result, at the server, and at the message. Each package's `tests/faults.toml` names the tests.

| word | meaning |
| --- | --- |
"""


def render(subjects: Sequence[Subject]) -> str:
    """Render all subjects, by kind.

    Args:
        subjects: The rows of the matrix.
    """
    parts = [_INTRODUCTION + "".join(f"| {_shown(name)} | {meaning} |\n" for name, meaning in OUTCOMES.items())]
    for kind, title in KINDS.items():
        of_kind = [subject for subject in subjects if subject.kind == kind]
        if not of_kind:
            continue
        parts.append(f"## {title}\n")
        starts = range(0, len(of_kind), _COLUMNS)
        parts += [_table(of_kind[start : start + _COLUMNS]) for start in starts]
        parts.append(_details(of_kind))
    return "\n".join(parts)


def _table(subjects: Sequence[Subject]) -> str:
    head = "| fault | " + " | ".join(_escaped(subject.name) for subject in subjects) + " |\n"
    line = "| --- |" + " --- |" * len(subjects) + "\n"
    rows = [
        f"| {fault} | " + " | ".join(_shown(subject.cells[fault].outcome) for subject in subjects) + " |\n"
        for fault in FAULTS
    ]
    return head + line + "".join(rows)


def _shown(outcome: str) -> str:
    return "-" if outcome == "none" else outcome


def _details(subjects: Sequence[Subject]) -> str:
    lines: list[str] = []
    for subject in subjects:
        lines.append(f"**{_escaped(subject.name)}** ([{subject.package}](/integrations/{subject.package})): ")
        lines[-1] += f"{_escaped(subject.what)}.\n"
        notes = [(fault, cell.note) for fault, cell in subject.cells.items() if cell.note]
        by_note: dict[str, list[str]] = {}
        for fault, note in notes:
            by_note.setdefault(note, []).append(fault)
        lines += [f"- {', '.join(faults)}: {_escaped(note)}" for note, faults in by_note.items()]
        lines.append("")
    return "\n".join(lines)


def _escaped(text: str) -> str:
    """MDX reads braces and angle brackets as code; a table, bars."""
    for character in "{}<>|":
        text = text.replace(character, f"\\{character}")
    return text
