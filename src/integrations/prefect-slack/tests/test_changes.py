"""Changes of messages: seen in Slack, and safe to be done twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
from prefect import flow

from prefect_integration_tests.backends.slack import TOKEN, SlackServer
from prefect_slack import SlackCredentials
from prefect_slack.changes import (
    aadd_reaction,
    add_reaction,
    adelete_chat_message,
    aget_permalink,
    aremove_reaction,
    aupdate_chat_message,
    delete_chat_message,
    get_permalink,
    remove_reaction,
    update_chat_message,
)
from prefect_slack.errors import (
    InvalidSlackMessage,
    SlackChannelNotFound,
    SlackMessageNotFound,
    SlackPermissionError,
)
from prefect_slack.messages import asend_chat_message, send_chat_message

Json = dict[str, Any]


@pytest.fixture
def message(slack: SlackServer, credentials: SlackCredentials) -> Json:
    """A message in #general."""
    return asyncio.run(asend_chat_message.fn("#general", credentials, "Loading…"))


def test_a_sync_flow_changes_reacts_and_deletes(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials, message: Json
) -> None:
    @flow
    def example() -> list[Any]:
        where = (message["channel"], credentials, message["ts"])
        seen: list[Any] = [get_permalink(*where)]
        update_chat_message(*where, "Loaded.", metadata={"event_type": "x", "event_payload": {}}, link_names=True)
        add_reaction(*where, "tada")
        seen.append(deepcopy(slack.channel("general").messages[0]))
        remove_reaction(*where, ":tada:")
        seen.append(delete_chat_message(*where))
        return seen

    link, changed, deleted = example()
    assert link.startswith("https://")
    assert (changed["text"], changed["reactions"], changed["link_names"]) == ("Loaded.", ["tada"], True)
    assert deleted["ts"] == message["ts"]
    assert not slack.channel("general").messages


async def test_an_async_flow_does_the_same_by_both_names(
    prefect_harness: None, slack: SlackServer, credentials: SlackCredentials
) -> None:
    @flow
    async def example() -> str:
        message = await send_chat_message("#general", credentials, "Loading…")
        where = (message["channel"], credentials, message["ts"])
        await update_chat_message(*where, "half")  # pyright: ignore[reportGeneralTypeIssues]
        await aupdate_chat_message(*where, "Loaded.")
        await aadd_reaction(*where, "tada")
        await aremove_reaction(*where, "tada")
        link = await aget_permalink(*where)
        await adelete_chat_message(*where)
        return link

    assert (await example()).startswith("https://")
    assert not slack.channel("general").messages


def test_a_name_of_a_channel_is_looked_up(slack: SlackServer, credentials: SlackCredentials) -> None:
    slack.add_channel("third")
    message = asyncio.run(asend_chat_message.fn("#third", credentials, "hi"))
    update_chat_message.fn("#third", credentials, message["ts"], "ho")
    assert slack.channel("third").messages[0]["text"] == "ho"
    assert len(slack.called("conversations.list")) == 2  # pages
    with pytest.raises(SlackChannelNotFound, match="'#fourth'"):
        update_chat_message.fn("#fourth", credentials, message["ts"], "ho")


def test_without_the_scope_to_look_up_a_name_the_remedy_is_the_id(
    slack: SlackServer, credentials: SlackCredentials, message: Json
) -> None:
    slack.scopes[TOKEN] = frozenset({"chat:write"})
    with pytest.raises(SlackPermissionError, match="Give the ID of the channel"):
        update_chat_message.fn("#general", credentials, message["ts"], "ho")


def test_private_channels_are_left_out_when_they_may_not_be_listed(
    slack: SlackServer, credentials: SlackCredentials, message: Json
) -> None:
    slack.fail("conversations.list", "missing_scope", needed="groups:read")
    update_chat_message.fn("#general", credentials, message["ts"], "ho")
    assert slack.called("conversations.list")[1].arguments["types"] == "public_channel"


@pytest.mark.parametrize("when", ["before", "lost"])
@pytest.mark.parametrize(
    "change",
    [
        lambda *where: update_chat_message.fn(*where, "ho"),
        lambda *where: add_reaction.fn(*where, "tada"),
        delete_chat_message.fn,
    ],
    ids=["update", "react", "delete"],
)
def test_a_change_is_repeated_until_it_is_known_to_be_done(
    change: Callable[..., Any],
    when: Any,
    slack: SlackServer,
    credentials: SlackCredentials,
    message: Json,
    sleeps: list[float],
) -> None:
    before = len(slack.calls)
    slack.fail("*", "internal_error", when=when)
    assert change(message["channel"], credentials, message["ts"])["ok"]
    assert len(slack.calls) - before == 2


def test_reactions_may_be_there_already_or_be_gone(
    slack: SlackServer, credentials: SlackCredentials, message: Json
) -> None:
    where = (message["channel"], credentials, message["ts"])
    for react in (add_reaction, add_reaction, remove_reaction, remove_reaction):
        assert react.fn(*where, "tada") == {"ok": True}


def test_a_long_text_is_truncated_or_refused(slack: SlackServer, credentials: SlackCredentials, message: Json) -> None:
    where = (message["channel"], credentials, message["ts"])
    update_chat_message.fn(*where, "word " * 1000)
    assert slack.channel("general").messages[0]["text"].endswith("word …")
    with pytest.raises(InvalidSlackMessage, match="4,000"):
        update_chat_message.fn(*where, "word " * 1000, long_text="refuse")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda credentials: update_chat_message.fn("C00000001", credentials, 1.5, "x"), "ts is 1.5"),
        (lambda credentials: update_chat_message.fn("C00000001", credentials, "1.5"), "nothing to send"),
        (lambda credentials: update_chat_message.fn("", credentials, "1.5", "x"), "channel is ''"),
        (lambda credentials: add_reaction.fn("C00000001", credentials, "1.5", "a b"), "name is 'a b'"),
        (lambda credentials: delete_chat_message.fn("C00000001", credentials, None), "ts is None"),
        (lambda credentials: get_permalink.fn("C00000001", credentials, ""), "ts is ''"),
    ],
    ids=["ts", "content", "channel", "emoji", "delete", "link"],
)
def test_bad_input_is_refused_before_slack_is_asked(
    change: Callable[..., Any], named: str, slack: SlackServer, credentials: SlackCredentials
) -> None:
    with pytest.raises(InvalidSlackMessage, match=named):
        change(credentials)
    assert not slack.calls


def test_a_missing_message_has_a_remedy(slack: SlackServer, credentials: SlackCredentials, message: Json) -> None:
    with pytest.raises(SlackMessageNotFound, match="Give the channel's ID and the ts"):
        delete_chat_message.fn(message["channel"], credentials, "1503435956.000247")


def test_outside_of_a_run_the_async_names_work(credentials: SlackCredentials, message: Json) -> None:
    assert asyncio.run(aget_permalink.fn(message["channel"], credentials, message["ts"]))
