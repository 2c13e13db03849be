"""Bundles go through a real store unharmed or are refused, and the two steps run as Prefect calls them."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from azure.core import exceptions as azure_exceptions

from prefect_azure import AzureBlobStorageCredentials
from prefect_azure.bundles import execute, upload
from prefect_azure.bundles._store import BlobBundleStore
from prefect_azure.bundles.execute import execute_bundle_from_azure_blob_storage
from prefect_azure.bundles.upload import upload_bundle_to_azure_blob_storage
from prefect_azure.errors import AzureAccessDenied, AzureBundleRefused, BlobNotFound, ContainerNotFound
from prefect_integration_kit.bundles import DIGEST, PYTHON, download_bundle
from prefect_integration_tests.backends._azurite_front import AzuriteFront

if TYPE_CHECKING:
    from prefect_integration_tests.backends.azurite import Azurite

KEY = "0b7f6f7e-1d0c-4a51-9d0a-6a8f0c3f6d11"
EMPTY = '{"function": "f", "context": "c", "flow_run": {}}'
BLOCK = "azure-bundle-store"


@pytest.fixture(scope="module", autouse=True)
def block(prefect_harness: None, azurite: Azurite) -> str:
    """Name of a saved block that reaches the store."""
    save: Any = AzureBlobStorageCredentials(connection_string=azurite.connection_string).save
    save(BLOCK, overwrite=True, _sync=True)
    return BLOCK


@pytest.fixture
def bucket(azurite: Azurite, azure_container: str) -> Any:
    """An empty container, by Azure's own client."""
    return azurite.client().get_container_client(azure_container)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / KEY
    path.write_text(EMPTY)
    return path


def put(path: Path, container: str, key: str, block: str = BLOCK, **options: Any) -> Any:
    """Upload from code that is not async."""
    return asyncio.run(upload_bundle_to_azure_blob_storage(path, container, key, block, **options))


def run_it(container: str, key: str, block: str = BLOCK, **options: Any) -> None:
    asyncio.run(execute_bundle_from_azure_blob_storage(container, key, block, **options))


def keys(bucket: Any) -> list[str]:
    return list(bucket.list_blob_names())


def fetch(container: str, key: str, folder: Path, block: str = BLOCK) -> bytes:
    return download_bundle(BlobBundleStore.open(container, block), key, folder).read_bytes()


@pytest.mark.parametrize("size", [0, 1000, 9 * 1024 * 1024], ids=["empty", "small", "in parts"])
def test_what_is_uploaded_is_what_is_downloaded(bucket: Any, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    for _ in range(2):  # the second time does no harm
        result = put(tmp_path / "up", bucket.container_name, "files/up.zip")
    assert result == {"container": bucket.container_name, "key": "files/up.zip"}
    assert keys(bucket) == ["files/up.zip"]
    stored = bucket.get_blob_client("files/up.zip")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    expected = {DIGEST: hashlib.sha256(content).hexdigest(), PYTHON: python}
    assert stored.get_blob_properties().metadata == expected
    assert stored.download_blob().readall() == content
    assert fetch(bucket.container_name, "files/up.zip", tmp_path / "down") == content


@pytest.mark.parametrize("given", ["/deep//./file", "deep/file"])
def test_a_key_is_written_in_one_way(bucket: Any, file: Path, given: str, tmp_path: Path) -> None:
    assert put(file, bucket.container_name, given)["key"] == "deep/file"
    assert keys(bucket) == ["deep/file"]
    assert fetch(bucket.container_name, given, tmp_path / "down") == file.read_bytes()


def test_a_bundle_without_a_key_is_named_after_its_file(bucket: Any, file: Path) -> None:
    assert put(file, bucket.container_name, "")["key"] == KEY


def test_a_path_may_be_text(bucket: Any, file: Path) -> None:
    assert put(str(file), bucket.container_name, KEY)["key"] == KEY  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("key", ["../outside", "a/../../outside", "a\\..\\outside", "/", "a\nb"])
def test_a_key_cannot_leave_the_container_or_the_folder(bucket: Any, file: Path, key: str) -> None:
    for work in (lambda: put(file, bucket.container_name, key), lambda: run_it(bucket.container_name, key)):
        with pytest.raises(ValueError, match="Bundle key"):
            work()
    assert not keys(bucket)


async def test_a_running_event_loop_awaits_both_steps(bucket: Any, file: Path) -> None:
    result = await upload_bundle_to_azure_blob_storage(file, bucket.container_name, KEY, BLOCK)
    assert result == {"container": bucket.container_name, "key": KEY}
    with pytest.raises(BlobNotFound, match="absent"):
        await execute_bundle_from_azure_blob_storage(bucket.container_name, "absent", BLOCK)


# What goes wrong -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["no-such-block", ""])
def test_a_block_that_does_not_exist_is_named(bucket: Any, file: Path, name: str) -> None:
    container = bucket.container_name
    for work in (lambda: put(file, container, KEY, name), lambda: run_it(container, KEY, name)):
        with pytest.raises(ValueError, match=name or "azure_blob_storage_credentials_block_name is empty"):
            work()


def test_a_file_that_does_not_exist_is_named(bucket: Any) -> None:
    for error in (ValueError, FileNotFoundError):
        with pytest.raises(error, match=r"absent\.json' does not exist"):
            put(Path("absent.json"), bucket.container_name, KEY)


@pytest.mark.parametrize("name", ["", "https://shop.blob.core.windows.net/bundles", "bundles/may"])
def test_a_container_that_is_no_name_is_refused(file: Path, name: str) -> None:
    for call in (lambda: put(file, name, KEY), lambda: run_it(name, KEY)):
        with pytest.raises(ValueError, match="Container name"):
            call()


def test_what_is_missing_is_named(bucket: Any, file: Path) -> None:
    with pytest.raises(BlobNotFound, match=rf"{KEY}.*{bucket.container_name}") as caught:
        run_it(bucket.container_name, KEY)
    assert isinstance(caught.value, azure_exceptions.ResourceNotFoundError)
    assert isinstance(pickle.loads(pickle.dumps(caught.value)), BlobNotFound)
    for work in (lambda: put(file, "no-such-container", KEY), lambda: run_it("no-such-container", KEY)):
        with pytest.raises(ContainerNotFound, match="no-such-container"):
            work()


@pytest.fixture(scope="module")
def one_front(azurite: Azurite) -> Iterator[AzuriteFront]:
    with AzuriteFront(azurite) as front:
        yield front


@pytest.fixture(scope="module")
def fronted(prefect_harness: None, one_front: AzuriteFront) -> str:
    """Name of a saved block that reaches the store through the front."""
    save: Any = AzureBlobStorageCredentials(connection_string=one_front.connection_string).save
    save(f"{BLOCK}-fronted", overwrite=True, _sync=True)
    return f"{BLOCK}-fronted"


@pytest.fixture
def front(one_front: AzuriteFront) -> AzuriteFront:
    """The front, without faults; nothing has arrived yet."""
    one_front.heal()
    one_front.requests.clear()
    return one_front


def test_a_request_that_is_denied_names_the_bundle(front: AzuriteFront, fronted: str, bucket: Any, file: Path) -> None:
    container = bucket.container_name
    front.fail("*", status=403, times=None)
    for work in (lambda: put(file, container, KEY, fronted), lambda: run_it(container, KEY, fronted)):
        with pytest.raises(AzureAccessDenied, match=f"Blob '{KEY}' of container '{container}'"):
            work()


@pytest.mark.parametrize("fault", ["refused", "done but refused", "lost", "cut", "corrupted"])
@pytest.mark.parametrize("size", [1000, 9 * 1024 * 1024], ids=["small", "in parts"])
def test_a_single_failure_on_the_way_does_no_harm(
    front: AzuriteFront, fronted: str, bucket: Any, tmp_path: Path, fault: str, size: int
) -> None:
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    break_: dict[str, Callable[[Any], None]] = {
        "refused": lambda operation: front.fail(operation, status=503),
        "done but refused": lambda operation: front.fail(operation, status=503, after=True),
        "lost": front.lose,
        "cut": front.cut,
        "corrupted": front.corrupt,
    }
    uploads = ("upload",) if size == 1000 else ("block", "commit")
    for operation in ("download",) if fault == "corrupted" else (*uploads, "download"):
        break_[fault](operation)
    put(tmp_path / "up", bucket.container_name, KEY, fronted)
    assert fetch(bucket.container_name, KEY, tmp_path / "down", fronted) == content
    assert bucket.download_blob(KEY).readall() == content


def test_azure_is_told_the_checksum_and_the_scope_that_encrypts(
    front: AzuriteFront, fronted: str, bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [*options(bucket.container_name, block=fronted), "--encryption-scope", "shop", str(file)]
    assert run(upload.main, monkeypatch, *command) == 0
    (request,) = front.seen("upload")
    assert request.headers["content-md5"] == base64.b64encode(hashlib.md5(file.read_bytes()).digest()).decode()
    assert request.headers["x-ms-encryption-scope"] == "shop"


def test_a_bundle_that_is_replaced_while_it_is_read_is_read_anew(
    front: AzuriteFront, fronted: str, bucket: Any, tmp_path: Path
) -> None:
    content = os.urandom(9 * 1024 * 1024)
    (tmp_path / "up").write_bytes(content)
    put(tmp_path / "up", bucket.container_name, KEY)
    front.fail("download", status=412)
    assert fetch(bucket.container_name, KEY, tmp_path / "down", fronted) == content
    downloads = front.seen("download")
    etag = bucket.get_blob_client(KEY).get_blob_properties().etag
    assert {request.headers.get("if-match") for request in downloads} == {None, etag}  # all parts are of one version


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """A file that appears when the bundle of `trapped` is unpickled."""
    return tmp_path / "unpickled"


@pytest.fixture
def trapped(bucket: Any, tmp_path: Path, trap: Path) -> bytes:
    """An uploaded bundle that betrays it when someone unpickles it; its content."""
    from prefect.bundles import _serialize_bundle_object

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (trap,)

    packed = _serialize_bundle_object(Trap())
    content = json.dumps({"function": packed, "context": packed, "flow_run": {}, "dependencies": ""}).encode()
    (tmp_path / "trapped").write_bytes(content)
    put(tmp_path / "trapped", bucket.container_name, KEY)
    return content


@pytest.mark.parametrize("change", [b" ", b"}"], ids=["longer", "other"])
def test_a_bundle_that_was_changed_is_refused_before_it_is_unpickled(
    bucket: Any, trapped: bytes, trap: Path, change: bytes
) -> None:
    blob = bucket.get_blob_client(KEY)
    metadata = blob.get_blob_properties().metadata
    blob.upload_blob(trapped + change, metadata=metadata, overwrite=True)
    url = f"azure://{bucket.container_name}/{KEY}"
    with pytest.raises(AzureBundleRefused, match=f"{url} is not what was uploaded") as caught:
        run_it(bucket.container_name, KEY)
    assert isinstance(caught.value, RuntimeError)
    assert caught.value.subject == url
    assert not trap.exists()

    from prefect.bundles import extract_flow_from_bundle

    extract_flow_from_bundle(json.loads(trapped))
    assert trap.exists()  # so the trap works


def test_a_bundle_that_an_earlier_version_uploaded_is_taken_as_it_is(
    bucket: Any, trapped: bytes, tmp_path: Path
) -> None:
    bucket.upload_blob(KEY, trapped, overwrite=True)
    assert fetch(bucket.container_name, KEY, tmp_path / "down") == trapped


def test_what_is_no_bundle_is_refused(bucket: Any) -> None:
    bucket.upload_blob(KEY, b"PK")
    with pytest.raises(AzureBundleRefused, match=f"azure://{bucket.container_name}/{KEY} is not a bundle"):
        run_it(bucket.container_name, KEY)


# The command lines ---------------------------------------------------------------------------------------------------


def run(main: Callable[[], None], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int | str | None:
    monkeypatch.setattr(sys, "argv", ["step", *arguments])
    try:
        main()
    except SystemExit as exc:
        return exc.code
    return 0


def options(container: str, key: str = KEY, block: str = BLOCK) -> list[str]:
    return ["--container", container, "--key", key, "--azure-blob-storage-credentials-block-name", block]


def test_a_bundle_is_uploaded_from_the_command_line_in_silence(
    bucket: Any, file: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(upload.main, monkeypatch, *options(bucket.container_name), str(file)) == 0
    assert bucket.download_blob(KEY).readall() == file.read_bytes()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("main", "arguments", "says"),
    [
        (upload.main, options("c"), "LOCAL_FILEPATH"),
        (upload.main, [*options("c")[:2], *options("c")[4:], "f"], "--key"),
        (upload.main, [*options("c")[:4], "f"], "--azure-blob-storage-credentials-block-name"),
        (upload.main, [*options("c"), "f", "--acl", "public"], "--acl"),
        (execute.main, options("c")[2:], "--container"),
        (execute.main, options("c")[:4], "--azure-blob-storage-credentials-block-name"),
        (execute.main, ["--contain", *options("c")[1:]], "--container"),
        (execute.main, [*options("c"), "file"], "file"),
        (execute.main, [*options("c"), "--delete-after-run", "perhaps"], "perhaps"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_the_usage(
    main: Callable[[], None],
    arguments: list[str],
    says: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run(main, monkeypatch, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"usage: python -m prefect_azure.bundles.{'upload' if main is upload.main else 'execute'}")
    assert says in error.splitlines()[-1]


def test_a_failure_is_one_line_without_a_traceback(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code = run(upload.main, monkeypatch, *options(bucket.container_name), "absent.json")
    assert str(code).startswith("BundleFileNotFound: Bundle file 'absent.json' does not exist")
    code = run(execute.main, monkeypatch, *options(bucket.container_name))
    assert str(code).startswith(f"BlobNotFound: Blob {KEY!r} of container {bucket.container_name!r}: ")
    assert "\n" not in str(code)


def test_the_steps_run_when_warnings_are_errors(tmp_path: Path) -> None:
    script = """
import contextlib, runpy, sys
sys.argv = ["step", "--help"]
for package in ("prefect_azure.bundles", "prefect_azure.experimental.bundles"):
    for step in ("upload", "execute"):
        with contextlib.suppress(SystemExit):
            runpy.run_module(f"{package}.{step}", run_name="__main__", alter_sys=True)
"""
    command = [sys.executable, "-W", "error", "-c", script]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=110)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("--azure-blob-storage-credentials-block-name") == 8  # in usage and options
