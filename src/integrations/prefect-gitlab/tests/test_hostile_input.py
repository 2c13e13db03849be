"""Projects from outside: one part of an address, whatever they hold."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from prefect_gitlab._api import project_path
from prefect_integration_tests import hostile


@pytest.mark.parametrize("project", [".", "..", "../", "/./"])
def test_a_project_that_an_address_loses_is_refused(project: str) -> None:
    with pytest.raises(ValueError, match="which an address loses"):
        project_path(project)


@pytest.mark.parametrize("project", [text for text in hostile.ALL if text != ".."], ids=ascii)
def test_a_project_is_one_part_of_an_address(project: str) -> None:
    part = project_path(project).removeprefix("/projects/")
    assert not set(part) & set("/?# \r\n")
    assert unquote(part) == project.strip("/")
