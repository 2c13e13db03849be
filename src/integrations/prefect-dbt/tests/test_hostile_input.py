"""Words, paths, ids and profiles from outside reach dbt and dbt Cloud as what they are, or are refused by name."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import httpx
import pytest
import yaml

from prefect_dbt._profiles import to_yaml
from prefect_integration_tests import hostile

if TYPE_CHECKING:
    from prefect_dbt.cloud import DbtCloudCredentials
    from prefect_integration_tests.backends.dbt_cloud import DbtCloud

TEXTS = tuple(dict.fromkeys(hostile.ALL))


@pytest.mark.filterwarnings("ignore:The tasks and blocks of `prefect_dbt.cli`")
@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_word_of_a_command_stays_one_word(text: str) -> None:
    words = ["run", "--vars", text]
    from prefect_dbt.cli._running import _words

    assert _words(shlex.join(["dbt", *words]), None) == words
    assert _words("dbt run", ["--vars", text]) == words


@pytest.mark.parametrize("text", TEXTS, ids=ascii)
def test_a_profile_is_read_as_it_was_written(text: str) -> None:
    output = {"type": "duckdb", "path": text, "schema": text, text: [text]}
    profiles = {"shop": {"target": "dev", "outputs": {"dev": output}}}
    assert yaml.safe_load(to_yaml(profiles)) == profiles


async def test_the_path_of_an_artifact_arrives_or_is_refused(
    dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    async with cloud_credentials.get_administrative_client() as client:
        for text in TEXTS:
            dbt_cloud.calls.clear()
            if {"", ".", ".."}.isdisjoint(text.strip("/").split("/")):
                with pytest.raises(httpx.HTTPStatusError):  # the run has no such artifact
                    await client.get_run_artifact(1, text)
                (call,) = dbt_cloud.calls
                assert (call.operation, call.query) == ("GetArtifact", {})
                assert unquote(call.path).partition("/runs/1/artifacts/")[2] == text.strip("/")
            else:
                with pytest.raises(ValueError, match="path is"):
                    await client.get_run_artifact(1, text)
                assert not dbt_cloud.calls


@pytest.mark.parametrize("given", ["..", "../jobs/1", "1/../2", "1/."])
@pytest.mark.parametrize("method", ["get_run", "get_job", "delete_job", "cancel_run", "trigger_job_run"])
async def test_an_id_leads_to_no_other_endpoint(
    method: str, given: Any, dbt_cloud: DbtCloud, cloud_credentials: DbtCloudCredentials
) -> None:
    with pytest.raises(ValueError, match=r"path is .* leads to another endpoint"):
        await getattr(cloud_credentials.get_administrative_client(), method)(given)
    assert not dbt_cloud.calls
