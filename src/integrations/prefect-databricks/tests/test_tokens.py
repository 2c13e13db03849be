"""Tokens are asked for once, renewed before their end, and kept while who issues them is away."""

from __future__ import annotations

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from pydantic import SecretStr

from prefect_databricks import DatabricksCredentials, DatabricksUnavailable, _time
from prefect_databricks._auth.tokens import Token, TokenKeeper
from prefect_integration_tests.backends.databricks import CLIENT_ID, CLIENT_SECRET, Databricks
from prefect_integration_tests.clock import FakeClock


class Issuer:
    """Issues tokens for an hour, by a clock that a test sets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, lifetime_seconds: float | None = 3600.0) -> None:
        self.time = 1_000_000.0
        self.lifetime_seconds = lifetime_seconds
        self.is_away = False
        self.asked = 0
        monkeypatch.setattr(_time, "now", lambda: self.time)

    def __call__(self) -> Token:
        self.asked += 1
        if self.is_away:
            raise DatabricksUnavailable("away")
        return Token(
            f"token-{self.asked}", None if self.lifetime_seconds is None else self.time + self.lifetime_seconds
        )


@pytest.mark.parametrize(("lifetime", "renewed_after"), [(3600.0, 3300.0), (400.0, 300.0), (60.0, 45.0)])
def test_a_token_is_renewed_before_its_end(
    monkeypatch: pytest.MonkeyPatch, lifetime: float, renewed_after: float
) -> None:
    issuer = Issuer(monkeypatch, lifetime)
    keeper = TokenKeeper(issuer)
    assert keeper.get() == "token-1"
    issuer.time += renewed_after - 1
    assert keeper.get() == "token-1"
    issuer.time += 1
    assert keeper.get() == "token-2"


def test_a_token_without_an_end_is_kept_until_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(monkeypatch, None)
    keeper = TokenKeeper(issuer)
    keeper.get()
    issuer.time += 1e6
    assert keeper.get() == "token-1"
    keeper.forget("token-0")
    assert keeper.get() == "token-1"
    keeper.forget("token-1")
    assert keeper.get() == "token-2"


def test_a_token_that_is_still_good_outlasts_an_issuer_that_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    issuer = Issuer(monkeypatch)
    keeper = TokenKeeper(issuer)
    keeper.get()
    issuer.time += 3400
    issuer.is_away = True
    assert keeper.get() == "token-1"
    assert keeper.get() == "token-1"
    assert issuer.asked == 2  # not for each request
    issuer.time += 250
    with pytest.raises(DatabricksUnavailable):
        keeper.get()
    issuer.is_away = False
    assert keeper.get() == "token-4"


def test_a_token_does_not_show_itself() -> None:
    assert "hunter2" not in repr(Token("hunter2", 7.0))


def principal(databricks: Databricks) -> DatabricksCredentials:
    return DatabricksCredentials(
        databricks_instance=databricks.endpoint, client_id=CLIENT_ID, client_secret=SecretStr(CLIENT_SECRET)
    )


def test_many_threads_and_event_loops_ask_for_one_token(databricks: Databricks) -> None:
    """Rule 7: refreshed once under concurrency, by whatever face, and by blocks that are equal."""
    databricks.fail("GetToken", 503, delay_seconds=0.2)  # so that the others come while the first one asks
    together = threading.Barrier(24)

    def in_a_thread() -> set[str]:
        together.wait()
        return {principal(databricks).get_token()}

    async def many() -> list[str]:
        return await asyncio.gather(*(principal(databricks).aget_token() for _ in range(10)))

    def in_a_loop() -> set[str]:
        together.wait()
        return set(asyncio.run(many()))

    with ThreadPoolExecutor(24) as pool:
        threads = [pool.submit(in_a_thread) for _ in range(12)]
        loops = [pool.submit(in_a_loop) for _ in range(12)]
        found = [each.result() for each in (*threads, *loops)]
    assert set().union(*found) == set(databricks.identity.issued)
    assert len(databricks.identity.issued) == 1
    assert len(databricks.calls_of("GetToken")) == 2  # the first one failed


@pytest.mark.usefixtures("clock")
def test_a_token_endpoint_that_fails_for_a_moment_is_asked_again(databricks: Databricks, fake_clock: FakeClock) -> None:
    databricks.fail("GetToken", 503, retry_after="3", times=2)
    assert principal(databricks).get_token()
    assert all(slept >= 3 for slept in fake_clock.sleeps)
    assert len(fake_clock.sleeps) == 2


@pytest.mark.usefixtures("clock")
def test_a_token_endpoint_that_is_away_is_given_up_after_a_deadline(
    databricks: Databricks, fake_clock: FakeClock
) -> None:
    databricks.fail("GetToken", 503, times=None)
    with pytest.raises(DatabricksUnavailable, match="No token for service principal"):
        principal(databricks).get_token()
    assert sum(fake_clock.sleeps) <= 30


def test_other_credentials_get_another_token(databricks: Databricks) -> None:
    databricks.identity.clients["other"] = "secret"
    other = DatabricksCredentials(
        databricks_instance=databricks.endpoint, client_id="other", client_secret=SecretStr("secret")
    )
    assert principal(databricks).get_token() != other.get_token()
    assert len(databricks.identity.issued) == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_asks_for_itself(databricks: Databricks) -> None:
    """A lock that was held at the fork must not hold the child up."""
    credentials = principal(databricks)
    credentials.get_token()
    child = os.fork()
    if child == 0:  # pragma: no cover - the child
        try:
            ok = bool(credentials.get_token())
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert len(databricks.identity.issued) == 2
