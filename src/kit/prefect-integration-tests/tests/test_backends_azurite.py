"""The Blob Storage server keeps what it is given; its front fails on demand and plays a hierarchical namespace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("azure.storage.blob")

from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from prefect_integration_tests.backends import _azurite_program
from prefect_integration_tests.backends.azurite import Azurite, AzuriteFront
from prefect_integration_tests.backends.processes import ServerError


@pytest.fixture
def through(azurite_front: AzuriteFront, azure_container: str) -> Any:
    """The container through the front, without retries."""
    from azure.storage.blob import ContainerClient

    return ContainerClient.from_connection_string(azurite_front.connection_string, azure_container, retry_total=0)


def test_what_is_written_is_read(azurite: Azurite, azure_container: str) -> None:
    container = azurite.client().get_container_client(azure_container)
    for key, body in {"a/ü b+%.bin": b"\x00\xff", "empty": b"", "a//b": b"1"}.items():
        container.upload_blob(key, body)
        assert container.download_blob(key).readall() == body


@pytest.mark.parametrize("turn", [1, 2])
def test_each_test_gets_an_empty_container(azurite: Azurite, azure_container: str, turn: int) -> None:
    container = azurite.client().get_container_client(azure_container)
    assert list(container.list_blobs()) == []
    container.upload_blob(f"left-by-{turn}", b"x")


def test_a_wrong_key_is_refused(azurite: Azurite, azure_container: str) -> None:
    client = azurite.client(credential={"account_name": azurite.account, "account_key": "d3Jvbmc="})
    with pytest.raises(HttpResponseError, match="authenticate"):
        client.get_container_client(azure_container).upload_blob("k", b"1")


def test_a_failure_comes_as_often_as_asked(through: Any, azurite_front: AzuriteFront) -> None:
    azurite_front.fail("upload", status=503, times=2, headers={"Retry-After": "7"})
    for _ in range(2):
        with pytest.raises(HttpResponseError) as caught:
            through.upload_blob("k", b"1")
        assert (caught.value.error_code, caught.value.response.headers["Retry-After"]) == ("ServerBusy", "7")
    through.upload_blob("k", b"1")
    assert len(azurite_front.seen("upload")) == 3


def test_a_lost_answer_leaves_the_work_done(through: Any, azurite_front: AzuriteFront) -> None:
    azurite_front.fail("upload", status=500, after=True)
    with pytest.raises(HttpResponseError):
        through.upload_blob("k", b"1")
    azurite_front.lose("upload")
    with pytest.raises(Exception, match=r"(?i)closed|reset|aborted"):
        through.upload_blob("k", b"2", overwrite=True)
    assert through.download_blob("k").readall() == b"2"


def test_spoilt_and_broken_downloads_arrive_as_such(through: Any, azurite_front: AzuriteFront) -> None:
    through.upload_blob("k", b"content")
    azurite_front.corrupt()
    assert through.download_blob("k").readall() != b"content"
    azurite_front.cut("download", times=3)
    with pytest.raises(HttpResponseError, match=r"(?i)incomplete"):
        through.download_blob("k").readall()


def test_requests_are_told_apart(through: Any, azurite_front: AzuriteFront) -> None:
    blob = through.get_blob_client("a/b")
    blob.stage_block("MDAw", b"1")
    blob.commit_block_list(["MDAw"])
    blob.get_blob_properties()
    through.get_blob_client("c").start_copy_from_url(blob.url)
    list(through.list_blobs())
    through.delete_blob("a/b")
    seen = [(request.operation, request.key) for request in azurite_front.requests]
    assert seen == [
        *(("block", "a/b"), ("commit", "a/b"), ("properties", "a/b")),
        *(("copy", "c"), ("list", ""), ("delete", "a/b")),
    ]


def test_a_hierarchical_namespace_has_directories(
    through: Any, azurite: Azurite, azurite_front: AzuriteFront, azure_container: str
) -> None:
    lake = pytest.importorskip("azure.storage.filedatalake")
    azurite_front.is_hierarchical = True
    credential = {"account_name": azurite.account, "account_key": azurite.account_key}
    service = lake.DataLakeServiceClient(azurite_front.endpoint, credential=credential)
    files = service.get_file_system_client(azure_container)
    through.upload_blob("a/b/c", b"1")
    assert [blob.name for blob in through.list_blobs()] == ["a", "a/b", "a/b/c"]
    with pytest.raises(ResourceNotFoundError, match="parent directory"):
        files.get_directory_client("a/b").rename_directory(f"{azure_container}/x/y")
    files.get_directory_client("x").create_directory()
    with pytest.raises(ResourceExistsError):
        files.get_directory_client("x").create_directory(match_condition=MatchConditions.IfMissing)
    files.get_directory_client("a/b").rename_directory(f"{azure_container}/x/y")
    assert [blob.name for blob in through.list_blobs()] == ["a", "x", "x/y", "x/y/c"]
    files.get_directory_client("x").delete_directory()
    with pytest.raises(ResourceNotFoundError):
        files.get_directory_client("x").delete_directory()
    assert [blob.name for blob in through.list_blobs()] == ["a"]


def test_a_program_on_the_path_is_preferred(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "azurite-blob"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert _azurite_program.azurite_command() == [str(program)]


def test_an_installation_that_fails_says_why_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    monkeypatch.setenv("npm_config_cache", str(tmp_path / "npm"))
    with pytest.raises(ServerError, match=r"npm could not install azurite 3\.37\.0"):
        _azurite_program.azurite_command()
    left = [path.name for path in (tmp_path / "cache" / "prefect-integration-tests").iterdir()]
    assert left == ["azurite.lock"]
