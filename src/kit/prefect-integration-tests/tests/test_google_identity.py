"""The local identity services of Google, as Google's own library sees them."""

from __future__ import annotations

from typing import Any

import pytest

from prefect_integration_tests.backends.google_identity import GoogleIdentity

pytest.importorskip("google.auth", reason="The Google identity tests need google-auth.")

from google.auth import exceptions, identity_pool, impersonated_credentials
from google.auth.compute_engine import _metadata
from google.auth.transport.requests import Request
from google.oauth2 import service_account

SCOPES = ["https://www.googleapis.com/auth/cloud-platform"]
READER = "reader@test-project.iam.gserviceaccount.com"


@pytest.fixture
def identity(google_identity: GoogleIdentity) -> GoogleIdentity:
    google_identity.reset()
    return google_identity


def _signed_in(info: dict[str, Any]) -> Any:
    """Credentials of a key, with a token."""
    credentials: Any = service_account.Credentials.from_service_account_info(info, scopes=SCOPES)
    credentials.refresh(Request())
    return credentials


def test_a_signed_assertion_gets_a_token_of_the_account(identity: GoogleIdentity) -> None:
    info = identity.service_account_info()
    token = _signed_in(info).token
    assert identity.check(token) == info["client_email"]
    assert [(issued.grant, list(issued.scopes)) for issued in identity.issued] == [("jwt-bearer", SCOPES)]


def test_a_signature_by_another_key_is_refused(identity: GoogleIdentity) -> None:
    other = identity.service_account_info(name="other")
    with pytest.raises(exceptions.RefreshError, match="Invalid JWT Signature"):
        _signed_in({**identity.service_account_info(), "private_key": other["private_key"]})
    assert not identity.issued


def test_an_assertion_that_has_expired_is_refused(identity: GoogleIdentity) -> None:
    identity.shift_clock(2 * 3600)
    with pytest.raises(exceptions.RefreshError, match="short-lived token"):
        _signed_in(identity.service_account_info())


def test_a_disabled_account_gets_no_token(identity: GoogleIdentity) -> None:
    info = identity.service_account_info()
    identity.disable(info["client_email"])
    with pytest.raises(exceptions.RefreshError, match="disabled"):
        _signed_in(info)


def test_only_who_may_impersonates(identity: GoogleIdentity) -> None:
    info = identity.service_account_info()
    source = _signed_in(info)
    target: Any = impersonated_credentials.Credentials(
        source,
        READER,
        SCOPES,
        iam_endpoint_override=f"{identity.endpoint}/v1/projects/-/serviceAccounts/{READER}:generateAccessToken",
    )
    with pytest.raises(exceptions.RefreshError, match=r"iam\.serviceAccounts\.getAccessToken"):
        target.refresh(Request())
    identity.allow_impersonation(info["client_email"], READER)
    target.refresh(Request())
    assert identity.check(target.token) == READER


def test_a_workload_exchanges_its_token(identity: GoogleIdentity) -> None:
    credentials: Any = identity_pool.Credentials.from_info(identity.external_account_info(), scopes=SCOPES)
    credentials.refresh(Request())
    assert identity.check(credentials.token) == identity.federated_principal
    assert identity.requests == ["GET /subject-token", "POST /v1/token"]


def test_the_metadata_server_gives_tokens_of_the_attached_account(identity: GoogleIdentity) -> None:
    root = f"http://{identity.metadata_host}/computeMetadata/v1/"  # the library reads its variable at import
    answer: Any = _metadata.get(Request(), "instance/service-accounts/default/token", root=root)
    assert identity.check(answer["access_token"]) == "attached@test-project.iam.gserviceaccount.com"


def test_tokens_that_have_expired_are_good_no_more(identity: GoogleIdentity) -> None:
    info = identity.service_account_info()
    old = _signed_in(info).token
    identity.expire_all()
    assert identity.check(old) is None
    assert identity.check(_signed_in(info).token) == info["client_email"]


def test_a_failure_is_answered_as_often_as_told(identity: GoogleIdentity) -> None:
    identity.fail(times=1, status=400)
    info = identity.service_account_info()
    with pytest.raises(exceptions.RefreshError):
        _signed_in(info)
    assert identity.check(_signed_in(info).token) == info["client_email"]
