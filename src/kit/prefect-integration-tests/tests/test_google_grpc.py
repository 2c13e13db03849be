"""The gRPC server answers real clients, checks what they send, and fails as it is told to."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from prefect_integration_tests.backends.certificates import PrivateCA

grpc: Any = pytest.importorskip("grpc")
pytest.importorskip("google.cloud.secretmanager_v1")

from prefect_integration_tests.backends.google_grpc import (  # noqa: E402 - after the guards
    GoogleGrpc,
    GrpcCall,
    GrpcRefused,
    GrpcService,
)

_NAME = "projects/p/secrets/s"
_SERVICE = "google.cloud.secretmanager.v1.SecretManagerService"


class _Secrets(GrpcService):
    name = _SERVICE
    types = "google.cloud.secretmanager_v1.types"

    def __init__(self) -> None:
        self.deleted: list[str] = []

    def reset(self) -> None:
        self.deleted.clear()

    def GetSecret(self, call: GrpcCall) -> Any:
        from google.cloud.secretmanager_v1.types import Secret

        if call.request.name.endswith("missing"):
            raise GrpcRefused("NOT_FOUND", f"Secret [{call.request.name}] not found.")
        return Secret(name=call.request.name)

    def CreateSecret(self, call: GrpcCall) -> Any:
        return call.request.secret

    def DeleteSecret(self, call: GrpcCall) -> None:
        self.deleted.append(call.request.name)


@pytest.fixture(scope="module")
def _module_server() -> Iterator[GoogleGrpc]:
    with GoogleGrpc.start(_Secrets()) as server:
        yield server


@pytest.fixture
def server(_module_server: GoogleGrpc) -> GoogleGrpc:
    _module_server.reset()
    return _module_server


@pytest.fixture(scope="module")
def client(_module_server: GoogleGrpc) -> Any:
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    # A channel that was broken is dialled again at once.
    channel = grpc.insecure_channel(_module_server.target, [("grpc.initial_reconnect_backoff_ms", 50)])
    return SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))


def test_a_call_is_answered_and_recorded(server: GoogleGrpc, client: Any) -> None:
    assert client.get_secret(name=_NAME, retry=None).name == _NAME
    [call] = server.calls_of(f"{_SERVICE}/GetSecret")
    assert (call.method, call.request.name) == ("SecretManagerService.GetSecret", _NAME)
    assert "name=projects/p/secrets/s" in call.metadata["x-goog-request-params"]


def test_an_answer_may_be_empty(server: GoogleGrpc, client: Any) -> None:
    client.delete_secret(name=_NAME, retry=None)
    assert server.service(_Secrets).deleted == [_NAME]


def test_a_service_refuses_with_a_status(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import NotFound

    with pytest.raises(NotFound, match="not found"):
        client.get_secret(name=f"{_NAME}-missing", retry=None)


def test_a_method_without_an_answer_is_not_implemented(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import MethodNotImplemented

    with pytest.raises(MethodNotImplemented):
        client.list_secrets(parent="projects/p", retry=None)


@pytest.mark.parametrize(
    ("request_fields", "said"),
    [
        ({"parent": "projects/p", "secret_id": "", "secret": {}}, "Field: secret_id; Message: Required field"),
        ({"parent": "projects/p", "secret_id": "s"}, "Field: secret; Message: Required field"),
        ({"parent": "p", "secret_id": "s", "secret": {"replication": {"automatic": {}}}}, "parent is 'p'"),
    ],
    ids=["empty", "absent", "pattern"],
)
def test_what_the_schema_forbids_is_refused(
    server: GoogleGrpc, client: Any, request_fields: dict[str, Any], said: str
) -> None:
    from google.api_core.exceptions import InvalidArgument

    with pytest.raises(InvalidArgument, match=said):
        client.create_secret(request=request_fields, retry=None)


def test_a_required_field_of_a_nested_message_is_missed(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import InvalidArgument

    replicas = {"replication": {"user_managed": {"replicas": []}}}
    with pytest.raises(InvalidArgument, match=r"secret\.replication\.user_managed\.replicas"):
        client.create_secret(parent="projects/p", secret_id="s", secret=replicas, retry=None)


@pytest.mark.parametrize(
    ("when", "done"),
    [("before", False), ("after", True), ("lost", True), ("cut", False)],
)
def test_a_call_fails_as_often_as_it_is_told_to(server: GoogleGrpc, client: Any, when: Any, done: bool) -> None:
    from google.api_core.exceptions import ServiceUnavailable
    from google.api_core.retry import Retry, if_exception_type

    server.fail("DeleteSecret", when=when)
    with pytest.raises(ServiceUnavailable):
        client.delete_secret(name=_NAME, retry=None)
    assert bool(server.service(_Secrets).deleted) is done
    assert server.pending_faults == 0
    # The client may not know yet that its connection was cut, and then never gets to the server with this one.
    client.delete_secret(name=_NAME, retry=Retry(if_exception_type(ServiceUnavailable), initial=0.1, timeout=60))
    assert len(server.calls_of("SecretManagerService.DeleteSecret")) == 2


def test_a_call_that_is_never_answered_ends_with_the_clients_deadline(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import DeadlineExceeded

    server.fail("DeleteSecret", when="silent")
    with pytest.raises(DeadlineExceeded):
        client.delete_secret(name=_NAME, retry=None, timeout=0.2)
    assert server.service(_Secrets).deleted == [_NAME]


def test_a_fault_may_be_meant_for_one_request(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import ResourceExhausted

    server.fail("GetSecret", "RESOURCE_EXHAUSTED", "Quota exceeded.", matches=lambda request: request.name == _NAME)
    client.get_secret(name=f"{_NAME}2", retry=None)
    with pytest.raises(ResourceExhausted, match="Quota exceeded"):
        client.get_secret(name=_NAME, retry=None)


def test_a_fault_for_an_unknown_method_is_a_mistake(server: GoogleGrpc) -> None:
    with pytest.raises(KeyError, match="GetSecrets"):
        server.fail("GetSecrets")
    with pytest.raises(KeyError, match="JobService"):
        server.fail("JobService.GetSecret")


def test_a_hook_sees_a_call_before_its_answer(server: GoogleGrpc, client: Any) -> None:
    from google.api_core.exceptions import PermissionDenied

    def refuse(call: GrpcCall) -> None:
        raise GrpcRefused("PERMISSION_DENIED", f"Not for you: {call.method}")

    server.on_call("GetSecret", refuse)
    with pytest.raises(PermissionDenied, match=r"SecretManagerService\.GetSecret"):
        client.get_secret(name=_NAME, retry=None)


def test_over_tls_a_token_says_who_calls(tmp_path: Path) -> None:
    from google.api_core.exceptions import Unauthenticated
    from google.cloud.secretmanager_v1 import SecretManagerServiceClient
    from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
        SecretManagerServiceGrpcTransport,
    )

    authority = PrivateCA(tmp_path)
    certificate = authority.issue("server", "127.0.0.1")
    trust = grpc.ssl_channel_credentials(authority.ca_file.read_bytes())
    with GoogleGrpc.start(_Secrets(), certificate=certificate) as server:
        assert server.endpoint.startswith("https://")
        server.check_token = {"good": "me@p.iam.gserviceaccount.com"}.get
        for token in ("good", "bad"):
            secure = grpc.composite_channel_credentials(trust, grpc.access_token_call_credentials(token))
            with grpc.secure_channel(server.target, secure) as channel:
                client = SecretManagerServiceClient(transport=SecretManagerServiceGrpcTransport(channel=channel))
                if token == "good":
                    client.get_secret(name=_NAME, retry=None)
                    assert server.calls[-1].account == "me@p.iam.gserviceaccount.com"
                else:
                    with pytest.raises(Unauthenticated):
                        client.get_secret(name=_NAME, retry=None)


def test_starting_is_quick_since_no_sdk_is_loaded() -> None:
    begin = time.monotonic()
    with GoogleGrpc.start(_Secrets()):
        assert time.monotonic() - begin < 5
