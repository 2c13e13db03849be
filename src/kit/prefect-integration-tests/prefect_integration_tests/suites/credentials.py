"""What holds for credentials blocks: they hand out clients, travel, and tell nobody."""

from __future__ import annotations

import copy
import pickle
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, cast

import cloudpickle
import pytest

from prefect_integration_tests.blocks import construction_error, secret_fields, values
from prefect_integration_tests.checks import run_together

from .base import Suite

if TYPE_CHECKING:
    from pydantic import BaseModel

    from prefect_integration_tests.leaks import LeakWatch


class CredentialsSuite(Suite):
    """Checks one credentials block.

    Attributes:
        get_client_kwargs: Arguments for `get_client`.
        client_method: Name of the method that hands out a client.
    """

    get_client_kwargs: ClassVar[dict[str, Any]] = {}
    client_method: ClassVar[str] = "get_client"

    @pytest.fixture
    @abstractmethod
    def credentials(self, canary: str) -> Any:
        """A block with `canary` in its secrets, whose `get_client` needs no service."""

    def client(self, credentials: Any) -> Any:
        """Get a client.

        Args:
            credentials: The block.
        """
        return getattr(credentials, self.client_method)(**self.get_client_kwargs)

    def close(self, client: Any) -> None:
        """Close a client after the test; override it when `close` is not the name.

        Args:
            client: What `get_client` returned.
        """
        close = getattr(client, "close", None)
        if callable(close):
            close()

    def test_the_credentials_hold_the_canary(self, credentials: Any, canary: str) -> None:
        """The fixture keeps its promise: there is something to hide."""
        held = secret_fields(credentials)
        assert held, f"{type(credentials).__name__} has no secret field."
        assert canary in held.values()

    def test_a_client_is_handed_out(self, credentials: Any) -> None:
        """`get_client` works and hands out something."""
        client = self.client(credentials)
        assert client is not None
        self.close(client)

    def test_secrets_are_not_shown(self, credentials: Any, canary: str, no_canary_leaks: LeakWatch) -> None:
        """Rule 3: neither block nor client shows a secret, however it is printed or logged."""
        client = self.client(credentials)
        for thing in (credentials, client):
            no_canary_leaks.add("repr or str", f"{thing!r} {thing} {thing:}")
        no_canary_leaks.add("model_dump_json", credentials.model_dump_json())
        no_canary_leaks.add("the fields", f"{dict(credentials)!r}")
        credentials.logger.info("Using %s and %r", credentials, credentials)
        self.close(client)
        no_canary_leaks.check()

    def test_a_bad_field_does_not_show_the_others(self, credentials: Any, no_canary_leaks: LeakWatch) -> None:
        """Rule 3: an error about one field does not print its neighbours."""
        cls = cast("type[BaseModel]", type(credentials))
        given: dict[str, Any] = values(credentials)
        tried = 0
        for name in given:
            error = construction_error(cls, {**given, name: object()})
            if error is not None:
                tried += 1
                no_canary_leaks.add_error(error)
        assert tried, "No field refused an arbitrary object."
        no_canary_leaks.check()

    def test_credentials_travel_without_their_client(self, credentials: Any) -> None:
        """Rule 7: a block that has handed out clients can go to another process and work there."""
        self.close(self.client(credentials))
        for again in (
            pickle.loads(pickle.dumps(credentials)),
            pickle.loads(cloudpickle.dumps(credentials)),
            copy.deepcopy(credentials),
            credentials.model_copy(),
        ):
            assert values(again) == values(credentials)
            self.close(self.client(again))

    def test_equal_credentials_are_equal(self, credentials: Any) -> None:
        """Two blocks with the same values are equal, even when one has been used; others are not."""
        given: dict[str, Any] = values(credentials)
        other = type(credentials)(**given)
        assert other == credentials
        self.close(self.client(credentials))
        assert other == credentials
        name = next(iter(secret_fields(credentials))).partition(".")[0]
        changed = credentials.model_copy(update={name: None})
        assert changed != credentials

    def test_many_threads_get_clients(self, credentials: Any) -> None:
        """Rule 8: clients can be had from many threads at once."""
        clients = run_together(lambda: self.client(credentials), threads=16)
        assert all(client is not None for client in clients)
        for client in {id(client): client for client in clients}.values():
            self.close(client)
