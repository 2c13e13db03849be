"""What passes is repeated, what does not is said at once; nothing is stored twice, lost or left half done."""

from __future__ import annotations

import asyncio
import io
import logging
from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContentSettings

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.blob_storage import AzureBlobStorageContainer
from prefect_azure.errors import (
    AzureAccessDenied,
    AzureChecksumMismatch,
    AzureConnectionFailed,
    AzurePreconditionFailed,
    AzureRateLimited,
    AzureUnavailable,
    BlobExists,
)
from prefect_integration_kit.waiting import apoll
from prefect_integration_tests.backends.azurite import Azurite, AzuriteFront
from prefect_integration_tests.backends.faults import FaultProxy, closed_port
from prefect_integration_tests.faces import Call

PART = 2**20


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_PART_MEBIBYTES", "1")


def patience(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv("PREFECT_INTEGRATIONS_AZURE_BLOB_RETRY_SECONDS", str(seconds))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
async def test_a_failure_that_passes_is_not_seen(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, status: int
) -> None:
    for operation in ("upload", "download", "list", "copy", "delete"):
        azurite_front.fail(operation, status=status)
    await fronted.write_path("a", b"1")
    assert await fronted.read_path("a") == b"1"
    assert await fronted.list_blobs("") == ["base/a"]
    await fronted.acopy_object("a", "b")
    await fronted.adelete_object("a")
    assert behind.keys() == ["base/b"]


async def test_a_connection_that_breaks_is_not_seen(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, tmp_path: Path, engine: str
) -> None:
    content = bytes(range(256)) * 8192  # two parts
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "large").write_bytes(content)
    (tmp_path / "s" / "small").write_bytes(b"s")
    for operation in ("upload", "block", "commit"):
        azurite_front.lose(operation)
    await fronted.put_directory(str(tmp_path / "s"), "x")
    azurite_front.cut("download")
    azurite_front.lose("list")
    await fronted.get_directory("x", str(tmp_path / "d"))
    assert {path.name: path.read_bytes() for path in (tmp_path / "d").iterdir()} == {"large": content, "small": b"s"}


async def test_azures_own_delay_is_kept(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 5)
    azurite_front.fail("upload", status=503, headers={"Retry-After": "30"})
    with pytest.raises(AzureUnavailable) as caught:  # it would take longer than we may wait
        await fronted.write_path("a", b"1")
    assert caught.value.retry_after == 30
    assert len(azurite_front.seen("upload")) == 1


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (503, None, AzureUnavailable),
        (429, None, AzureRateLimited),
        (403, None, AzureAccessDenied),
        (412, None, AzurePreconditionFailed),
    ],
)
async def test_what_stays_is_said_with_its_kind(
    fronted: AzureBlobStorageContainer,
    azurite_front: AzuriteFront,
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    code: str | None,
    kind: type[Exception],
) -> None:
    patience(monkeypatch, 0)
    azurite_front.fail("*", status=status, code=code, times=None)
    for call in (fronted.read_path("a"), fronted.write_path("a", b"1"), fronted.list_blobs()):
        with pytest.raises(kind) as caught:
            await call
        assert isinstance(caught.value, HttpResponseError)
    assert len(azurite_front.requests) == 3


async def test_permanent_failures_are_not_repeated(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront
) -> None:
    azurite_front.fail("*", status=403, times=None)
    with pytest.raises(PermissionError, match=r"'base/a'.*Make a signature with that permission"):
        await fronted.write_path("a", b"1")
    assert len(azurite_front.requests) == 1


async def test_a_lost_answer_does_not_make_our_own_blob_a_stranger(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, call: Call
) -> None:
    azurite_front.lose("upload")
    await call(fronted, "upload_from_file_object", io.BytesIO(b"ours"), "small")
    azurite_front.lose("commit")
    await call(fronted, "upload_from_file_object", io.BytesIO(b"x" * (2 * PART + 1)), "large")
    assert (behind.get("base/small"), len(behind.get("base/large"))) == (b"ours", 2 * PART + 1)


async def test_a_strangers_blob_stays_one_after_a_failure(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, call: Call
) -> None:
    behind.put("base/k", b"other")
    azurite_front.fail("upload", status=503)
    with pytest.raises(BlobExists, match="overwrite=True"):
        await call(fronted, "upload_from_file_object", io.BytesIO(b"ours!"), "k")
    assert behind.get("base/k") == b"other"


# Integrity


async def test_content_that_was_spoilt_is_read_again(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any, tmp_path: Path, engine: str
) -> None:
    behind.put("base/x/a", b"content")
    azurite_front.corrupt()
    assert await fronted.read_path("x/a") == b"content"
    azurite_front.corrupt()
    await fronted.download_folder_to_path("x", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"content"
    buffer = io.BytesIO()
    azurite_front.corrupt()
    await fronted.download_object_to_file_object("x/a", buffer)
    assert buffer.getvalue() == b"content"


async def test_a_wrong_sum_that_somebody_stored_is_only_warned_of(
    container: AzureBlobStorageContainer, behind: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, engine: str
) -> None:
    blob = behind.client.get_blob_client("base/x/a")
    blob.stage_block("MDAw", b"content")
    blob.commit_block_list(["MDAw"], content_settings=ContentSettings(content_md5=bytearray(16)))
    with caplog.at_level(logging.WARNING):
        assert await container.read_path("x/a") == b"content"
        await container.download_folder_to_path("x", tmp_path)
    assert (tmp_path / "a").read_bytes() == b"content"
    assert "does not have the MD5 that is stored with it" in caplog.text


async def test_content_that_differs_each_time_is_not_believed(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any
) -> None:
    behind.put("base/a", b"content")
    spoil, original = iter(range(1, 9)), azurite_front.answer

    def answer(request: Any, target: str) -> Any:
        status, headers, body = original(request, target)
        if request.operation == "download":
            body = bytes([body[0] ^ next(spoil)]) + body[1:]
        return status, headers, body

    azurite_front.answer = answer
    with pytest.raises(AzureChecksumMismatch, match="'base/a'"):
        await fronted.read_path("a")


# Replaced meanwhile


async def test_a_blob_that_is_replaced_while_it_is_moved_is_not_deleted(
    fronted: AzureBlobStorageContainer, azurite_front: AzuriteFront, behind: Any
) -> None:
    behind.put("base/a", b"old")
    original = azurite_front.answer

    def answer(request: Any, target: str) -> Any:
        if request.operation == "delete":
            behind.put("base/a", b"new")
        return original(request, target)

    azurite_front.answer = answer
    with pytest.raises(AzurePreconditionFailed, match=r"was copied to .*'base/b'.* but not deleted"):
        await fronted.amove_object("a", "b")
    assert (behind.get("base/a"), behind.get("base/b")) == (b"new", b"old")


# Nobody there


async def test_an_address_without_a_server_is_named(
    container: AzureBlobStorageContainer, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    patience(monkeypatch, 0)
    text = azurite.connection_string.replace(str(azurite.port), str(closed_port()))
    lost = container.model_copy(update={"credentials": AzureBlobStorageCredentials(connection_string=text)})
    with pytest.raises(AzureConnectionFailed, match=r"'base/a'.*Check the address"):
        await lost.read_path("a")


async def test_a_cancelled_upload_ends_soon_and_stores_nothing(
    container: AzureBlobStorageContainer, azurite: Azurite, behind: Any, tmp_path: Path, engine: str
) -> None:
    (tmp_path / "s").mkdir()
    (tmp_path / "s" / "large").write_bytes(bytes(40 * PART))
    with FaultProxy("127.0.0.1", azurite.port) as proxy:
        proxy.set(blackhole=True, bytes_per_second=4 * PART)  # nothing arrives before it is cancelled
        text = azurite.connection_string.replace(str(azurite.port), str(proxy.port))
        slow = container.model_copy(update={"credentials": AzureBlobStorageCredentials(connection_string=text)})
        work = asyncio.ensure_future(slow.put_directory.aio(slow, str(tmp_path / "s"), "x"))  # type: ignore[attr-defined]

        async def has_begun() -> bool | None:
            return proxy.connections == 4 or None  # parts at once, so the native engine has read all five of its own

        await apoll(has_begun, subject="four connections", interval_seconds=0.01, timeout_seconds=20)
        work.cancel()
        await asyncio.sleep(0)
        proxy.blackhole = False
        with pytest.raises(asyncio.CancelledError):
            await work
    assert behind.keys() == []
