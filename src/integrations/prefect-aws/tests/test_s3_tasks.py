"""The tasks of `prefect_aws.s3`, in flows and outside, on the emulator."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prefect import flow

from prefect_aws import AwsCredentials, s3
from prefect_aws.client_parameters import AwsClientParameters
from prefect_aws.errors import AwsBucketNotFound, AwsObjectNotFound
from prefect_aws.s3 import S3Bucket, get_s3_client

pytestmark = pytest.mark.usefixtures("prefect_harness")


@pytest.fixture
def name(emulated_bucket: S3Bucket) -> str:
    return emulated_bucket.bucket_name


async def test_what_a_task_uploads_a_task_downloads(name: str, aws_credentials: AwsCredentials, call: Any) -> None:
    key = await call(s3, "upload_to_bucket", b"1", name, aws_credentials, key="a/ü +.txt")
    assert key == "a/ü +.txt"
    assert await call(s3, "download_from_bucket", name, key, aws_credentials) == b"1"


async def test_an_upload_without_a_key_gets_a_new_one_each_time(
    name: str, aws_credentials: AwsCredentials, call: Any
) -> None:
    keys = [await call(s3, "upload_to_bucket", b"1", name, aws_credentials) for _ in range(2)]
    assert len(set(keys)) == 2
    assert all(len(key) == 36 for key in keys)


async def test_copies_and_moves_stay_in_the_bucket_or_leave_it(
    name: str, aws_credentials: AwsCredentials, behind_emulated: Any, emulated_client: Any, call: Any
) -> None:
    other = f"{name}-2"[-60:]
    emulated_client.create_bucket(Bucket=other)
    behind_emulated.put("a", b"1")
    assert await call(s3, "copy_objects", "a", Path("c/b"), name, aws_credentials) == "c/b"
    assert await call(s3, "copy_objects", Path("a"), "b", name, aws_credentials, other) == "b"
    assert await call(s3, "move_objects", "a", "m", name, aws_credentials) == "m"
    assert await call(s3, "move_objects", "m", "m", name, aws_credentials, target_bucket_name=other) == "m"
    assert behind_emulated.keys() == ["c/b"]
    assert [item["Key"] for item in emulated_client.list_objects_v2(Bucket=other)["Contents"]] == ["b", "m"]


async def test_a_copy_takes_further_parameters_of_the_request(
    name: str, aws_credentials: AwsCredentials, behind_emulated: Any, emulated_client: Any, call: Any
) -> None:
    behind_emulated.put("a", b"1")
    options = {"MetadataDirective": "REPLACE", "Metadata": {"why": "test"}, "ContentType": "text/x-test"}
    await call(s3, "copy_objects", "a", "b", name, aws_credentials, **options)
    head = emulated_client.head_object(Bucket=name, Key="b")
    assert (head["Metadata"], head["ContentType"]) == ({"why": "test"}, "text/x-test")


@pytest.mark.parametrize(
    ("options", "keys"),
    [
        ({}, ["a/1", "a/2", "a2/1", "b"]),
        ({"prefix": "a"}, ["a/1", "a/2", "a2/1"]),
        ({"prefix": "a/"}, ["a/1", "a/2"]),
        ({"delimiter": "/"}, ["b"]),
        ({"max_items": 3}, ["a/1", "a/2", "a2/1"]),
        ({"page_size": 1, "max_items": 2}, ["a/1", "a/2"]),
        ({"page_size": 1, "jmespath_query": "Contents[?Size > `1`][]"}, ["a/2", "b"]),
        ({"prefix": "nothing", "jmespath_query": "Contents[?Size > `1`][]"}, []),
    ],
)
async def test_listings_are_filtered(
    name: str, aws_credentials: AwsCredentials, behind_emulated: Any, call: Any, options: Any, keys: list[str]
) -> None:
    for key, size in {"a/1": 1, "a/2": 2, "a2/1": 1, "b": 5}.items():
        behind_emulated.put(key, bytes(size))
    found = await call(s3, "list_objects", name, aws_credentials, **options)
    assert [item["Key"] for item in found] == keys
    assert all(item["Size"] and item["LastModified"] and item["ETag"] for item in found)


async def test_missing_things_are_named_and_are_boto3s_own_errors_too(
    name: str, aws_credentials: AwsCredentials, call: Any
) -> None:
    from botocore.exceptions import ClientError

    with pytest.raises(AwsObjectNotFound, match="absent-key") as caught:
        await call(s3, "download_from_bucket", name, "absent-key", aws_credentials)
    assert isinstance(caught.value, ClientError)
    assert isinstance(caught.value, FileNotFoundError)
    assert caught.value.response["Error"]["Code"] == "404"
    for task, arguments in (
        ("download_from_bucket", ("k", aws_credentials)),
        ("list_objects", (aws_credentials,)),
    ):
        with pytest.raises(AwsBucketNotFound, match="absent-bucket"):
            await call(s3, task, "absent-bucket", *arguments)


async def test_client_parameters_of_a_call_go_before_those_of_the_block(
    name: str, aws_credentials: AwsCredentials, aws_emulator: Any, call: Any
) -> None:
    nowhere = aws_credentials.model_copy(
        update={"aws_client_parameters": AwsClientParameters(endpoint_url="http://127.0.0.1:1")}
    )
    here = AwsClientParameters(endpoint_url=aws_emulator.endpoint_url)
    await call(s3, "upload_to_bucket", b"1", name, nowhere, here, key="k")
    assert await call(s3, "download_from_bucket", name, "k", nowhere, here) == b"1"
    assert len(await call(s3, "list_objects", name, nowhere, here)) == 1


def test_tasks_run_in_a_sync_flow(name: str, aws_credentials: AwsCredentials) -> None:
    @flow
    def work() -> tuple[bytes, bytes, list[Any]]:
        key = s3.upload_to_bucket(b"1", name, aws_credentials, key="k")
        later = s3.s3_download.submit(name, key, aws_credentials)
        named = s3.download_from_bucket.with_options(name="named", retries=1)(name, key, aws_credentials)
        s3.s3_copy(key, "k2", name, aws_credentials)
        s3.s3_move("k2", "k3", name, aws_credentials)
        return named, later.result(), s3.s3_list_objects(name, aws_credentials)

    named, later, listed = work()
    assert (named, later) == (b"1", b"1")
    assert [item["Key"] for item in listed] == ["k", "k3"]


async def test_sync_names_are_awaited_in_an_async_flow(name: str, aws_credentials: AwsCredentials) -> None:
    @flow
    async def work() -> list[Any]:
        await s3.s3_upload(b"1", name, aws_credentials, key="k")
        both = await asyncio.gather(
            s3.download_from_bucket(name, "k", aws_credentials), s3.adownload_from_bucket(name, "k", aws_credentials)
        )
        retried = await s3.download_from_bucket.with_options(retries=1)(name, "k", aws_credentials)
        submitted = s3.download_from_bucket.submit(name, "k", aws_credentials)
        return [*both, retried, submitted.result()]

    assert await work() == [b"1"] * 4


def test_the_older_names_are_tasks_of_their_own_name() -> None:
    for older in ("s3_download", "s3_upload", "s3_copy", "s3_move", "s3_list_objects"):
        assert getattr(s3, older).name == older


# get_s3_client


def test_a_client_is_made_from_plain_values(name: str, aws_emulator: Any) -> None:
    client = get_s3_client(
        {"aws_access_key_id": "k", "aws_secret_access_key": "s", "region_name": "eu-west-1"},
        {"endpoint_url": aws_emulator.endpoint_url, "config": {"max_pool_connections": 7}},
    )
    client.put_object(Bucket=name, Key="k", Body=b"1")
    assert client.meta.region_name == "eu-west-1"
    assert client.meta.config.max_pool_connections == 7


@pytest.mark.parametrize(
    ("credentials", "parameters", "region", "endpoint"),
    [
        (None, {"region_name": "eu-west-1"}, "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
        ({"region_name": "eu-west-2"}, {"region_name": "eu-west-1"}, "eu-west-2", "https://s3.eu-west-2.amazonaws.com"),
        ({"region_name": None}, {"region_name": "eu-west-1"}, "eu-west-1", "https://s3.eu-west-1.amazonaws.com"),
        ({"region_name": "eu-west-1", "endpoint_url": "http://a"}, None, "eu-west-1", "http://a"),
        (
            {"region_name": "eu-west-1", "endpoint_url": "http://a"},
            {"endpoint_url": "http://b"},
            "eu-west-1",
            "http://b",
        ),
        (
            {"region_name": "eu-west-1", "aws_client_parameters": {"endpoint_url": "http://a", "use_ssl": False}},
            {"endpoint_url": "http://b"},
            "eu-west-1",
            "http://b",
        ),
        (
            {"region_name": "eu-west-1", "aws_client_parameters": {"endpoint_url": "http://a"}},
            {},
            "eu-west-1",
            "http://a",
        ),
        ({"minio_root_user": "u", "minio_root_password": "p"}, {"endpoint_url": "http://a"}, None, "http://a"),
        (
            {"block_type_slug": "minio-credentials", "minio_root_user": "u", "minio_root_password": "p"},
            {"endpoint_url": "http://a", "region_name": "eu-west-1"},
            "eu-west-1",
            "http://a",
        ),
        ({"block_type_slug": "aws-credentials", "region_name": "eu-west-1"}, None, "eu-west-1", None),
    ],
)
def test_plain_values_mean_what_their_names_say(credentials: Any, parameters: Any, region: Any, endpoint: Any) -> None:
    client = get_s3_client(credentials, parameters)
    if region:
        assert client.meta.region_name == region
    if endpoint:
        assert client.meta.endpoint_url == endpoint


def test_a_profile_may_come_with_the_client_parameters(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("[profile dev]\nregion = ap-south-1\n")
    (tmp_path / "credentials").write_text("[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = x\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    client = get_s3_client({}, {"profile_name": "dev"})
    assert client.meta.region_name == "ap-south-1"
    assert client._request_signer._credentials.access_key == "AKIADEV"


def test_plain_values_may_name_a_role_to_assume(aws_emulator: Any) -> None:
    client = get_s3_client(
        {
            "aws_access_key_id": "k",
            "aws_secret_access_key": "s",
            "region_name": "us-east-1",
            "assume_role_arn": aws_emulator.new_role(),
            "assume_role_kwargs": {"RoleSessionName": "steps"},
        },
        {"endpoint_url": aws_emulator.endpoint_url},
    )
    client.list_buckets()
    assert client._request_signer._credentials.token
