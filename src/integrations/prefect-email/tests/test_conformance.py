"""What holds for every integration, shown for this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from prefect_email import EmailServerCredentials, SentEmail
from prefect_email.errors import EmailBatchError, EmailRecipientsRefused, EmailSenderRefused
from prefect_integration_tests.backends.certificates import PrivateCA
from prefect_integration_tests.backends.smtp import USERNAME, serve_smtp
from prefect_integration_tests.suites.block import BlockSuite
from prefect_integration_tests.suites.credentials import CredentialsSuite
from prefect_integration_tests.suites.interface import InterfaceSuite
from prefect_integration_tests.suites.package import PackageSuite

if TYPE_CHECKING:
    from prefect.blocks.core import Block


class TestPackage(PackageSuite):
    package = "prefect_email"

    def make_error(self, cls: type[Exception]) -> Exception:
        message = "smtp.example.com:465 said no."
        if cls is EmailRecipientsRefused:
            return cls(message, recipients={"a@x.com": (550, b"no")}, accepted=("b@x.com",))
        if cls is EmailSenderRefused:
            return cls(message, smtp_code=553, smtp_error=b"no", sender="a@x.com")
        if cls is EmailBatchError:  # errors within are not equal to their copies; test_message.py looks at them
            return cls(message, sent={0: SentEmail("<1@x.com>", ("a@x.com",))})
        return cls(message)


class TestInterface(InterfaceSuite):
    package = "prefect_email"


class TestBlocks(BlockSuite):
    package = "prefect_email"

    def make(self, cls: type[Block], canary: str) -> Block:
        return cls(
            username="me@example.com",
            password=canary,
            client_key_password=canary,
            oauth2_token_url="https://login.example.com/token",
            oauth2_token=canary,
            oauth2_client_id="app",
            oauth2_client_secret=canary,
            oauth2_refresh_token=canary,
        )


class TestCredentials(CredentialsSuite):
    client_method = "get_server"

    @pytest.fixture
    def credentials(self, canary: str, private_ca: PrivateCA) -> Iterator[Any]:
        with serve_smtp("SSL", ca=private_ca, mechanisms=("PLAIN",), username=USERNAME, password=canary) as backend:
            yield EmailServerCredentials(**backend.fields)
