"""Find the ID of a channel: most of Slack's methods take nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from prefect_integration_kit.sdk_errors import combined
from prefect_slack._calls import Json, SlackCalls
from prefect_slack._posting import check_channel
from prefect_slack.errors import SlackChannelNotFound, SlackPermissionError

_CHANNEL = re.compile(r"[CDG][A-Z0-9]{7,}")
_PERSON = re.compile(r"[UW][A-Z0-9]{7,}")

_AT_A_TIME = 1000
_NEEDS_SCOPE = (
    "Give the ID of the channel (C…, in its details), or add the scope channels:read (groups:read for private ones)."
)


def channel_id(calls: SlackCalls, channel: str) -> str:
    """Give the ID of a channel, or of the direct messages with a person.

    Args:
        calls: How Slack is asked.
        channel: An ID, which costs no call, or a name.

    Raises:
        SlackChannelNotFound: If there is no such channel, as far as the app can see.
    """
    channel = check_channel(channel)
    if _CHANNEL.fullmatch(channel):
        return channel
    if _PERSON.fullmatch(channel):
        opened: Any = calls.call("conversations.open", {"users": channel}, to=f"with {channel}")
        return str(opened["channel"]["id"])
    name = channel.removeprefix("#")
    for page in _pages(calls, name):
        channels: list[Json] = page.get("channels") or []
        for each in channels:
            if each.get("name") == name:
                return str(each["id"])
    from slack_sdk.errors import SlackApiError

    subject = f"Slack, channel {channel!r}"
    raise combined(SlackChannelNotFound, SlackApiError)(
        f"{subject}: channel_not_found. {SlackChannelNotFound.remedy}", subject=subject, code="channel_not_found"
    )


def _pages(calls: SlackCalls, name: str) -> Iterator[Json]:
    options: dict[str, Any] = {"to": f"to find {name!r}", "remedies": {"missing_scope": _NEEDS_SCOPE}}
    arguments = {"exclude_archived": True, "limit": _AT_A_TIME}
    try:
        yield from calls.pages(
            "conversations.list", {**arguments, "types": "public_channel,private_channel"}, **options
        )
    except SlackPermissionError as exc:
        if exc.response.get("needed") != "groups:read":
            raise
        yield from calls.pages("conversations.list", {**arguments, "types": "public_channel"}, **options)
