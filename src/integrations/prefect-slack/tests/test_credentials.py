"""Credentials: their client reaches Slack, gov domains and proxies; and nobody sees the token."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient
from slack_sdk.webhook.client import WebhookClient

from prefect_integration_tests.backends.slack import TOKEN, WEBHOOK_SECRET, SlackServer
from prefect_slack import SlackCredentials, SlackWebhook, upload_file
from prefect_slack.errors import SlackConnectionError, SlackNotificationError
from prefect_slack.messages import asend_chat_message

Maker = Callable[..., Any]


async def test_the_client_is_the_published_one_and_has_the_token(
    slack: SlackServer, credentials: SlackCredentials
) -> None:
    client = credentials.get_client()
    assert type(client) is AsyncWebClient
    assert (await client.chat_postMessage(channel="#general", text="hi"))["ok"]


async def test_the_client_waits_when_slack_limits_the_rate(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.fail("auth.test", "ratelimited", status=429, retry_after="0")
    assert (await credentials.get_client().auth_test())["ok"]
    assert len(slack.calls) == 2


async def test_the_client_of_one_attempt_does_not_wait(slack: SlackServer, credentials_for: Maker) -> None:
    slack.fail("auth.test", "ratelimited", status=429, retry_after="0")
    with pytest.raises(SlackApiError):
        await credentials_for(max_attempts=1).get_client().auth_test()


def test_no_session_stays_open(slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook) -> None:
    async def main() -> None:
        await credentials.get_client().auth_test()
        await webhook.get_client().send(text="hi")  # pyright: ignore[reportGeneralTypeIssues]
        await asend_chat_message.fn("#general", credentials, "hi")

    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        asyncio.run(main())
        gc.collect()


def test_webhook_clients_are_the_published_ones(webhook: SlackWebhook) -> None:
    assert type(webhook.get_client()) is AsyncWebhookClient
    assert type(webhook.get_client(sync_client=True)) is WebhookClient


# Without aiohttp


@pytest.fixture
def without_aiohttp(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that has not installed it."""
    monkeypatch.setattr("prefect_slack.credentials.is_installed", lambda name: name != "aiohttp")
    for name in [name for name in sys.modules if name.split(".")[0] == "aiohttp" or "slack_sdk" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "aiohttp", None)


async def test_without_aiohttp_the_client_works_all_the_same(
    without_aiohttp: None, slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook
) -> None:
    client = credentials.get_client()
    assert (await client.chat_postMessage(channel="#general", text="hi"))["ok"]
    slack.add_channel("third")
    names = [channel["name"] async for page in await client.conversations_list() for channel in page["channels"]]
    assert names == ["general", "prefect", "third"]
    assert (await webhook.get_client().send(text="hook")).status_code == 200  # pyright: ignore[reportGeneralTypeIssues]
    assert client.token == TOKEN
    assert TOKEN not in repr(client)


def test_without_aiohttp_the_tasks_work(
    without_aiohttp: None, slack: SlackServer, credentials: SlackCredentials, webhook: SlackWebhook
) -> None:
    assert asyncio.run(asend_chat_message.fn("#general", credentials, "hi"))["ok"]
    webhook.notify("hi")
    assert len(slack.hook_posts) == 1


# Where Slack is


@pytest.mark.parametrize("url", ["https://slack-gov.com/api/", "https://slack-gov.com/api", "http://localhost:9/api/"])
def test_gov_domains_are_reached_by_base_url(url: str) -> None:
    credentials = SlackCredentials(token=TOKEN, base_url=url)
    assert credentials.get_client().base_url == url.rstrip("/") + "/"


@pytest.mark.parametrize("url", ["http://slack.com/api/", "slack.com", ""])
def test_a_token_never_goes_where_all_can_read_it(url: str) -> None:
    with pytest.raises(ValueError, match="base_url must") as caught:
        SlackCredentials(token=TOKEN, base_url=url)
    assert TOKEN not in str(caught.value)


def test_calls_go_through_the_proxy(slack: SlackServer, credentials_for: Maker) -> None:
    credentials = credentials_for(base_url="http://localhost:9/api/", proxy=slack.endpoint)
    assert asyncio.run(asend_chat_message.fn("#general", credentials, "hi"))["ok"]
    assert slack.calls[0].proxied_to == "localhost:9"


def test_webhooks_go_through_the_proxy(slack: SlackServer, webhook_for: Maker) -> None:
    url = slack.webhook_url.replace("http://127.0.0.1", "http://hooks.slack-gov.test")
    webhook_for(url=url, proxy=slack.endpoint.replace("http://", "http://user:secretOfTheProxy@")).notify("hi")
    assert slack.calls[0].proxied_to.startswith("hooks.slack-gov.test")
    assert slack.calls[0].headers["proxy-authorization"].startswith("Basic ")


def test_the_proxy_of_the_environment_is_used(
    slack: SlackServer, credentials_for: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", slack.endpoint)
    assert asyncio.run(asend_chat_message.fn("#general", credentials_for(base_url="http://localhost:9/api/"), "hi"))[
        "ok"
    ]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"proxy": "socks5://user:secretOfTheProxy@host"}, "proxy must have the form http://host:port"),
        ({"timeout_seconds": 0}, "timeout_seconds"),
        ({"max_attempts": 0}, "max_attempts"),
    ],
    ids=["proxy", "timeout", "attempts"],
)
def test_a_bad_field_is_named_and_its_neighbours_are_not_shown(fields: dict[str, Any], named: str) -> None:
    for cls, secret in ((SlackCredentials, {"token": TOKEN}), (SlackWebhook, {"url": WEBHOOK_SECRET})):
        with pytest.raises(ValueError, match=named) as caught:
            cls(**secret, **fields)
        for value in (TOKEN, WEBHOOK_SECRET, "secretOfTheProxy"):
            assert value not in str(caught.value)


@pytest.fixture(scope="session")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[SlackServer, Path]]:
    """A server with TLS, and the certificate of its authority."""
    certificates = pytest.importorskip("prefect_integration_tests.backends.certificates")
    private = certificates.PrivateCA(tmp_path_factory.mktemp("ca"))
    with SlackServer(private.issue("slack", "127.0.0.1")) as server:
        yield server, private.ca_file


def test_a_private_authority_is_trusted_when_it_is_named(
    secured: tuple[SlackServer, Path], credentials_for: Maker, webhook_for: Maker, sleeps: list[float]
) -> None:
    server, ca_file = secured
    there = {"base_url": server.api_url}
    trusting = credentials_for(**there, ca_bundle=str(ca_file))
    assert asyncio.run(asend_chat_message.fn("#general", trusting, "hi"))["ok"]
    assert upload_file.fn("#general", trusting, b"x", filename="a")["ok"]
    webhook_for(url=server.webhook_url, ca_bundle=ca_file.read_text()).notify("hi")
    assert asyncio.run(trusting.get_client().auth_test())["ok"]
    with pytest.raises(SlackConnectionError, match="certificate is not trusted: name its authority in ca_bundle"):
        asyncio.run(asend_chat_message.fn("#general", credentials_for(**there), "hi"))
    with pytest.raises(SlackNotificationError, match="name its authority in ca_bundle") as caught:
        webhook_for(url=server.webhook_url).notify("hi")
    assert WEBHOOK_SECRET not in str(caught.value)
    assert not sleeps


def test_a_bad_authority_is_named(credentials_for: Maker) -> None:
    with pytest.raises(ValueError, match=r"ca_bundle '/no/such\.pem' cannot be read"):
        asyncio.run(asend_chat_message.fn("#general", credentials_for(ca_bundle="/no/such.pem"), "hi"))


async def test_the_clients_log_no_secret_at_any_level(
    slack: SlackServer,
    credentials_for: Maker,
    webhook_for: Maker,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", slack.endpoint.replace("http://", "http://user:secretOfTheProxy@"))
    with caplog.at_level(logging.DEBUG):
        credentials, webhook = credentials_for(), webhook_for()
        await credentials.get_client().chat_postMessage(channel="#general", text="hi")
        await webhook.get_client().send(text="hi")
        webhook.get_client(sync_client=True).send(text="hi")
        await webhook.anotify("hi")
        await asend_chat_message.fn("#general", credentials, "hi")
    assert "Sending a request" in caplog.text
    for secret in (TOKEN, WEBHOOK_SECRET, "secretOfTheProxy"):
        assert secret not in caplog.text
