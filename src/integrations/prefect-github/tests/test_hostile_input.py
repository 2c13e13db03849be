"""Texts from outside go to GitHub as values of variables; documents are made of known names alone."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pydantic import ValidationError

from prefect_github import GitHubAppCredentials, GitHubCredentials
from prefect_github._documents import changes_something
from prefect_github._selections import selection
from prefect_github.repository import query_repository
from prefect_integration_tests import hostile
from prefect_integration_tests.backends.github_api import AppAtGitHub, GitHubApi

TEXTS = tuple(dict.fromkeys(hostile.ALL))
GRAPHQL = (
    'x") { id } } mutation { deleteRef(input: {refId: "R_1"}) { clientMutationId } } query { user(login: "y',
    "id } } mutation { deleteRef { clientMutationId } } { viewer { login",
    "id # ",
    "id @include(if: true)",
    "$owner",
    "id: login",
)


async def test_arguments_are_values_and_never_part_of_a_document(
    github_api: GitHubApi, credentials: GitHubCredentials
) -> None:
    heard: list[dict[str, Any]] = []

    def repository(**arguments: Any) -> dict[str, Any]:
        heard.append(arguments)
        return {"id": "R_1"}

    github_api.data = {"repository": repository}
    texts = [*TEXTS, *GRAPHQL]
    for text in texts:
        await query_repository.fn(text, text, credentials, return_fields="id")
    assert [(each["owner"], each["name"]) for each in heard] == [(text, text) for text in texts]


@pytest.mark.parametrize("text", [*TEXTS, *GRAPHQL], ids=ascii)
def test_nothing_hostile_is_a_field_of_an_answer(text: str) -> None:
    with pytest.raises(ValueError, match="return_fields"):
        selection("Repository", text)
    with pytest.raises(ValueError, match="return_fields"):
        selection("Repository", ["id", text])


@pytest.mark.parametrize("text", GRAPHQL[:2], ids=ascii)
def test_a_text_in_a_document_is_no_mutation(text: str) -> None:
    assert not changes_something(f"query {{ user(login: {json.dumps(text)}) {{ id }} }}")


@pytest.mark.parametrize("form", ["{}", "{}/etl", "shop/{}"])
def test_nothing_hostile_is_where_an_app_is_installed(form: str, app: AppAtGitHub) -> None:
    for text in (*hostile.NO_NAMES, ".", "shop?x", "shop#x"):
        if form == "shop/{}" and text in ("-n", "-c", "-", "--"):  # names of repositories may be so
            continue
        with pytest.raises(ValidationError, match="owner is the name"):
            GitHubAppCredentials(app_id=app.id, private_key=app.private_key, owner=form.format(text))
