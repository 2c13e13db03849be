"""Findings are printed as they come, and say whether something failed."""

from __future__ import annotations

import json
from collections.abc import Iterator

from prefect_integration_kit.findings import Finding, failed, ok, show, warning


def test_each_finding_is_a_line_with_a_mark_and_further_lines_are_indented() -> None:
    lines: list[str] = []
    assert not show([ok("image", "It is there."), failed("network", "No way out.\nAdd a gateway.")], lines.append)
    assert lines == [
        "✓ image             It is there.",
        "✗ network           No way out.\n" + " " * 20 + "Add a gateway.",
    ]


def test_warnings_are_no_failures() -> None:
    assert show([warning("quota", "Could not be read.")], lambda _: None)


def test_findings_are_printed_while_the_next_is_looked_for() -> None:
    lines: list[str] = []

    def look() -> Iterator[Finding]:
        yield ok("first", "x")
        assert len(lines) == 1
        yield ok("second", "x")

    assert show(look(), lines.append)
    assert len(lines) == 2


def test_json_has_all_findings_in_one_document() -> None:
    printed: list[str] = []
    assert not show([ok("a", "x"), failed("b", "y")], printed.append, as_json=True)
    [document] = printed
    assert json.loads(document) == [
        {"check": "a", "level": "ok", "message": "x"},
        {"check": "b", "level": "failed", "message": "y"},
    ]
