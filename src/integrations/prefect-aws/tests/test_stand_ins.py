"""What tests of users put in the place of clients, observers and names of ours is what is used."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator, Callable
from datetime import datetime
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock, MagicMock, Mock, patch

import pytest
from botocore.exceptions import ClientError

from prefect_aws import AwsCredentials, AwsSecret, S3Bucket, client_waiter
from prefect_aws.bundles import execute, upload
from prefect_aws.deployments import steps
from prefect_aws.observers import ecs as observed
from prefect_aws.observers.ecs import (
    EcsObserver,
    EcsObserverSettings,
    EcsTaskTagsReader,
    SqsMessage,
    SqsSubscriber,
    fetch_cloudwatch_logs,
    start_observer,
    stop_observer,
)
from prefect_aws.workers import ECSWorker

from ._ecs_events import CLUSTER, FastClock, new_task_arn, task_event, until

FACES = (client_waiter.client_waiter.fn, client_waiter.aclient_waiter.fn)
KEYS = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing-secret", "region_name": "us-east-1"}


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """A client that all credentials give."""
    client = MagicMock()
    for name in ("get_client", "get_s3_client", "get_secrets_manager_client"):
        monkeypatch.setattr(AwsCredentials, name, MagicMock(return_value=client))
    return client


# Clients


async def test_a_waiter_waits_by_itself(client: MagicMock, call: Any) -> None:
    client.waiter_names = ["instance_exists"]
    await call(FACES, "ec2", "instance_exists", AwsCredentials(), InstanceIds=["i-1"], WaiterConfig={"Delay": 1})
    client.get_waiter.assert_called_once_with("instance_exists")
    client.get_waiter.return_value.wait.assert_called_once_with(InstanceIds=["i-1"], WaiterConfig={"Delay": 1})


async def test_botocore_s_own_wait_may_be_replaced(monkeypatch: pytest.MonkeyPatch, call: Any) -> None:
    wait = MagicMock()
    monkeypatch.setattr("botocore.waiter.Waiter.wait", wait)
    await call(FACES, "ec2", "instance_exists", AwsCredentials(**KEYS), InstanceIds=["i-1"])
    assert wait.call_args.kwargs == {"InstanceIds": ["i-1"]}


async def test_an_error_of_a_copy_is_that_error(client: MagicMock, call: Any) -> None:
    answer: Any = {"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}
    client.copy_object.side_effect = ClientError(answer, "CopyObject")
    for method in ("copy_object", "move_object"):
        with pytest.raises(ClientError, match="Access Denied") as caught:
            await call(S3Bucket(bucket_name="b"), method, "a", "c")
        assert caught.value.response["Error"]["Code"] == "AccessDenied"


async def test_a_secret_is_written_by_a_client_that_has_no_model(client: MagicMock, call: Any) -> None:
    client.meta = None
    client.put_secret_value.return_value = {"ARN": "arn:s"}
    secret = AwsSecret(aws_credentials=AwsCredentials(), secret_name="s")
    assert await call(secret, "write_secret", b"1") == "arn:s"
    client.put_secret_value.assert_called_once_with(SecretId="s", SecretBinary=b"1")


@pytest.mark.parametrize("end", [None, "2099-01-01T00:00:00Z", datetime(2099, 1, 1)], ids=["none", "text", "naive"])  # noqa: DTZ001
def test_an_sts_need_not_tell_the_end_of_a_session_as_aws_does(end: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    sts = MagicMock()
    told = {} if end is None else {"Expiration": end}
    answer = {"AccessKeyId": "ASIA", "SecretAccessKey": "s", "SessionToken": "t", **told}
    sts.return_value.assume_role.return_value = {"Credentials": answer}
    monkeypatch.setattr("boto3.Session.client", sts)
    role = "arn:aws:iam::123456789012:role/tested"
    credentials = AwsCredentials(**KEYS, assume_role_arn=role).get_boto3_session().get_credentials()
    assert credentials is not None
    assert credentials.get_frozen_credentials().token == "t"
    sts.return_value.assume_role.assert_called_once()


async def test_objects_and_folders_go_by_the_methods_that_are_documented(
    client: MagicMock, call: Any, tmp_path: Path
) -> None:
    def write_file(Bucket: str, Key: str, Filename: str) -> None:
        Path(Filename).write_text(Key)

    def write(Bucket: str, Key: str, Fileobj: Any) -> None:
        Fileobj.write(Key.encode())

    client.download_file.side_effect, client.download_fileobj.side_effect = write_file, write
    client.get_paginator.return_value.paginate.return_value = [{"Contents": [{"Key": "f/1"}, {"Key": "f/g/2"}]}]
    block, target = S3Bucket(bucket_name="b"), tmp_path / "sub" / "x"
    assert await call(block, "read_path", "k") == b"k"
    await call(block, "download_object_to_path", "k", target)
    client.download_file.assert_called_with(Bucket="b", Key="k", Filename=str(target))
    file = io.BytesIO()
    await call(block, "download_object_to_file_object", "k", file)
    client.download_fileobj.assert_called_with(Bucket="b", Key="k", Fileobj=file)
    await call(block, "download_folder_to_path", "f", tmp_path / "f")
    assert (tmp_path / "f/g/2").read_text() == "f/g/2"
    await call(block, "upload_from_path", target, "u", ExtraArgs={"ContentType": "text/plain"})
    asked = {"ExtraArgs": {"ContentType": "text/plain"}}
    client.upload_file.assert_called_once_with(Filename=str(target), Bucket="b", Key="u", **asked)
    await call(block, "upload_from_file_object", file, "v")
    client.upload_fileobj.assert_called_with(Fileobj=file, Bucket="b", Key="v")
    await call(block, "write_path", "w", b"1")
    assert client.upload_fileobj.call_args.kwargs["Key"] == "w"
    client.upload_file.reset_mock()
    await call(block, "upload_from_folder", tmp_path / "f", "up")
    assert {each.kwargs["Key"] for each in client.upload_file.call_args_list} == {"up/1", "up/g/2"}


# Names of ours


def test_the_steps_use_the_client_that_their_module_gives(
    s3_client: Any, behind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "flow.py").write_text("1")
    monkeypatch.chdir(tmp_path)
    given = MagicMock(return_value=s3_client)
    monkeypatch.setattr(steps, "get_s3_client", given)
    steps.push_to_s3(behind.bucket, "app", credentials={"aws_access_key_id": "k"}, client_parameters={"verify": False})
    given.assert_called_once_with(credentials={"aws_access_key_id": "k"}, client_parameters={"verify": False})
    (tmp_path / "flow.py").unlink()
    steps.pull_from_s3(behind.bucket, "app")
    assert (tmp_path / "flow.py").read_text() == "1"


@pytest.mark.parametrize("block", [None, "store"])
def test_the_bundle_steps_use_the_block_that_their_module_names(
    s3_client: Any, behind: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, block: str | None
) -> None:
    (tmp_path / "bundle").write_text("1")
    blocks = MagicMock()
    for made in (blocks.return_value, blocks.load.return_value):
        made.get_s3_client.return_value = s3_client
    monkeypatch.setattr(upload, "AwsCredentials", blocks)
    monkeypatch.setattr(execute, "AwsCredentials", blocks)
    upload.upload_bundle_to_s3(str(tmp_path / "bundle"), behind.bucket, "k", block)
    found = execute.download_bundle_from_s3(behind.bucket, "k", str(tmp_path / "out"), block)
    assert Path(found["local_path"]).read_text() == "1"
    assert [call.args for call in blocks.load.call_args_list] == [(block,)] * 2 if block else True


@pytest.mark.usefixtures("prefect_harness")
async def test_a_worker_starts_the_observer_that_its_module_names(monkeypatch: pytest.MonkeyPatch) -> None:
    start, stop = AsyncMock(), AsyncMock()
    monkeypatch.setattr("prefect_aws.workers.ecs_worker.start_observer", start)
    monkeypatch.setattr("prefect_aws.workers.ecs_worker.stop_observer", stop)
    async with ECSWorker(work_pool_name="stand-ins"):
        start.assert_awaited_once()
        stop.assert_not_awaited()
    stop.assert_awaited_once()


async def test_the_observer_of_the_module_is_the_one_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    observer = MagicMock()
    observer.run = AsyncMock(side_effect=asyncio.Event().wait)
    monkeypatch.setattr(observed, "ecs_observer", observer)
    await start_observer()
    try:
        await until(lambda: observer.run.await_count == 1)
    finally:
        await stop_observer()


# Parts of the observer


def messages(*events: dict[str, Any], **more: Any) -> list[SqsMessage]:
    done = AsyncMock(return_value=True)
    return [SqsMessage({"Body": json.dumps(event), **more}, done, done) for event in events]


def observer_of(subscriber: Any, reader: Any, given: list[SqsMessage]) -> EcsObserver:
    async def stream() -> AsyncGenerator[SqsMessage, None]:
        for message in given:
            yield message

    subscriber.stream_messages = Mock(side_effect=stream)
    reader.__aenter__ = AsyncMock(return_value=reader)
    reader.__aexit__ = AsyncMock(return_value=None)
    reader.read_tags = AsyncMock(return_value={"team": "shop"})
    return EcsObserver(sqs_subscriber=subscriber, ecs_tags_reader=reader)


@pytest.mark.parametrize("subscriber", [Mock, lambda: Mock(spec=SqsSubscriber)], ids=["any", "spec"])
@pytest.mark.parametrize("reader", [AsyncMock, lambda: AsyncMock(spec=EcsTaskTagsReader)], ids=["any", "spec"])
async def test_an_observer_takes_parts_that_have_only_what_is_published(
    subscriber: Callable[[], Any], reader: Callable[[], Any]
) -> None:
    given = messages(task_event())
    observer, seen = observer_of(subscriber(), reader(), given), AsyncMock()
    observer.on_event("task", tags={"team": "shop"})(seen)
    await observer.run()
    seen.assert_awaited_once()
    given[0].ack.assert_awaited_once()
    assert not observer.health.is_healthy


async def test_messages_without_an_id_are_told_apart() -> None:
    observer, seen = observer_of(Mock(), AsyncMock(), messages(task_event(), task_event())), AsyncMock()
    observer.on_event("task")(seen)
    await observer.run()
    assert seen.await_count == 2


async def test_messages_may_come_from_any_async_iterable() -> None:
    subscriber = MagicMock()
    observer, seen = observer_of(subscriber, AsyncMock(), []), AsyncMock()
    subscriber.stream_messages = MagicMock()
    subscriber.stream_messages.return_value.__aiter__.return_value = messages(task_event(), task_event())
    observer.on_event("task")(seen)
    await observer.run()
    assert seen.await_count == 2


async def test_an_event_is_given_back_to_a_subscriber_that_cannot_take_it() -> None:
    begun = asyncio.Event()

    async def never_ends(event: dict[str, Any], tags: dict[str, str]) -> None:
        begun.set()
        await asyncio.Event().wait()

    observer = observer_of(Mock(spec=SqsSubscriber), AsyncMock(), messages(task_event()))
    observer.clock = FastClock(1000)  # the time to end in passes, and others can run meanwhile
    observer.on_event("task")(never_ends)
    running = asyncio.create_task(observer.run())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_settings_and_subscriber_of_an_observer_may_be_set_and_patched(monkeypatch: pytest.MonkeyPatch) -> None:
    observer, off, other = EcsObserver(), EcsObserverSettings(enabled=False), SqsSubscriber("other")
    with patch.object(observer, "settings", off), patch.object(observer, "sqs_subscriber", other):
        assert (observer.settings, observer.sqs_subscriber) == (off, other)
    assert (observer.settings.enabled, observer.sqs_subscriber is other) == (True, False)
    observer.settings, observer.sqs_subscriber = off, other
    assert (observer.settings, observer.sqs_subscriber) == (off, other)


@pytest.mark.parametrize("method", [Mock, AsyncMock], ids=["boto3", "aiobotocore"])
async def test_a_reader_asks_the_client_that_it_is_given(method: type[Mock]) -> None:
    reader, arn = EcsTaskTagsReader(), new_task_arn()
    reader.ecs_client = MagicMock()
    task = {"taskArn": arn, "tags": [{"key": "team", "value": "shop"}]}
    reader.ecs_client.describe_tasks = method(return_value={"tasks": [task]})
    assert await reader.read_tags(CLUSTER, arn) == {"team": "shop"}
    reader.ecs_client.describe_tasks.assert_called_once_with(cluster=CLUSTER, tasks=[arn], include=["TAGS"])


@pytest.mark.parametrize("method", [Mock, AsyncMock], ids=["boto3", "aiobotocore"])
async def test_lines_are_read_by_either_kind_of_client(method: type[Mock]) -> None:
    logs = MagicMock()
    logs.get_log_events = method(return_value={"events": [{"message": "one"}, {"message": "two\n"}]})
    lines = await fetch_cloudwatch_logs(logs_client=logs, log_group="g", log_stream="s", max_events=10)
    assert lines == ["one", "two"]
