"""Texts from outside reach a workspace as values and fields, or are refused; none is SQL or part of an address."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from prefect_databricks import DatabricksBadRequest, jobs
from prefect_databricks._address import workspace_address
from prefect_databricks._auth.profiles import from_profile
from prefect_databricks.models.jobs import NotebookTask, RunSubmitTaskSettings
from prefect_databricks.sql import asql_statement
from prefect_integration_tests import hostile
from prefect_integration_tests.backends.databricks import WAREHOUSE

if TYPE_CHECKING:
    from pathlib import Path

    from prefect_databricks import DatabricksCredentials
    from prefect_integration_tests.backends.databricks import Databricks

TEXTS = tuple(dict.fromkeys(hostile.ALL))


async def test_values_are_bound_whatever_they_hold(databricks: Databricks, credentials: DatabricksCredentials) -> None:
    pytest.importorskip("duckdb", reason="the local warehouse executes statements by it")
    databricks.sql.execute("CREATE TABLE victims (a VARCHAR)")
    texts = [text for text in TEXTS if "\0" not in text]
    names = {f"v{number}": text for number, text in enumerate(texts)}
    statement = f"SELECT {', '.join(f':{name} AS {name}' for name in names)}"
    result = await asql_statement.fn(statement, credentials, WAREHOUSE, names)
    assert result.rows == [tuple(texts)]
    assert databricks.calls_of("ExecuteStatement")[0].body["statement"] == statement
    table = await asql_statement.fn("SELECT count(*) FROM victims", credentials, WAREHOUSE)
    assert table.rows == [(0,)]


async def test_names_of_runs_and_notebooks_arrive_as_they_are(
    databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    for text in TEXTS:
        notebook = NotebookTask(notebook_path=f"/Shared/{text}", base_parameters={text: text})
        task = RunSubmitTaskSettings(task_key="a", existing_cluster_id="c", notebook_task=notebook)
        await jobs.jobs_runs_submit.fn(credentials, run_name=text, tasks=[task])
        body = databricks.calls[-1].body
        assert body["run_name"] == text
        (sent,) = body["tasks"]
        assert sent["notebook_task"] == {"notebook_path": f"/Shared/{text}", "base_parameters": {text: text}}


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
async def test_nothing_hostile_is_a_version_or_a_number(
    text: str, databricks: Databricks, credentials: DatabricksCredentials
) -> None:
    with pytest.raises(DatabricksBadRequest, match="`api_version` is"):
        await jobs.jobs_get.fn(1, credentials, api_version=text)
    with pytest.raises(DatabricksBadRequest, match="`job_id`"):
        await jobs.jobs_get.fn(text, credentials)  # pyright: ignore[reportArgumentType]
    assert not databricks.calls


@pytest.mark.parametrize("form", ["{}", "https://{}", "dbc-1.cloud.databricks.com/{}", "https://x:{}@host"])
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_an_instance_is_a_host_and_a_plain_path_or_is_refused(form: str, text: str) -> None:
    try:
        address = workspace_address(form.format(text))
    except ValueError as exc:
        assert str(exc).startswith("databricks_instance ")  # noqa: PT017 - not all of them are refused
        return
    parts = urlsplit(address)
    assert parts.geturl() == address
    assert (parts.scheme, parts.username, parts.query, parts.fragment) == ("https", None, "", "")
    assert {".", ".."}.isdisjoint(parts.path.split("/"))
    assert address.isprintable()


@pytest.mark.parametrize("text", hostile.NO_NAMES, ids=ascii)
def test_nothing_hostile_is_a_profile(text: str, tmp_path: Path) -> None:
    file = tmp_path / "profiles"
    file.write_text("[DEFAULT]\nhost = https://a.example.com\n[shop]\nhost = https://b.example.com\n")
    with pytest.raises(ValueError, match="profile"):
        from_profile(text, str(file))
