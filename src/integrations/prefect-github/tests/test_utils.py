"""The small helpers of the modules of tasks."""

from __future__ import annotations

from pathlib import Path

import pytest

from prefect_github.utils import camel_to_snake_case, initialize_return_fields_defaults, strip_kwargs


@pytest.mark.parametrize(
    ("camel", "snake"),
    [
        ("createdAt", "created_at"),
        ("PullRequest", "pull_request"),
        ("bodyHTML", "body_html"),
        ("HTMLBody", "html_body"),
        ("projectV2", "project_v2"),
        ("already_snake", "already_snake"),
        ("id", "id"),
        ("", ""),
    ],
)
def test_a_name_in_camel_case_becomes_one_of_python(camel: str, snake: str) -> None:
    assert camel_to_snake_case(camel) == snake


def test_what_is_none_is_dropped_and_nothing_else() -> None:
    assert strip_kwargs(first=0, after="", labels=[], is_locked=False, last=None) == {
        "first": 0,
        "after": "",
        "labels": [],
        "is_locked": False,
    }
    assert strip_kwargs() == {}


@pytest.mark.parametrize("kind", [str, Path])
def test_defaults_are_read_by_path(tmp_path: Path, kind: type) -> None:
    file = tmp_path / "fields.json"
    file.write_text('{"repository.issues": ["total_count", "nodes { id }"]}')
    defaults = initialize_return_fields_defaults(kind(file))
    assert defaults["repository.issues"] == ["total_count", "nodes { id }"]
    assert defaults["repository.labels"] == []


@pytest.mark.parametrize("text", ["[]", '{"repository": "id"}', '{"repository": [1]}'])
def test_a_file_that_holds_something_else_is_refused_by_name(tmp_path: Path, text: str) -> None:
    file = tmp_path / "fields.json"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"fields\.json: holds no JSON object with lists of fields"):
        initialize_return_fields_defaults(file)
