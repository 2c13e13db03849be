"""The S3 block beyond its conformance suites."""

from __future__ import annotations

import io
import os
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from prefect import flow, task

from prefect_aws import AwsClientParameters, AwsCredentials, MinIOCredentials, _clients
from prefect_aws.errors import AwsAccessDenied, AwsBucketNotFound, AwsObjectNotFound
from prefect_aws.s3 import S3Bucket
from prefect_integration_tests.suites.object_store import ODD_KEYS

MIB = 2**20


async def test_every_odd_key_is_a_key(emulated_bucket: S3Bucket, behind_emulated: Any, call: Any) -> None:
    for name, key in ODD_KEYS.items():
        await call(emulated_bucket, "write_path", key, name.encode())
    for name, key in ODD_KEYS.items():
        assert await call(emulated_bucket, "read_path", key) == name.encode()
    listed = [item["Key"] for item in await call(emulated_bucket, "list_objects")]
    assert sorted(listed) == sorted(f"base/{key}" for key in ODD_KEYS.values())


async def test_the_guides_example_works_to_the_letter(
    bucket: S3Bucket, call: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    file_path = Path("invoice-17.txt")
    file_path.write_text("42.50 EUR")
    s3_bucket_path = await call(bucket, "upload_from_path", file_path)
    downloaded = await call(bucket, "download_object_to_path", s3_bucket_path, "copy-of-invoice-17.txt")
    assert downloaded.read_text() == "42.50 EUR"
    assert downloaded == tmp_path / "copy-of-invoice-17.txt"


@pytest.mark.parametrize("content", [b"", bytearray(b"ab"), memoryview(b"abc"), bytes(9 * MIB)])
async def test_bytes_of_every_kind_are_written(bucket: S3Bucket, behind: Any, call: Any, content: Any) -> None:
    assert await call(bucket, "write_path", "k", content) == "base/k"
    assert behind.get("base/k") == bytes(content)


async def test_text_is_refused_with_a_hint(bucket: S3Bucket, call: Any, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match=r"str.*encode"):
        await call(bucket, "write_path", "k", "text")
    with (tmp_path / "t").open("w+") as file:
        with pytest.raises(TypeError, match="text mode"):
            await call(bucket, "upload_from_file_object", file, "k")
        with pytest.raises(TypeError, match="text mode"):
            await call(bucket, "download_object_to_file_object", "k", file)


class Unseekable(io.RawIOBase):
    """A pipe-like file."""

    def __init__(self, content: bytes = b"") -> None:
        self._source, self.written = io.BytesIO(content), bytearray()

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def read(self, size: int = -1, /) -> bytes:
        return self._source.read(size)

    def write(self, data: Any, /) -> int:
        self.written += data
        return len(data)


@pytest.mark.parametrize("size", [0, 1000, 9 * MIB])
async def test_files_that_cannot_seek_are_streamed_and_stay_open(bucket: S3Bucket, call: Any, size: int) -> None:
    content = os.urandom(size)
    source, target = Unseekable(content), Unseekable()
    assert await call(bucket, "upload_from_file_object", source, "k") == "base/k"
    assert await call(bucket, "download_object_to_file_object", "k", target) is target
    assert target.written == content
    assert not source.closed
    assert not target.closed


@pytest.mark.parametrize("size", [3, 9 * MIB])
async def test_the_callers_file_stays_open_and_is_read_from_its_position(
    bucket: S3Bucket, behind: Any, call: Any, tmp_path: Path, size: int
) -> None:
    (tmp_path / "f").write_bytes(b"skip" + bytes(size))
    with (tmp_path / "f").open("rb") as file:
        file.seek(4)
        await call(bucket, "upload_from_file_object", file, "k")
        assert not file.closed
    assert behind.get("base/k") == bytes(size)


async def test_boto3s_transfer_options_are_honoured(
    emulated_bucket: S3Bucket, behind_emulated: Any, call: Any, tmp_path: Path
) -> None:
    from boto3.s3.transfer import TransferConfig

    moved: list[int] = []
    (tmp_path / "f").write_bytes(bytes(6 * MIB))
    options: Any = {
        "ExtraArgs": {"ContentType": "text/x-test", "Metadata": {"a": "b"}},
        "Callback": moved.append,
        "Config": TransferConfig(multipart_threshold=5 * MIB, multipart_chunksize=5 * MIB),
    }
    await call(emulated_bucket, "upload_from_path", tmp_path / "f", "f", **options)
    assert sum(moved) == 6 * MIB
    head = behind_emulated.client.head_object(Bucket=behind_emulated.bucket, Key="base/f")
    assert (head["ContentType"], head["Metadata"]) == ("text/x-test", {"a": "b"})
    assert head["ETag"].endswith('-2"')  # two parts
    del options["ExtraArgs"]
    for method, target in (
        ("download_object_to_path", tmp_path / "g"),
        ("download_object_to_file_object", io.BytesIO()),
    ):
        moved.clear()
        await call(emulated_bucket, method, "f", target, **options)
        assert sum(moved) == 6 * MIB
    with pytest.raises(TypeError, match=r"ContentType.*ExtraArgs"):
        await call(emulated_bucket, "upload_from_path", tmp_path / "f", "f", ContentType="x")


async def test_a_version_can_be_downloaded(
    emulated_bucket: S3Bucket, behind_emulated: Any, call: Any, tmp_path: Path
) -> None:
    client, name = behind_emulated.client, behind_emulated.bucket
    client.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
    first = client.put_object(Bucket=name, Key="base/k", Body=b"1")["VersionId"]
    client.put_object(Bucket=name, Key="base/k", Body=b"2")
    options = {"ExtraArgs": {"VersionId": first}}
    path = await call(emulated_bucket, "download_object_to_path", "k", tmp_path / "k", **options)
    assert path.read_bytes() == b"1"
    buffer = await call(emulated_bucket, "download_object_to_file_object", "k", io.BytesIO(), **options)
    assert buffer.getvalue() == b"1"


async def test_objects_are_copied_and_moved_between_buckets(
    emulated_bucket: S3Bucket, emulated_client: Any, behind_emulated: Any
) -> None:
    name = f"{emulated_bucket.bucket_name}-b"
    emulated_client.create_bucket(Bucket=name)
    other = S3Bucket(bucket_name=name, bucket_folder="theirs", credentials=emulated_bucket.credentials)
    behind_emulated.put("base/a", b"1")
    assert emulated_bucket.copy_object("a", "b", to_bucket=other) == "theirs/b"
    assert await emulated_bucket.acopy_object(Path("a"), Path("c"), to_bucket=name) == "c"
    assert await emulated_bucket.move_object("a", "d", to_bucket=other) == "theirs/d"
    assert behind_emulated.keys() == []
    assert [item["Key"] for item in emulated_client.list_objects_v2(Bucket=name)["Contents"]] == [
        "c",
        "theirs/b",
        "theirs/d",
    ]


async def test_an_object_is_not_moved_onto_itself(bucket: S3Bucket, behind: Any, call: Any) -> None:
    behind.put("base/a", b"1")
    with pytest.raises(ValueError, match="onto itself"):
        await call(bucket, "move_object", "a", "base/a")
    assert behind.keys() == ["base/a"]


async def test_a_large_object_is_streamed_between_stores(
    bucket: S3Bucket, emulated_bucket: S3Bucket, behind_emulated: Any, behind: Any, call: Any
) -> None:
    content = os.urandom(17 * MIB)
    behind_emulated.put("base/a", content)
    assert await call(bucket, "stream_from", emulated_bucket, "a", "b") == "base/b"
    assert behind.get("base/b") == content


def test_sixteen_threads_share_one_client(bucket: S3Bucket, s3_server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _clients.forget_clients()
    credentials = MinIOCredentials(
        minio_root_user=s3_server.access_key,
        minio_root_password=s3_server.secret_key,
        region_name=s3_server.region,
        aws_client_parameters=AwsClientParameters(endpoint_url=s3_server.endpoint_url),
    )
    made: list[str] = []
    build = _clients._build

    def counting(*args: Any) -> Any:
        made.append(args[2])
        return build(*args)

    monkeypatch.setattr(_clients, "_build", counting)
    ready = threading.Barrier(16)

    def work(number: int) -> bytes:
        ready.wait()
        # An equal block, as each run loads its own.
        own = S3Bucket(bucket_name=bucket.bucket_name, credentials=credentials.model_copy(deep=True))
        own.write_path(str(number), str(number).encode())
        return own.read_path(str(number))

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(work, range(16))) == [str(number).encode() for number in range(16)]
    assert made == ["s3"]


async def test_thousands_of_keys_are_listed_page_by_page(bucket: S3Bucket, s3_server: Any, call: Any) -> None:
    obstore = pytest.importorskip("obstore")
    from obstore.store import S3Store

    if call.face == "sync":
        pytest.skip("The pages are the same; the objects are stored once.")
    store = S3Store(
        bucket.bucket_name,
        config={
            "endpoint": s3_server.endpoint_url,
            "access_key_id": s3_server.access_key,
            "secret_access_key": s3_server.secret_key,
            "region": s3_server.region,
        },
        client_options={"allow_http": True},
    )
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: obstore.put(store, f"base/{n:05}", b"", use_multipart=False), range(2_100)))
    keys = [f"base/{n:05}" for n in range(2_100)]
    assert [item["Key"] for item in await call(bucket, "list_objects")] == keys
    assert len(await call(bucket, "list_objects", page_size=700, max_items=1500)) == 1500
    assert (await call(bucket, "wait_for_prefix", "", min_objects=1500))[-1] == keys[1499]


async def test_a_listing_of_one_object_finds_it(bucket: S3Bucket, behind: Any, call: Any) -> None:
    for key in ("base/a", "base/ab"):
        behind.put(key, b"")
    assert [item["Key"] for item in await call(bucket, "list_objects", "a")] == ["base/a"]
    assert await call(bucket, "list_objects", "a/") == []
    query = {"jmespath_query": "Contents[].Key"}
    assert await call(bucket, "list_objects", **query) == ["base/a", "base/ab"]


# The block itself


@pytest.mark.usefixtures("prefect_harness")
@pytest.mark.parametrize("kind", ["aws", "minio"])
async def test_a_saved_bucket_keeps_its_kind_of_credentials(kind: str) -> None:
    credentials: Any = (
        AwsCredentials(aws_access_key_id="a", aws_secret_access_key="b")
        if kind == "aws"
        else MinIOCredentials(minio_root_user="a", minio_root_password="bbbb")
    )
    await S3Bucket(bucket_name="x", bucket_folder="f", credentials=credentials).save(f"kept-{kind}", overwrite=True)
    loaded = await S3Bucket.load(f"kept-{kind}")
    assert type(loaded.credentials) is type(credentials)
    assert loaded.credentials.model_dump() | {"x": 1} == credentials.model_dump() | {"x": 1}
    assert (loaded.bucket_name, loaded.basepath) == ("x", "f")


def test_credentials_may_come_as_a_mapping() -> None:
    minio = {"minio_root_user": "a", "minio_root_password": "bbbb"}
    assert isinstance(S3Bucket(bucket_name="x", credentials=minio).credentials, MinIOCredentials)
    assert isinstance(S3Bucket(bucket_name="x", credentials={}).credentials, AwsCredentials)
    assert isinstance(S3Bucket(bucket_name="x").credentials, AwsCredentials)


def test_the_base_path_is_the_folder() -> None:
    block = S3Bucket(bucket_name="x")
    block.basepath = "f"
    assert block.bucket_folder == "f"


@pytest.mark.parametrize("name", ["", "s3://x", "x/y"])
def test_a_bucket_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="bare name"):
        S3Bucket(bucket_name=name, credentials={"region_name": "us-east-1"}).read_path("k")


@pytest.mark.parametrize("path", ["../x", "a/../../x", "base/../../x"])
async def test_no_path_leaves_the_folder(bucket: S3Bucket, call: Any, tmp_path: Path, path: str) -> None:
    (tmp_path / "f").write_bytes(b"")
    for method, arguments in (
        ("read_path", (path,)),
        ("write_path", (path, b"")),
        ("upload_from_path", (tmp_path / "f", path)),
        ("upload_from_folder", (tmp_path, path)),
        ("download_object_to_path", (path, tmp_path / "g")),
        ("download_folder_to_path", (path, tmp_path)),
        ("list_objects", (path,)),
        ("move_object", ("a", path)),
        ("presigned_url", (path,)),
        ("wait_for_object", (path,)),
        ("sync_to_folder", (path, tmp_path)),
    ):
        with pytest.raises(ValueError, match=r"\.\./"):
            await call(bucket, method, *arguments)


@pytest.mark.usefixtures("prefect_harness")
def test_results_are_kept_in_the_bucket_and_read_back(bucket: S3Bucket, behind: Any) -> None:
    bucket.save("results", overwrite=True)
    calls: list[int] = []

    @task(persist_result=True, cache_key_fn=lambda *_: "cached-once")
    def compute() -> dict[str, int]:
        calls.append(1)
        return {"answer": 42}

    @flow(result_storage=S3Bucket.load("results"), persist_result=True)
    def work() -> dict[str, int]:
        return compute()

    state = work(return_state=True)
    assert state.result() == {"answer": 42}
    assert work() == {"answer": 42}
    assert len(calls) == 1  # the second run read it from the bucket
    assert any(key.startswith("base/") for key in list(behind.keys()))


@pytest.mark.usefixtures("prefect_harness")
async def test_sync_names_are_awaited_in_an_async_flow_but_for_copy_object(bucket: S3Bucket, tmp_path: Path) -> None:
    @flow
    async def work() -> bytes:
        await bucket.write_path("a", b"1")
        assert bucket.copy_object("a", "b") == "base/b"
        await bucket.move_object("b", "c")
        return await bucket.read_path("c")

    assert await work() == b"1"


async def test_a_missing_bucket_is_told_from_a_missing_object(
    bucket: S3Bucket, s3_credentials: AwsCredentials, call: Any, tmp_path: Path
) -> None:
    from boto3.s3.transfer import TransferConfig

    nowhere = S3Bucket(bucket_name="absent-bucket", credentials=s3_credentials)
    config = {"Config": TransferConfig()}  # boto3 then looks with HEAD, which does not say what is missing
    for options in ({}, config):
        for block, error in ((bucket, AwsObjectNotFound), (nowhere, AwsBucketNotFound)):
            with pytest.raises(error, match="absent"):
                await call(block, "download_object_to_path", "absent", tmp_path / "f", **options)
            with pytest.raises(error, match="absent"):
                await call(block, "download_object_to_file_object", "absent", io.BytesIO(), **options)
    assert list(tmp_path.iterdir()) == []


async def test_a_missing_object_answers_as_a_head_request_does(
    bucket: S3Bucket, s3_credentials: AwsCredentials, call: Any, tmp_path: Path
) -> None:
    from boto3.s3.transfer import TransferConfig

    nowhere = S3Bucket(bucket_name="absent-bucket", credentials=s3_credentials)
    config = {"Config": TransferConfig()}
    for block in (bucket, nowhere):
        for method, arguments, options in (
            ("read_path", ("absent",), {}),
            ("download_object_to_path", ("absent", tmp_path / "f"), {}),
            ("download_object_to_path", ("absent", tmp_path / "f"), config),
            ("download_object_to_file_object", ("absent", io.BytesIO()), {}),
            ("download_object_to_file_object", ("absent", io.BytesIO()), config),
        ):
            with pytest.raises(ClientError) as caught:
                await call(block, method, *arguments, **options)
            assert caught.value.response["Error"]["Code"] == "404", (method, options)
            assert pickle.loads(pickle.dumps(caught.value)).response["Error"]["Code"] == "404"
        with pytest.raises(ClientError) as moved:
            await call(block, "move_object", "absent", "there")
        assert moved.value.response["Error"]["Code"] == "404"
    with pytest.raises(AwsObjectNotFound, match="NoSuchKey") as copied:
        await call(bucket, "copy_object", "absent", "there")
    assert copied.value.response["Error"]["Code"] == copied.value.code == "NoSuchKey"


async def test_a_refused_download_answers_as_a_head_request_does(
    s3_server: Any, s3_bucket_name: str, call: Any
) -> None:
    wrong = AwsCredentials(
        aws_access_key_id="testing",
        aws_secret_access_key="wrong",
        region_name="us-east-1",
        aws_client_parameters=AwsClientParameters(endpoint_url=s3_server.endpoint_url),
    )
    bucket = S3Bucket(bucket_name=s3_bucket_name, credentials=wrong)
    with pytest.raises(AwsAccessDenied) as caught:
        await call(bucket, "read_path", "k")
    assert caught.value.response["Error"]["Code"] == "403"
    assert caught.value.code == "SignatureDoesNotMatch"
