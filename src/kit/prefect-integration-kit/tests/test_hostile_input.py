"""What comes from outside stays what it is: no key leads out, no name ends a query, no password is said."""

from __future__ import annotations

import sqlite3
import traceback
from pathlib import Path

import pytest

from prefect_integration_kit._git.errors import GitInvalidRequest
from prefect_integration_kit._git.values import check_folder, check_reference, parse_address
from prefect_integration_kit.bundles import bundle_key
from prefect_integration_kit.paths import PathEscapes, local_target
from prefect_integration_kit.secret_values import parsed
from prefect_integration_kit.sql_identifiers import quote_identifier
from prefect_integration_tests import hostile

MARK = "q7Zx"


@pytest.mark.parametrize("key", hostile.PATHS, ids=ascii)
def test_no_key_leads_out_of_its_folder(key: str, tmp_path: Path) -> None:
    with pytest.raises(PathEscapes):
        local_target(tmp_path, key)


@pytest.mark.parametrize("name", hostile.SQL, ids=ascii)
@pytest.mark.parametrize("mark", ['"', "`"])
def test_a_database_reads_a_quoted_name_as_that_name(name: str, mark: str) -> None:
    with sqlite3.connect(":memory:") as database:
        database.execute("CREATE TABLE victims (a)")
        row = database.execute(f"SELECT 1 AS {quote_identifier(name, quote=mark)}")
        assert row.description[0][0] == name
        assert database.execute("SELECT count(*) FROM victims").fetchone() == (0,)


@pytest.mark.parametrize("url", hostile.GIT_ADDRESSES, ids=ascii)
def test_no_address_makes_git_run_a_program(url: str) -> None:
    with pytest.raises(GitInvalidRequest):
        parse_address(url)


@pytest.mark.parametrize("text", hostile.OPTIONS, ids=ascii)
def test_no_option_passes_for_a_reference_or_a_folder(text: str) -> None:
    with pytest.raises(GitInvalidRequest):
        check_reference(text)
    with pytest.raises(GitInvalidRequest):
        check_folder(text, "folder")


@pytest.mark.parametrize("folder", [".git\\hooks", "./.GIT/x", "./\\", "\\\\host\\x"], ids=ascii)
def test_no_folder_lies_in_gits_own_or_outside_by_a_backslash(folder: str) -> None:
    with pytest.raises(GitInvalidRequest):
        check_folder(folder, "folder")


@pytest.mark.parametrize("key", ["..", "a/../b", "a\\..\\b", "a\nb", "a\0", "/", ""], ids=ascii)
def test_the_key_of_a_bundle_is_a_plain_one(key: str) -> None:
    with pytest.raises(ValueError, match="Give a"):
        bundle_key(key)


@pytest.mark.parametrize("password", hostile.PASSWORDS, ids=ascii)
@pytest.mark.parametrize(
    "form",
    ["https://user:{}@host/org/repo", "https://user:{}@host", "nope://user:{}@host/r", "https://user:{}@host/r?x"],
)
def test_a_password_that_is_not_encoded_is_not_said(form: str, password: str) -> None:
    try:
        parse_address(form.format(f"{MARK}{password}{MARK}"))
    except GitInvalidRequest as exc:
        assert MARK not in f"{exc} {exc.__cause__} {exc!r}"  # noqa: PT017 - not all of them are refused


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000], ids=["deep", "digits"])
def test_a_secret_that_no_parser_takes_is_a_fault_and_no_error(text: str) -> None:
    assert parsed(text.encode())[1]


def test_the_traceback_of_an_address_has_no_password() -> None:
    with pytest.raises(GitInvalidRequest) as caught:
        parse_address(f"https://user:{MARK}\u2100@host/org/repo")
    shown = [line for line in traceback.format_exception(caught.value) if not line.startswith("  File")]
    assert MARK not in "".join(shown)
