"""Each way to authenticate reaches Google, tokens are renewed once, secrets stay in, and bad input is named."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import pickle
import subprocess
import sys
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from google.auth.credentials import AnonymousCredentials
from prefect.types import SecretDict
from pydantic import PrivateAttr, ValidationError

from prefect_gcp import GcpCredentials
from prefect_gcp import _identity as identities
from prefect_gcp._tokens import SharedToken
from prefect_gcp.credentials import ClientType
from prefect_gcp.errors import (
    GcpAccessDenied,
    GcpClockSkew,
    GcpCredentialsError,
    GcpCredentialsMissing,
    GcpCredentialsRefused,
    GcpUnavailable,
)


@pytest.fixture
def key_file(service_account: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "key.json"
    path.write_text(json.dumps(service_account))
    return path


# Ways to authenticate


def test_a_key_given_as_a_mapping_gets_a_token(identity, service_account):
    credentials = GcpCredentials(service_account_info=service_account)
    assert identity.check(credentials.get_access_token()) == service_account["client_email"]


def test_a_key_given_as_json_text_gets_a_token(identity, service_account):
    credentials = GcpCredentials(service_account_info=json.dumps(service_account))
    assert identity.check(credentials.get_access_token()) == service_account["client_email"]


def test_a_key_file_gets_a_token(identity, service_account, key_file):
    credentials = GcpCredentials(service_account_file=key_file)
    assert identity.check(credentials.get_access_token()) == service_account["client_email"]


def test_a_key_file_is_found_below_the_home_folder(key_file, monkeypatch):
    monkeypatch.setenv("HOME", str(key_file.parent))
    assert GcpCredentials(service_account_file="~/key.json").service_account_file == key_file


def test_a_rotated_key_file_is_read_again(identity, key_file):
    credentials = GcpCredentials(service_account_file=key_file)
    credentials.get_access_token()
    other = identity.service_account_info(name="rotated")
    key_file.write_text(json.dumps(other))
    assert identity.check(credentials.get_access_token()) == other["client_email"]


def test_without_a_key_the_file_that_the_environment_names_is_used(identity, service_account, key_file, monkeypatch):
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key_file))
    assert identity.check(GcpCredentials().get_access_token()) == service_account["client_email"]


def test_without_a_key_the_login_of_gcloud_is_used(identity, tmp_path, monkeypatch):
    # The SDK sends refresh tokens of people to Google's own address only.
    (tmp_path / "application_default_credentials.json").write_text(json.dumps(identity.user_info()))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    credentials: Any = identities.google_credentials(GcpCredentials())
    assert credentials.refresh_token == identity.user_info()["refresh_token"]


def test_on_google_cloud_the_attached_service_account_is_used(identity):
    # The SDK reads the address of the metadata server when it is imported.
    program = (
        "from prefect_gcp import GcpCredentials; from prefect_gcp._identity import project_of; c = GcpCredentials(); "
        "print(c.get_access_token(), project_of(c))"
    )
    environment = {"GCE_METADATA_HOST": identity.metadata_host, "GCE_METADATA_IP": identity.metadata_host}
    shown = subprocess.run(
        [sys.executable, "-c", program],
        env=environment | {"PREFECT_HOME": "/nonexistent", "CLOUDSDK_CONFIG": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert shown.returncode == 0, shown.stderr
    token, project = shown.stdout.split()
    assert identity.check(token) == "attached@test-project.iam.gserviceaccount.com"
    assert project == "test-project"


@pytest.mark.parametrize("form", ["mapping", "file"])
def test_a_workload_of_another_cloud_exchanges_its_token(identity, tmp_path, form):
    info = identity.external_account_info()
    path = tmp_path / "federation.json"
    path.write_text(json.dumps(info))
    given = {"workload_identity_federation": info} if form == "mapping" else {"workload_identity_federation_file": path}
    credentials = GcpCredentials(project="p", **given)
    assert identity.check(credentials.get_access_token()) == identity.federated_principal


def test_a_federated_workload_acts_as_a_service_account(identity, service_account):
    email = service_account["client_email"]
    identity.allow_impersonation(identity.federated_principal, email)
    info = identity.external_account_info(impersonate=email)
    token = GcpCredentials(project="p", workload_identity_federation=info).get_access_token()
    assert identity.check(token) == email


def _impersonating(identity, info: dict[str, Any], target: str, **more: Any) -> GcpCredentials:
    return GcpCredentials(
        service_account_info=info,
        impersonate_service_account=target,
        api_endpoints={"iamcredentials": identity.endpoint},
        **more,
    )


def test_a_service_account_acts_as_another(identity, service_account):
    target = identity.service_account_info(name="target")["client_email"]
    identity.allow_impersonation(service_account["client_email"], target)
    assert identity.check(_impersonating(identity, service_account, target).get_access_token()) == target


def test_a_service_account_acts_as_another_by_way_of_delegates(identity, service_account):
    target = identity.service_account_info(name="target")["client_email"]
    between = identity.service_account_info(name="between")["client_email"]
    identity.allow_impersonation(service_account["client_email"], between)
    identity.allow_impersonation(between, target)
    credentials = _impersonating(identity, service_account, target, impersonate_delegates=[between])
    assert identity.check(credentials.get_access_token()) == target


def test_who_may_not_impersonate_is_told_the_role(identity, service_account):
    target = identity.service_account_info(name="target")["client_email"]
    with pytest.raises(GcpAccessDenied, match=r"iam\.serviceAccountTokenCreator") as caught:
        _impersonating(identity, service_account, target).get_access_token()
    assert caught.value.permission == "iam.serviceAccounts.getAccessToken"


def test_tokens_ask_for_the_scopes_of_the_block(identity, service_account):
    scope = "https://www.googleapis.com/auth/devstorage.read_only"
    GcpCredentials(service_account_info=service_account).get_access_token()
    GcpCredentials(service_account_info=service_account, scopes=[scope]).get_access_token()
    assert [issued.scopes for issued in identity.issued] == [
        ("https://www.googleapis.com/auth/cloud-platform",),
        (scope,),
    ]


def test_the_quota_project_goes_into_the_headers(service_account):
    credentials = GcpCredentials(service_account_info=service_account, quota_project="payer")
    headers: dict[str, str] = {}
    identities.google_credentials(credentials).before_request(identities.token_request(), "GET", "https://x", headers)
    assert headers["x-goog-user-project"] == "payer"


def test_another_universe_reaches_credentials_and_clients(service_account):
    credentials = GcpCredentials(service_account_info=service_account, universe_domain="example.cloud")
    assert identities.google_credentials(credentials).universe_domain == "example.cloud"
    assert credentials.get_cloud_storage_client().api_endpoint == "https://storage.example.cloud"
    assert credentials.get_secret_manager_client().universe_domain == "example.cloud"


def test_the_credentials_are_those_of_the_sdk(service_account):
    from google.oauth2.service_account import Credentials

    credentials = GcpCredentials(service_account_info=service_account).get_credentials_from_service_account()
    assert isinstance(credentials, Credentials)
    assert credentials.service_account_email == service_account["client_email"]


# Projects


def test_the_project_is_that_of_the_key(service_account, key_file):
    assert GcpCredentials(service_account_info=service_account).project == "test-project"
    assert GcpCredentials(service_account_file=key_file).project == "test-project"


def test_a_project_that_is_given_comes_before_that_of_the_key(service_account):
    credentials = GcpCredentials(service_account_info=service_account, project="mine")
    assert credentials.project == "mine"
    assert credentials.get_bigquery_client().project == "mine"
    assert credentials.get_bigquery_client(project="theirs").project == "theirs"


def test_without_a_key_the_project_is_that_of_the_environment(monkeypatch):
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "from-environment")
    assert identities.project_of(GcpCredentials()) == "from-environment"


def test_a_project_that_is_known_nowhere_is_asked_for(identity):
    credentials = GcpCredentials(workload_identity_federation=identity.external_account_info())
    with pytest.raises(ValueError, match="Set project on the GCP credentials block"):
        identities.project_of(credentials)


# Tokens


def test_a_subclass_says_who_we_are():
    class OwnCredentials(GcpCredentials):
        _block_type_name = "Own GCP Credentials"
        _credentials: Any = PrivateAttr(default_factory=AnonymousCredentials)

        def get_credentials_from_service_account(self) -> Any:
            return self._credentials

    class FallingBack(OwnCredentials):
        _block_type_name = "Falling Back GCP Credentials"

        def get_credentials_from_service_account(self) -> Any:
            return GcpCredentials.get_credentials_from_service_account(self)

    first, second = OwnCredentials(project="p"), OwnCredentials(project="p")
    for block in (first, second):
        client: Any = block.get_cloud_storage_client()
        assert client is block.get_cloud_storage_client()
        assert client._credentials is block._credentials
        assert block.get_bigquery_client()._credentials is block._credentials
    with pytest.raises(GcpCredentialsMissing):
        FallingBack(project="p").get_cloud_storage_client()


def test_what_a_test_puts_in_the_place_of_the_sdk_is_taken(monkeypatch, service_account):
    for block in (GcpCredentials(project="p"), GcpCredentials(project="p", service_account_info=service_account)):
        for _ in range(2):
            with monkeypatch.context() as patched:
                stub = MagicMock()
                patched.setattr("google.auth.default", lambda **_: (AnonymousCredentials(), "p"))
                patched.setattr("google.cloud.storage.Client", stub)
                assert block.get_cloud_storage_client() is stub.return_value
    for _ in range(2):
        with monkeypatch.context() as patched:
            stub = AnonymousCredentials()
            patched.setattr("google.auth.default", lambda stub=stub, **_: (stub, "p"))
            assert GcpCredentials(project="p").get_credentials_from_service_account() is stub


def test_the_default_login_says_the_project_of_a_block(monkeypatch, tmp_path, service_account):
    key = tmp_path / "key.json"
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(key))
    assert GcpCredentials().project is None
    key.write_text(json.dumps(service_account))
    assert GcpCredentials().project == service_account["project_id"]
    assert GcpCredentials(project="mine").project == "mine"
    with monkeypatch.context() as patched:
        patched.setattr("google.auth.default", lambda *_, **__: (AnonymousCredentials(), "of-a-stub"))
        assert GcpCredentials().project == "of-a-stub"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "of-the-environment")
    assert GcpCredentials().project == "of-the-environment"


def test_the_login_of_a_person_says_the_project_that_is_charged(monkeypatch, tmp_path):
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    login = {"type": "authorized_user", "client_id": "c", "client_secret": "s", "refresh_token": "t"}
    file = tmp_path / "application_default_credentials.json"
    file.write_text(json.dumps({**login, "quota_project_id": "charged"}))
    assert GcpCredentials().project == "charged"
    file.write_text(json.dumps(login))
    assert GcpCredentials().project is None
    monkeypatch.setattr("google.auth.default", lambda **_: (MagicMock(quota_project_id="of-a-mock"), None))
    assert GcpCredentials().project == "of-a-mock"


def test_a_token_is_asked_for_once_by_many_threads(identity, service_account):
    credentials = GcpCredentials(service_account_info=service_account)
    ready = threading.Barrier(16)

    def ask() -> str:
        ready.wait(10)
        return credentials.get_access_token()

    with ThreadPoolExecutor(16) as pool:
        with identity.hold():
            tokens = [pool.submit(ask) for _ in range(16)]
        assert len({token.result(20) for token in tokens}) == 1
    assert len(identity.issued) == 1


def test_a_token_is_renewed_before_it_ends_once_by_many_threads(identity, service_account, monkeypatch):
    credentials = GcpCredentials(service_account_info=service_account)
    first = credentials.get_access_token()
    google = identities.google_credentials(credentials)
    now = SharedToken.clock
    monkeypatch.setattr(SharedToken, "clock", staticmethod(lambda: now() + 3599 - 120))
    ready = threading.Barrier(16)

    def use() -> str:
        headers: dict[str, str] = {}
        ready.wait(10)
        google.before_request(identities.token_request(), "GET", "https://x", headers)
        return headers["authorization"]

    with ThreadPoolExecutor(16) as pool:
        headers = {use.result(20) for use in [pool.submit(use) for _ in range(16)]}
    assert len(identity.issued) == 2
    assert headers == {f"Bearer {identity.issued[1].token}"}
    assert first == identity.issued[0].token


def test_a_token_that_is_good_for_long_is_not_renewed(identity, service_account, monkeypatch):
    credentials = GcpCredentials(service_account_info=service_account)
    first = credentials.get_access_token()
    now = SharedToken.clock
    monkeypatch.setattr(SharedToken, "clock", staticmethod(lambda: now() + 3000))
    assert credentials.get_access_token() == first


def test_a_token_of_some_minutes_is_used_for_most_of_them(identity, service_account):
    identity.issue_for(200)
    credentials = GcpCredentials(service_account_info=service_account)
    assert credentials.get_access_token() == credentials.get_access_token()
    assert len(identity.issued) == 1


def test_an_impersonated_token_is_renewed_before_it_ends(identity, service_account, monkeypatch):
    target = identity.service_account_info(name="target")["client_email"]
    identity.allow_impersonation(service_account["client_email"], target)
    credentials = _impersonating(identity, service_account, target)
    first = credentials.get_access_token()
    now = SharedToken.clock
    monkeypatch.setattr(SharedToken, "clock", staticmethod(lambda: now() + 3590))
    second = credentials.get_access_token()
    assert first != second
    assert identity.check(second) == target


def test_threads_whose_token_is_refused_get_another_one_once(identity, service_account):
    google: Any = identities.google_credentials(GcpCredentials(service_account_info=service_account))
    used, refused = threading.Barrier(8), threading.Barrier(8)

    def use_and_be_refused() -> str:
        google.before_request(identities.token_request(), "GET", "https://x", {})
        used.wait(10)
        refused.wait(10)
        google.refresh(identities.token_request())
        return google.token

    with ThreadPoolExecutor(8) as pool:
        tokens = {use.result(20) for use in [pool.submit(use_and_be_refused) for _ in range(8)]}
    assert len(tokens) == 1
    assert len(identity.issued) == 2


def test_a_caller_who_wants_another_token_gets_one(identity, service_account):
    google: Any = identities.google_credentials(GcpCredentials(service_account_info=service_account))
    google.refresh(identities.token_request())
    google.refresh(identities.token_request())
    assert len(identity.issued) == 2


def test_equal_blocks_share_tokens_and_clients(identity, service_account):
    one, other = (GcpCredentials(service_account_info=service_account) for _ in range(2))
    assert one.get_access_token() == other.get_access_token()
    assert one.get_cloud_storage_client() is other.get_cloud_storage_client()
    assert one.get_cloud_storage_client() is not one.get_cloud_storage_client(project="another")


# Clients


@pytest.mark.parametrize(
    ("client_type", "name"),
    [
        (ClientType.CLOUD_STORAGE, "google.cloud.storage.client.Client"),
        ("cloud_storage", "google.cloud.storage.client.Client"),
        (ClientType.BIGQUERY, "google.cloud.bigquery.client.Client"),
        (
            ClientType.SECRET_MANAGER,
            "google.cloud.secretmanager_v1.services.secret_manager_service.client.SecretManagerServiceClient",
        ),
        (ClientType.AIPLATFORM, "google.cloud.aiplatform_v1.services.job_service.client.JobServiceClient"),
    ],
)
def test_a_client_is_opened_of_each_service(service_account, client_type, name):
    client = GcpCredentials(service_account_info=service_account).get_client(client_type)
    assert f"{type(client).__module__}.{type(client).__qualname__}" == name


def test_arguments_reach_the_client(service_account):
    client = GcpCredentials(service_account_info=service_account).get_client("bigquery", project="p2", location="EU")
    assert (client.project, client.location) == ("p2", "EU")


def test_a_service_that_is_not_known_is_refused_by_name(service_account):
    with pytest.raises(ValueError, match="'spanner' is not supported"):
        GcpCredentials(service_account_info=service_account).get_client("spanner")


async def test_the_async_client_belongs_to_its_event_loop(service_account):
    credentials = GcpCredentials(service_account_info=service_account)
    mine = credentials.get_job_service_async_client()
    assert credentials.get_job_service_async_client() is mine

    async def in_another_loop() -> Any:
        return credentials.get_job_service_async_client()

    assert await asyncio.to_thread(asyncio.run, in_another_loop()) is not mine


def test_a_client_that_was_closed_is_not_handed_out_again(service_account):
    credentials = GcpCredentials(service_account_info=service_account)
    with credentials.get_secret_manager_client() as first:
        pass
    assert credentials.get_secret_manager_client() is not first


def test_an_async_client_is_dropped_when_its_event_loop_has_ended(service_account):
    credentials = GcpCredentials(service_account_info=service_account)

    async def get() -> weakref.ref[Any]:
        return weakref.ref(credentials.get_job_service_async_client())

    first = asyncio.run(get())
    assert asyncio.run(get())() is not None  # kept, and looks after those before it
    gc.collect()
    assert first() is None


@pytest.mark.parametrize("form", ["mapping", "object"])
def test_options_of_the_client_are_taken_in_both_forms(service_account, form):
    from google.api_core.client_options import ClientOptions

    options: Any = {"api_endpoint": "europe-west1-aiplatform.googleapis.com"}
    if form == "object":
        options = ClientOptions(**options)
    client = GcpCredentials(service_account_info=service_account).get_job_service_client(client_options=options)
    assert client.api_endpoint == "europe-west1-aiplatform.googleapis.com"


@pytest.mark.parametrize(
    ("method", "module", "extra"),
    [
        ("get_cloud_storage_client", "google.cloud.storage", "cloud_storage"),
        ("get_bigquery_client", "google.cloud.bigquery", "bigquery"),
        (
            "get_secret_manager_client",
            "google.cloud.secretmanager_v1.services.secret_manager_service",
            "secret_manager",
        ),
        ("get_job_service_client", "google.cloud.aiplatform_v1.services.job_service", "aiplatform"),
        ("get_job_service_async_client", "google.cloud.aiplatform_v1.services.job_service", "aiplatform"),
    ],
)
def test_a_missing_sdk_is_named_with_the_extra_that_brings_it(service_account, monkeypatch, method, module, extra):
    import google.cloud

    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.delattr(google.cloud, module.rpartition(".")[2], raising=False)
    credentials = GcpCredentials(service_account_info=service_account, project=f"without-{extra}")
    with pytest.raises(ImportError, match=rf'pip install "prefect-gcp\[{extra}\]"'):
        getattr(credentials, method)()


# Addresses


def test_clients_talk_to_the_addresses_of_the_block(service_account):
    endpoints = {"storage": "https://storage-psc.p.googleapis.com", "bigquery": "https://bq-psc.p.googleapis.com:8443"}
    endpoints |= {"aiplatform": "https://ai-psc.p.googleapis.com", "secretmanager": "https://sm.example.org:8443"}
    credentials = GcpCredentials(service_account_info=service_account, api_endpoints=endpoints)
    assert credentials.get_cloud_storage_client().api_endpoint == "https://storage-psc.p.googleapis.com"
    assert credentials.get_bigquery_client()._connection.API_BASE_URL == "https://bq-psc.p.googleapis.com:8443"
    assert credentials.get_secret_manager_client().api_endpoint == "sm.example.org:8443"
    regional = {"api_endpoint": "europe-west1-aiplatform.googleapis.com"}
    assert credentials.get_job_service_client(client_options=regional).api_endpoint == "ai-psc.p.googleapis.com"


def test_an_emulator_of_the_environment_gets_no_token(identity, service_account, monkeypatch):
    from google.auth.credentials import AnonymousCredentials

    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "127.0.0.1:9")
    credentials = GcpCredentials(service_account_info=service_account)
    storage, bigquery = credentials.get_cloud_storage_client(), credentials.get_bigquery_client()
    assert storage.api_endpoint == "http://127.0.0.1:9"
    assert bigquery._connection.API_BASE_URL == "http://127.0.0.1:9"
    assert isinstance(storage._credentials, AnonymousCredentials)
    assert isinstance(bigquery._credentials, AnonymousCredentials)


@pytest.mark.parametrize(
    ("address", "gets_tokens"),
    [
        ("https://psc.example.org", True),
        ("http://127.0.0.1:9", True),
        ("http://localhost:9", True),
        ("http://[::1]:9", True),
        ("http://emulator.example.org:9", False),
        ("http://10.0.0.7:9", False),
        ("http://127.0.0.1.example.org", False),
    ],
)
def test_tokens_go_over_tls_or_to_this_machine_only(service_account, address, gets_tokens):
    from google.auth.credentials import AnonymousCredentials

    credentials = GcpCredentials(service_account_info=service_account, api_endpoints={"storage": address})
    client: Any = credentials.get_cloud_storage_client()
    assert isinstance(client._credentials, AnonymousCredentials) is not gets_tokens


def test_a_server_on_this_machine_is_used_without_any_identity():
    from google.auth.credentials import AnonymousCredentials

    credentials = GcpCredentials(project="p", api_endpoints={"storage": "http://127.0.0.1:9"})
    client: Any = credentials.get_cloud_storage_client()
    assert isinstance(client._credentials, AnonymousCredentials)


@pytest.mark.parametrize(
    ("endpoints", "said"),
    [
        ({"stroage": "https://x.org"}, "Did you mean 'storage'"),
        ({"nothing": "https://x.org"}, "Known are: aiplatform, "),
        ({"run": "x.org"}, r"'run' must have the form https://host\[:port\]"),
        ({"run": "ftp://x.org"}, "'run' must have the form"),
        ({"run": "https://x.org:port"}, "'run' must have the form"),
        ({"run": "https://user:word@x.org"}, "'run' must be .* without a user"),
        ({"run": "https://x.org/v2"}, "'run' must be .* without a user, path"),
    ],
)
def test_a_bad_address_is_refused_by_name(endpoints, said):
    with pytest.raises(ValidationError, match=said) as caught:
        GcpCredentials(api_endpoints=endpoints)
    assert "word@" not in str(caught.value)


# Bad input


@pytest.mark.parametrize("missing", ["client_email", "private_key", "token_uri"])
def test_a_key_that_lacks_something_is_refused_by_what_it_lacks(service_account, missing, tmp_path):
    del service_account[missing]
    with pytest.raises(ValidationError, match=f"service_account_info: '{missing}' is missing"):
        GcpCredentials(service_account_info=service_account)
    path = tmp_path / "key.json"
    path.write_text(json.dumps(service_account))
    with pytest.raises(ValidationError, match=f"service_account_file: '{missing}' is missing"):
        GcpCredentials(service_account_file=path)


def test_a_file_that_is_not_there_is_refused_by_its_path(tmp_path):
    with pytest.raises(ValidationError, match=r"service_account_file: there is no file '.*nothing\.json'"):
        GcpCredentials(service_account_file=tmp_path / "nothing.json")


@pytest.mark.parametrize("content", ["{", "[]", '"text"', ""])
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "key.json"
    path.write_text(content)
    with pytest.raises(ValidationError, match=r"service_account_file: (not valid JSON|a JSON object is expected)"):
        GcpCredentials(service_account_file=path)


def test_a_folder_is_not_a_key_file(tmp_path):
    with pytest.raises(ValidationError, match=r"service_account_file: .* cannot be read"):
        GcpCredentials(service_account_file=tmp_path)


def test_two_identities_are_refused_by_both_names(service_account, key_file):
    with pytest.raises(ValidationError, match="Only one of service_account_file and service_account_info"):
        GcpCredentials(service_account_file=key_file, service_account_info=service_account)


def test_a_federation_in_the_place_of_a_key_is_sent_to_its_own_field(identity):
    with pytest.raises(ValidationError, match="Put it into workload_identity_federation"):
        GcpCredentials(service_account_info=identity.external_account_info())


def test_a_key_in_the_place_of_a_federation_is_sent_to_its_own_field(service_account):
    with pytest.raises(ValidationError, match="Put it into service_account_info"):
        GcpCredentials(workload_identity_federation=service_account)


def test_a_federation_that_lacks_something_is_refused_by_what_it_lacks(identity):
    info = identity.external_account_info()
    del info["audience"]
    with pytest.raises(ValidationError, match="workload_identity_federation: 'audience' is missing"):
        GcpCredentials(workload_identity_federation=info)


def test_delegates_without_an_account_to_impersonate_are_refused(service_account):
    with pytest.raises(ValidationError, match="without impersonate_service_account"):
        GcpCredentials(service_account_info=service_account, impersonate_delegates=["a@p.iam.gserviceaccount.com"])


def test_a_private_key_that_is_none_is_refused_by_name(service_account, no_canary_leaks, canary):
    service_account["private_key"] = f"-----BEGIN PRIVATE KEY-----\n{canary}\n-----END PRIVATE KEY-----\n"
    credentials = GcpCredentials(service_account_info=service_account)
    with pytest.raises(GcpCredentialsError, match="service_account_info: 'private_key' is not a private key") as caught:
        credentials.get_access_token()
    assert isinstance(caught.value, ValueError)
    no_canary_leaks.add_error(caught.value)


def test_no_identity_anywhere_says_how_to_get_one():
    from google.auth.exceptions import DefaultCredentialsError

    with pytest.raises(GcpCredentialsMissing, match="gcloud auth application-default login") as caught:
        GcpCredentials(project="p").get_cloud_storage_client()
    assert isinstance(caught.value, DefaultCredentialsError)


def test_a_disabled_account_is_refused(identity, service_account):
    identity.disable(service_account["client_email"])
    with pytest.raises(GcpCredentialsRefused, match=r"worker@test-project.*disabled"):
        GcpCredentials(service_account_info=service_account).get_access_token()


def test_a_key_of_another_account_is_refused(identity, service_account):
    service_account["private_key"] = identity.service_account_info(name="other")["private_key"]
    with pytest.raises(GcpCredentialsRefused, match="Invalid JWT Signature"):
        GcpCredentials(service_account_info=service_account).get_access_token()


def test_a_clock_that_is_wrong_is_named(identity, service_account):
    identity.shift_clock(-7200)
    with pytest.raises(GcpClockSkew, match="Set this machine's clock"):
        GcpCredentials(service_account_info=service_account).get_access_token()


def test_a_token_endpoint_that_fails_for_a_moment_is_asked_again(identity, service_account):
    identity.fail(times=1)
    assert GcpCredentials(service_account_info=service_account).get_access_token()


def test_a_token_endpoint_that_nobody_listens_at_is_a_passing_failure(service_account):
    service_account["token_uri"] = "http://127.0.0.1:9/token"
    with pytest.raises(GcpUnavailable, match="Service account worker@test-project"):
        GcpCredentials(service_account_info=service_account).get_access_token()


# Secrets and blocks


def test_secrets_stay_out_of_text_and_logs(identity, service_account, caplog, no_canary_leaks):
    caplog.set_level(logging.DEBUG)
    credentials = GcpCredentials(service_account_info=service_account)
    token = credentials.get_access_token()
    said = repr(credentials) + str(credentials) + credentials.model_dump_json() + caplog.text
    for line in service_account["private_key"].splitlines()[1:-1]:
        assert line not in said
    assert token not in said


def test_a_pickled_block_is_the_same_block(service_account):
    credentials = GcpCredentials(service_account_info=service_account, project="p")
    credentials.get_cloud_storage_client()
    copy = pickle.loads(pickle.dumps(credentials))
    assert copy == credentials
    assert copy.get_access_token() == credentials.get_access_token()


async def test_a_saved_block_is_loaded_as_it_was(prefect_harness, service_account):
    credentials = GcpCredentials(
        service_account_info=service_account, api_endpoints={"run": "https://run.example.org"}, quota_project="payer"
    )
    await credentials.save("gcp-round-trip", overwrite=True)
    loaded = await GcpCredentials.load("gcp-round-trip")
    assert isinstance(loaded.service_account_info, SecretDict)
    assert loaded.service_account_info.get_secret_value() == service_account
    assert (loaded.project, loaded.api_endpoints, loaded.quota_project) == (
        "test-project",
        {"run": "https://run.example.org"},
        "payer",
    )


async def test_a_saved_key_file_is_saved_as_a_path(prefect_harness, key_file):
    await GcpCredentials(service_account_file=key_file).save("gcp-key-file", overwrite=True)
    loaded = await GcpCredentials.load("gcp-key-file")
    assert loaded.service_account_file == key_file


def test_a_block_is_made_without_any_request_or_sdk(key_file):
    program = (
        "import sys; import prefect_gcp; "
        f"prefect_gcp.GcpCredentials(service_account_file={str(key_file)!r}); prefect_gcp.GcpCredentials(); "
        "print([m for m in sys.modules if m.startswith(('google.auth', 'google.cloud.', 'googleapiclient'))])"
    )
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert shown.stdout.strip() == "[]"
