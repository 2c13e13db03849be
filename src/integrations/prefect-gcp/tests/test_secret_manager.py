"""Secrets are written, read and deleted by block and by task, in both faces, whatever goes wrong, and never said."""

from __future__ import annotations

import base64
import logging
import pickle
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

import google_crc32c
import pytest
from google.api_core import exceptions as google_exceptions
from prefect import flow, task
from prefect.context import FlowRunContext

from prefect_gcp import GcpCredentials, _secret_store, errors, secret_manager
from prefect_gcp.secret_manager import (
    GcpSecret,
    create_secret,
    delete_secret,
    delete_secret_version,
    read_secret,
    update_secret,
)
from prefect_integration_tests.backends._google import secrets
from prefect_integration_tests.backends.google_grpc import GoogleGrpc

from . import _secrets
from ._secrets import PROJECT

FAULTS = ("before", "after", "lost", "cut")


@pytest.fixture
def manager(empty_google_grpc: GoogleGrpc) -> secrets.SecretManager:
    """Secret Manager, empty."""
    return _secrets.secret_manager(empty_google_grpc)


@pytest.fixture
def server(manager: secrets.SecretManager, empty_google_grpc: GoogleGrpc) -> GoogleGrpc:
    """The server that it runs on."""
    return empty_google_grpc


@pytest.fixture
def gcp_credentials(server: GoogleGrpc) -> GcpCredentials:
    """Credentials that reach it."""
    return _secrets.credentials_for(server)


@pytest.fixture
def sdk(gcp_credentials: GcpCredentials) -> Any:
    """Google's own client of it."""
    return gcp_credentials.get_secret_manager_client()


@pytest.fixture
def secret(gcp_credentials: GcpCredentials) -> GcpSecret:
    """A block whose secret does not exist yet."""
    return GcpSecret(gcp_credentials=gcp_credentials, secret_name="ledger")


@pytest.fixture
def path(manager: secrets.SecretManager) -> str:
    """The name that Secret Manager answers with."""
    return f"projects/{manager.number_of(PROJECT)}/secrets/ledger"


# The block (what every secret block must do is in test_secret_conformance.py)


async def test_writing_returns_the_version_and_deleting_the_secret(secret: GcpSecret, path: str, call: Any) -> None:
    assert await call(secret, "write_secret", b"first") == f"{path}/versions/1"
    assert await call(secret, "write_secret", b"second") == f"{path}/versions/2"
    assert await call(secret, "delete_secret") == f"projects/{PROJECT}/secrets/ledger"


async def test_a_block_reads_the_version_that_it_names(
    secret: GcpSecret, gcp_credentials: GcpCredentials, call: Any
) -> None:
    for value in (b"first", b"second"):
        await call(secret, "write_secret", value)
    for version, value in (("1", b"first"), (1, b"first"), ("2", b"second"), ("latest", b"second")):
        block: Any = GcpSecret(gcp_credentials=gcp_credentials, secret_name="ledger", secret_version=version)  # pyright: ignore[reportArgumentType]
        assert await call(block, "read_secret") == value
    assert await call(secret, "read_secret", version=1) == b"first"
    with pytest.raises(errors.GcpNotFound, match="Version 3 of secret 'ledger'"):
        await call(secret, "read_secret", version=3)


async def test_a_version_is_read_by_an_alias(secret: GcpSecret, sdk: Any, path: str, call: Any) -> None:
    for value in (b"first", b"second"):
        await call(secret, "write_secret", value)
    sdk.update_secret(
        request={
            "secret": {"name": path, "version_aliases": {"production": 1}},
            "update_mask": {"paths": ["version_aliases"]},
        }
    )
    assert await call(secret, "read_secret", version="production") == b"first"


async def test_a_full_name_says_project_and_version(gcp_credentials: GcpCredentials, call: Any) -> None:
    full = "projects/other-project/secrets/ledger"
    secret = GcpSecret(gcp_credentials=gcp_credentials, secret_name=full)
    first = await call(secret, "write_secret", b"first")
    await call(secret, "write_secret", b"second")
    exact = GcpSecret(gcp_credentials=gcp_credentials, secret_name=first)
    assert await call(exact, "read_secret") == b"first"
    assert await call(exact, "read_secret", version=1) == b"first"
    with pytest.raises(errors.GcpInvalidRequest, match="the version is 2, and the name says 1"):
        await call(exact, "read_secret", version=2)
    for work in (("write_secret", b"third"), ("delete_secret",)):
        with pytest.raises(errors.GcpInvalidRequest, match=r"names a version.*Leave out /versions/1"):
            await call(exact, *work)
    assert await call(secret, "read_secret") == b"second"
    with pytest.raises(errors.GcpNotFound, match=f"projects/{PROJECT}|Secret 'ledger'"):
        await call(GcpSecret(gcp_credentials=gcp_credentials, secret_name="ledger"), "read_secret")


@pytest.mark.parametrize("name", ["", "a b", "x" * 256, "projects/p/ledger", "/ledger", "a/b", "ledger?"])
async def test_a_name_that_cannot_be_one_is_refused_before_any_request(
    gcp_credentials: GcpCredentials, server: GoogleGrpc, name: str, call: Any
) -> None:
    secret = GcpSecret(gcp_credentials=gcp_credentials, secret_name=name)
    for work in (("read_secret",), ("write_secret", b"1"), ("delete_secret",), ("list_versions",)):
        with pytest.raises(ValueError, match="secret_name is"):
            await call(secret, *work)
    assert not server.calls


@pytest.mark.parametrize("version", ["0", 0, -1, "1.5", "", "two words", True, "3/../4"])
async def test_a_version_that_cannot_be_one_is_refused_before_any_request(
    secret: GcpSecret, server: GoogleGrpc, version: Any, call: Any
) -> None:
    with pytest.raises(ValueError, match="Secret 'ledger': the version is"):
        await call(secret, "read_secret", version=version)
    assert not server.calls


@pytest.mark.parametrize(
    ("size", "says"), [(0, "is empty"), (65_537, "has 65537 bytes; Secret Manager takes up to 65536")]
)
async def test_a_value_of_an_impossible_size_is_refused_before_any_request(
    secret: GcpSecret, server: GoogleGrpc, size: int, says: str, call: Any
) -> None:
    with pytest.raises(ValueError, match=f"Secret 'ledger': the value {says}"):
        await call(secret, "write_secret", b"x" * size)
    assert not server.calls


async def test_a_new_secret_gets_its_labels_and_places(
    gcp_credentials: GcpCredentials, sdk: Any, path: str, call: Any
) -> None:
    secret = GcpSecret(
        gcp_credentials=gcp_credentials,
        secret_name="ledger",
        labels={"team": "shop"},
        replica_locations=["europe-west3", "europe-west4"],
    )
    await call(secret, "write_secret", b"1")
    made = sdk.get_secret(name=path)
    assert dict(made.labels) == {"team": "shop"}
    assert [item.location for item in made.replication.user_managed.replicas] == ["europe-west3", "europe-west4"]
    await call(secret, "write_secret", b"2")
    assert sdk.get_secret(name=path) == made


async def test_a_regional_secret_is_created_in_its_location(
    gcp_credentials: GcpCredentials, server: GoogleGrpc, call: Any
) -> None:
    name = f"projects/{PROJECT}/locations/europe-west3/secrets/ledger"
    secret = GcpSecret(gcp_credentials=gcp_credentials, secret_name=name)
    await call(secret, "write_secret", b"1")
    assert await call(secret, "read_secret") == b"1"
    (created,) = server.calls_of("CreateSecret")
    assert created.request.parent == f"projects/{PROJECT}/locations/europe-west3"
    assert "replication" not in created.request.secret


async def test_versions_are_listed_disabled_enabled_and_destroyed(secret: GcpSecret, path: str, call: Any) -> None:
    for value in (b"first", b"second", b"third"):
        await call(secret, "write_secret", value)
    assert await call(secret, "disable_version", 3) == f"{path}/versions/3"
    with pytest.raises(errors.GcpPreconditionFailed, match=r"Secret 'ledger'.*DISABLED"):
        await call(secret, "read_secret")
    assert await call(secret, "delete_version", 2) == f"{path}/versions/2"

    found = await call(secret, "list_versions")
    assert [(item.number, item.state) for item in found] == [(3, "DISABLED"), (2, "DESTROYED"), (1, "ENABLED")]
    assert found[0].path == f"{path}/versions/3"
    assert all(abs((datetime.now(timezone.utc) - item.created_at).total_seconds()) < 60 for item in found)
    assert [item.destroyed_at is None for item in found] == [True, False, True]
    assert type(found[0].created_at).__module__ != "builtins"
    assert pickle.loads(pickle.dumps(found)) == found

    assert await call(secret, "enable_version", 3) == f"{path}/versions/3"
    assert await call(secret, "read_secret") == b"third"
    with pytest.raises(errors.GcpPreconditionFailed, match=r"Version 2 of secret 'ledger'.*DESTROYED"):
        await call(secret, "enable_version", 2)


async def test_all_versions_are_listed_however_many_pages_they_fill(
    secret: GcpSecret, manager: secrets.SecretManager, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.setattr(secrets, "_PAGE", 2)
    for number in range(5):
        await call(secret, "write_secret", str(number).encode())
    assert [item.number for item in await call(secret, "list_versions")] == [5, 4, 3, 2, 1]


async def test_json_is_read_whole_or_by_field(secret: GcpSecret, call: Any) -> None:
    await call(secret, "write_secret", b'{"user": "app", "ports": [1, 2]}')
    await call(secret, "write_secret", b'["list"]')
    assert await call(secret, "read_json", version=1) == {"user": "app", "ports": [1, 2]}
    assert await call(secret, "read_json", "ports", version=1) == [1, 2]
    with pytest.raises(errors.GcpNotFound, match="no field 'password'"):
        await call(secret, "read_json", field="password", version=1)
    with pytest.raises(errors.GcpNotFound, match="no field 'user'"):
        await call(secret, "read_json", field="user")


@pytest.mark.parametrize("prefix", [b"", b"\xff"], ids=["text", "binary"])
async def test_a_secret_that_is_not_json_is_refused_without_being_said(
    secret: GcpSecret, call: Any, canary: str, no_canary_leaks: Any, prefix: bytes
) -> None:
    await call(secret, "write_secret", prefix + canary.encode())
    with pytest.raises(errors.GcpInvalidRequest, match="is not JSON") as caught:
        await call(secret, "read_json")
    no_canary_leaks.add_error(caught.value)
    assert caught.value.__context__ is None
    no_canary_leaks.check()


# What goes wrong on the way


OPERATIONS: dict[str, tuple[str, Callable[[GcpSecret], Any], Any]] = {
    # name: the method that fails, the work, and the numbers of the versions that there are afterwards
    "create": ("CreateSecret", lambda secret: secret.write_secret(b"2"), [1]),
    "add": ("AddSecretVersion", lambda secret: secret.write_secret(b"2"), [2, 1]),
    "access": ("AccessSecretVersion", lambda secret: secret.read_secret(), [1]),
    "list": ("ListSecretVersions", lambda secret: secret.list_versions(), [1]),
    "disable": ("DisableSecretVersion", lambda secret: secret.disable_version(1), [1]),
    "destroy": ("DestroySecretVersion", lambda secret: secret.delete_version(1), [1]),
    "delete": ("DeleteSecret", lambda secret: secret.delete_secret(), None),
}


@pytest.mark.parametrize("when", FAULTS)
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_single_failure_of_any_request_is_got_over_and_nothing_done_twice(
    secret: GcpSecret, server: GoogleGrpc, operation: str, when: Any
) -> None:
    method, work, expected = OPERATIONS[operation]
    if operation != "create":
        secret.write_secret(b"1")
    server.fail(method, when=when)
    result = work(secret)
    assert server.pending_faults == 0
    if operation == "access":
        assert result == b"1"
    if expected is None:
        with pytest.raises(errors.GcpNotFound):
            secret.list_versions()
    else:
        assert [item.number for item in secret.list_versions()] == expected


@pytest.mark.parametrize("code", ["UNAVAILABLE", "INTERNAL", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "ABORTED"])
async def test_each_transient_answer_is_asked_again(
    secret: GcpSecret, server: GoogleGrpc, code: str, fake_clock: Any, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.setattr(_secret_store, "_clock", fake_clock)
    await call(secret, "write_secret", b"1")
    server.fail("AccessSecretVersion", code, times=2)
    assert await call(secret, "read_secret") == b"1"
    assert len(server.calls_of("AccessSecretVersion")) == 3


async def test_a_lasting_failure_is_reported_when_the_time_is_up(
    secret: GcpSecret, server: GoogleGrpc, fake_clock: Any, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.setattr(_secret_store, "_clock", fake_clock)
    server.fail("AccessSecretVersion", times=1000)
    start = fake_clock.monotonic()
    with pytest.raises(errors.GcpUnavailable, match="Secret 'ledger'"):
        await call(secret, "read_secret")
    assert 20 < fake_clock.monotonic() - start <= 60
    assert 3 < len(server.calls) < 100


def test_a_server_that_says_nothing_is_not_waited_for_beyond_the_timeout(
    secret: GcpSecret, gcp_credentials: GcpCredentials, server: GoogleGrpc
) -> None:
    secret.write_secret(b"1")
    server.fail("AccessSecretVersion", when="silent", times=10)
    with pytest.raises(errors.GcpUnavailable, match="Secret 'ledger'"):
        read_secret.fn("ledger", gcp_credentials, timeout=0.3)


@pytest.mark.parametrize("timeout", [0, -1, float("nan")])
def test_a_timeout_of_no_time_is_refused(gcp_credentials: GcpCredentials, timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout is"):
        read_secret.fn("ledger", gcp_credentials, timeout=timeout)


async def test_a_value_that_was_changed_on_its_way_is_read_again(
    secret: GcpSecret, manager: secrets.SecretManager, fake_clock: Any, monkeypatch: pytest.MonkeyPatch, call: Any
) -> None:
    monkeypatch.setattr(_secret_store, "_clock", fake_clock)
    await call(secret, "write_secret", b"1")
    manager.damaged = 2
    assert await call(secret, "read_secret") == b"1"
    manager.damaged = 10_000
    with pytest.raises(errors.GcpChecksumMismatch, match="Secret 'ledger'"):
        await call(secret, "read_secret")


async def test_secret_manager_is_told_the_checksum_of_what_it_stores(
    secret: GcpSecret, server: GoogleGrpc, call: Any
) -> None:
    await call(secret, "write_secret", b"value")
    payload = server.calls_of("AddSecretVersion")[-1].request.payload
    assert payload.data_crc32c == google_crc32c.value(b"value")


async def test_a_secret_that_somebody_else_creates_meanwhile_gets_a_new_version(
    secret: GcpSecret, server: GoogleGrpc, sdk: Any, call: Any
) -> None:
    made: list[Any] = []

    def create_first(_: Any) -> None:
        if not made:
            made.append(None)
            parent = f"projects/{PROJECT}"
            sdk.create_secret(parent=parent, secret_id="ledger", secret={"replication": {"automatic": {}}})

    server.on_call("CreateSecret", create_first)
    await call(secret, "write_secret", b"1")
    assert await call(secret, "read_secret") == b"1"


def test_a_secret_that_was_there_before_is_not_taken_for_one_just_created(
    gcp_credentials: GcpCredentials, server: GoogleGrpc, manager: secrets.SecretManager, sdk: Any, path: str
) -> None:
    create_secret.fn("ledger", gcp_credentials)
    manager._secrets[path].message.create_time = datetime(2026, 1, 1, tzinfo=timezone.utc)
    server.fail("CreateSecret")
    with pytest.raises(errors.GcpAlreadyExists, match="Secret 'ledger'"):
        create_secret.fn("ledger", gcp_credentials)


def test_who_may_write_but_not_read_writes_in_spite_of_a_failure(secret: GcpSecret, server: GoogleGrpc) -> None:
    secret.write_secret(b"1")
    server.fail("AddSecretVersion")
    server.fail("AccessSecretVersion", "PERMISSION_DENIED", "Permission 'secretmanager.versions.access' denied.")
    assert secret.write_secret(b"2").endswith("/versions/2")


async def test_a_denied_request_names_the_secret_and_the_permission(
    secret: GcpSecret, server: GoogleGrpc, call: Any
) -> None:
    message = "Permission 'secretmanager.versions.access' denied on resource (or it may not exist)."
    server.fail("AccessSecretVersion", "PERMISSION_DENIED", message)
    with pytest.raises(PermissionError, match=r"Secret 'ledger'.*secretmanager\.versions\.access") as caught:
        await call(secret, "read_secret")
    assert isinstance(caught.value, errors.GcpAccessDenied)
    assert len(server.calls) == 1


async def test_errors_can_be_caught_as_google_s_own(secret: GcpSecret, call: Any) -> None:
    with pytest.raises(google_exceptions.NotFound, match="Secret 'ledger'") as caught:
        await call(secret, "read_secret")
    assert isinstance(caught.value, errors.GcpNotFound)
    assert isinstance(caught.value, LookupError)
    assert pickle.loads(pickle.dumps(caught.value)).subject == "Secret 'ledger'"
    await call(secret, "write_secret", b"1")
    with pytest.raises(google_exceptions.AlreadyExists):
        await call((create_secret.fn, secret_manager.acreate_secret.fn), "ledger", secret.gcp_credentials)


async def test_a_refused_write_does_not_say_the_secret(
    secret: GcpSecret, server: GoogleGrpc, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    await call(secret, "write_secret", b"1")
    server.fail("AddSecretVersion", "INVALID_ARGUMENT", f"The value {canary} is not valid.")
    with pytest.raises(errors.GcpInvalidRequest, match="Secret 'ledger'") as caught:
        await call(secret, "write_secret", canary.encode())
    no_canary_leaks.add_error(caught.value)
    no_canary_leaks.check()


async def test_the_sdk_does_not_log_values_while_it_is_debugged(secret: GcpSecret, call: Any, canary: str) -> None:
    heard: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            heard.append(str(vars(record)))

    sdk_logger, ear = logging.getLogger("google"), Ear()
    level = sdk_logger.level
    sdk_logger.addHandler(ear)
    sdk_logger.setLevel(logging.DEBUG)
    try:
        await call(secret, "write_secret", canary.encode())
        assert await call(secret, "read_secret") == canary.encode()
        logging.getLogger("google.cloud.secretmanager_v1").debug("still heard")
    finally:
        sdk_logger.removeHandler(ear)
        sdk_logger.setLevel(level)
    assert any("still heard" in text for text in heard)
    assert not [text for text in heard if canary in text or base64.b64encode(canary.encode()).decode() in text]


# Clients


def test_a_client_that_one_closes_serves_the_others(gcp_credentials: GcpCredentials) -> None:
    parent = f"projects/{PROJECT}"
    others = gcp_credentials.get_secret_manager_client()
    with gcp_credentials.get_secret_manager_client() as mine:
        assert mine is others
    assert list(others.list_secrets(parent=parent)) == []
    with gcp_credentials.get_secret_manager_client() as alone:
        assert list(alone.list_secrets(parent=parent)) == []
    with pytest.raises(ValueError, match="closed channel"):
        alone.list_secrets(parent=parent)


# The tasks


def test_a_sync_flow_uses_the_tasks_without_await(
    prefect_harness: None, gcp_credentials: GcpCredentials, path: str
) -> None:
    @flow
    def use() -> Any:
        created = create_secret("ledger", gcp_credentials)
        first = update_secret("ledger", "grün", gcp_credentials)
        second = update_secret(secret_name=created, secret_value=b"blau", gcp_credentials=gcp_credentials)
        read = [read_secret("ledger", gcp_credentials, version) for version in (1, "1", "latest")]
        also = read_secret(first, gcp_credentials, timeout=30)
        destroyed = delete_secret_version("ledger", 1, gcp_credentials)
        return created, first, second, read, also, destroyed, delete_secret("ledger", gcp_credentials)

    created, first, second, read, also, destroyed, deleted = use()
    assert (created, first, second, destroyed) == (path, f"{path}/versions/1", f"{path}/versions/2", first)
    assert read == ["grün", "grün", "blau"]
    assert (also, deleted) == ("grün", f"projects/{PROJECT}/secrets/ledger")


async def test_an_async_flow_awaits_both_names(
    prefect_harness: None, gcp_credentials: GcpCredentials, path: str
) -> None:
    @task
    def in_a_sync_task() -> Any:
        return read_secret("ledger", gcp_credentials)

    @flow
    async def use() -> Any:
        await secret_manager.acreate_secret("ledger", gcp_credentials)
        await create_secret("other", gcp_credentials)  # pyright: ignore[reportGeneralTypeIssues]
        await update_secret("ledger", "one", gcp_credentials)  # pyright: ignore[reportGeneralTypeIssues]
        await secret_manager.aupdate_secret("ledger", b"two", gcp_credentials)
        future = read_secret.submit("ledger", gcp_credentials)
        values = [await secret_manager.aread_secret("ledger", gcp_credentials, 1), future.result(), in_a_sync_task()]
        gone = await secret_manager.adelete_secret_version("ledger", 1, gcp_credentials)
        return values, gone, await secret_manager.adelete_secret("ledger", gcp_credentials)

    assert await use() == (["one", "two", "two"], f"{path}/versions/1", f"projects/{PROJECT}/secrets/ledger")


async def test_a_project_goes_before_that_of_the_credentials(
    gcp_credentials: GcpCredentials, manager: secrets.SecretManager, server: GoogleGrpc, call: Any
) -> None:
    number = manager.number_of("other-project")
    pair: Callable[[str], Any] = lambda name: (getattr(secret_manager, name).fn, getattr(secret_manager, f"a{name}").fn)  # noqa: E731
    other = {"project": "other-project"}
    path = await call(pair("create_secret"), "ledger", gcp_credentials, **other)
    assert path == f"projects/{number}/secrets/ledger"
    await call(pair("update_secret"), "ledger", "1", gcp_credentials, **other)
    assert await call(pair("read_secret"), "ledger", gcp_credentials, **other) == "1"
    await call(pair("delete_secret_version"), "ledger", 1, gcp_credentials, **other)
    assert (
        await call(pair("delete_secret"), "ledger", gcp_credentials, **other) == "projects/other-project/secrets/ledger"
    )
    assert not [item for item in server.calls if PROJECT in str(item.request)]


def test_without_any_project_the_error_says_where_to_name_one(
    server: GoogleGrpc, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    for name in ("GOOGLE_CLOUD_PROJECT", "GCLOUD_PROJECT", "GOOGLE_APPLICATION_CREDENTIALS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    credentials = GcpCredentials(api_endpoints={"secretmanager": server.endpoint})
    with pytest.raises(ValueError, match=r"[Pp]roject|Application Default Credentials"):
        read_secret.fn("ledger", credentials)
    assert not server.calls


async def test_the_options_of_a_new_secret_reach_it(gcp_credentials: GcpCredentials, sdk: Any, call: Any) -> None:
    path = await call(
        (create_secret.fn, secret_manager.acreate_secret.fn),
        "ledger",
        gcp_credentials,
        labels={"team": "shop"},
        replica_locations=["europe-west3"],
        annotations={"owner": "Ada"},
    )
    made = sdk.get_secret(name=path)
    assert (dict(made.labels), dict(made.annotations)) == ({"team": "shop"}, {"owner": "Ada"})
    assert made.replication.user_managed.replicas[0].location == "europe-west3"
    with pytest.raises(ValueError, match=r"Secret 'other'.*colour"):
        await call((create_secret.fn, secret_manager.acreate_secret.fn), "other", gcp_credentials, colour="red")
    with pytest.raises(ValueError, match="must be a list"):
        await call(
            (create_secret.fn, secret_manager.acreate_secret.fn),
            "other",
            gcp_credentials,
            replica_locations="europe-west3",
        )


@pytest.mark.parametrize("version", ["latest", "production", 0, None])
async def test_only_a_number_says_which_version_to_delete(
    secret: GcpSecret, server: GoogleGrpc, version: Any, call: Any
) -> None:
    await call(secret, "write_secret", b"1")
    pair = (delete_secret_version.fn, secret_manager.adelete_secret_version.fn)
    with pytest.raises(ValueError, match=r"version_id is .*'latest' can not be used"):
        await call(pair, "ledger", version, secret.gcp_credentials)
    assert not server.calls_of("DestroySecretVersion")


async def test_a_binary_secret_is_refused_as_text_without_being_said(
    secret: GcpSecret, call: Any, canary: str, no_canary_leaks: Any
) -> None:
    await call(secret, "write_secret", b"\xff" + canary.encode())
    with pytest.raises(ValueError, match=r"not UTF-8 text.*GcpSecret\.read_secret") as caught:
        await call((read_secret.fn, secret_manager.aread_secret.fn), "ledger", secret.gcp_credentials)
    no_canary_leaks.add_error(caught.value)
    assert caught.value.__context__ is None
    no_canary_leaks.check()


async def test_a_value_of_another_type_is_refused(gcp_credentials: GcpCredentials, call: Any) -> None:
    with pytest.raises(ValueError, match=r"of type int\. Give str or bytes"):
        await call((update_secret.fn, secret_manager.aupdate_secret.fn), "ledger", 42, gcp_credentials)


async def test_a_task_s_error_is_the_documented_one(gcp_credentials: GcpCredentials, call: Any) -> None:
    for name, arguments in (
        ("read_secret", ("ledger", gcp_credentials)),
        ("update_secret", ("ledger", "1", gcp_credentials)),
        ("delete_secret", ("ledger", gcp_credentials)),
        ("delete_secret_version", ("ledger", 1, gcp_credentials)),
    ):
        with pytest.raises(errors.GcpNotFound, match="ledger"):
            await call((getattr(secret_manager, name).fn, getattr(secret_manager, f"a{name}").fn), *arguments)


def test_a_secret_without_a_value_says_so(gcp_credentials: GcpCredentials) -> None:
    create_secret.fn("ledger", gcp_credentials)
    with pytest.raises(errors.GcpNotFound, match="has no versions"):
        read_secret.fn("ledger", gcp_credentials)


def test_a_task_run_logs_the_name_and_not_the_value(
    prefect_harness: None, gcp_credentials: GcpCredentials, canary: str, caplog: pytest.LogCaptureFixture
) -> None:
    @flow
    def use() -> str:
        assert FlowRunContext.get() is not None
        create_secret("ledger", gcp_credentials)
        update_secret("ledger", canary, gcp_credentials)
        return read_secret("ledger", gcp_credentials)

    with caplog.at_level(logging.DEBUG):
        assert use() == canary
    said = [record.getMessage() for record in caplog.records]
    assert {"Creating secret ledger", "Updating secret ledger", "Reading secret ledger"} <= set(said)
    assert not [text for text in said if canary in text]
