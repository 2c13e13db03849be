from __future__ import annotations

from importlib.metadata import version

import pytest

from prefect_integration_kit._requirements import unmet

PYTEST = version("pytest")


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# a comment",
        f"pytest=={PYTEST}",
        f"PyTest == {PYTEST}",
        "pytest",
        "pytest>=1",
        'absent==1; python_version < "3"',
        f'pytest=={PYTEST} ; python_version >= "3"',
    ],
)
def test_what_is_installed_is_met(line: str) -> None:
    assert unmet(line) == []


@pytest.mark.parametrize(
    "line",
    [
        "absent==1",
        "pytest==0.1",
        "pytest @ https://example.com/pytest.whl",
        "-e git+https://example.com/x",
        "--index-url https://example.com",
        "not a requirement",
    ],
)
def test_what_is_not_installed_or_cannot_be_told_is_listed(line: str) -> None:
    assert unmet(f"pytest=={PYTEST}\n{line}\n") == [line]
