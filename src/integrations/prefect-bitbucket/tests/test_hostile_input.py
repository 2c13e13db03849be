"""Repositories, references, folders and logins from outside: git runs no program, and no login leaves its place."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from pydantic import ValidationError

from prefect_bitbucket import BitBucketCredentials, BitBucketRepository
from prefect_integration_tests import hostile

TEXTS = tuple(dict.fromkeys(hostile.ALL))
URL = "https://bitbucket.corp/scm/shop/etl.git"


@pytest.mark.parametrize("text", hostile.GIT_ADDRESSES, ids=ascii)
def test_no_repository_makes_git_run_a_program(text: str) -> None:
    with pytest.raises(ValidationError, match="repository"):
        BitBucketRepository(repository=text)


@pytest.mark.parametrize("text", hostile.OPTIONS, ids=ascii)
def test_no_option_is_a_reference_or_a_folder(text: str) -> None:
    with pytest.raises(ValidationError, match="reference"):
        BitBucketRepository(repository=URL, reference=text)
    with pytest.raises(ValidationError, match="directories"):
        BitBucketRepository(repository=URL, directories=[text])


@pytest.mark.parametrize("text", hostile.PATHS, ids=ascii)
def test_no_folder_leads_out_of_the_repository(text: str) -> None:
    with pytest.raises(ValidationError, match="directories"):
        BitBucketRepository(repository=URL, directories=[text])


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_login_is_in_an_address_as_it_is_or_is_refused(text: str) -> None:
    for fields in ({"username": "ada", "password": text}, {"username": "ada", "token": text, "token_type": "http"}):
        try:
            parts = urlsplit(BitBucketCredentials(**fields).format_git_credentials(URL))
        except ValueError as exc:
            assert text not in str(exc) or len(text) < 3  # noqa: PT017 - not all of them are refused
            continue
        assert (parts.scheme, parts.hostname, parts.path) == ("https", "bitbucket.corp", "/scm/shop/etl.git")
        assert (unquote(parts.username or ""), unquote(parts.password or "")) == ("ada", text)


@pytest.mark.parametrize("text", ["https://host\nevil", "a b", "host?x", "host#x", "u:p@host"], ids=ascii)
def test_nothing_hostile_is_an_instance(text: str) -> None:
    with pytest.raises(ValidationError, match="url"):
        BitBucketCredentials(token="x", url=text)
