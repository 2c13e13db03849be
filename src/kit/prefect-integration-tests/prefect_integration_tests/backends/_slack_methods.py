"""Methods of Slack's Web API: their arguments and scopes, and the limits of messages, as Slack documents them.

https://docs.slack.dev/reference/methods, https://docs.slack.dev/reference/block-kit/blocks
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

Json = dict[str, Any]

_LOOK = {"as_user": bool, "icon_emoji": str, "icon_url": str, "link_names": bool, "parse": str, "username": str}
_CONTENT = {"text": str, "blocks": list, "attachments": list, "markdown_text": str}
_UNFURL = {"unfurl_links": bool, "unfurl_media": bool}

MAX_TEXT, MAX_CHANGED_TEXT = 40_000, 4_000
_MAX_BLOCKS, _MAX_ATTACHMENTS, _MAX_HEADER, _MAX_SECTION = 50, 100, 150, 3_000


@dataclass(frozen=True)
class Method:
    """One method.

    Attributes:
        arguments: Types of the values by name.
        wanted: Names of those that must be there.
        scope: What a token needs for it; empty for nothing.
        takes_json: Whether the body may be JSON.
    """

    arguments: Mapping[str, type]
    wanted: tuple[str, ...] = ()
    scope: str = ""
    takes_json: bool = True


METHODS: dict[str, Method] = {
    "auth.test": Method({}),
    "chat.postMessage": Method(
        {
            **_LOOK,
            **_CONTENT,
            **_UNFURL,
            "channel": str,
            "metadata": dict,
            "mrkdwn": bool,
            "reply_broadcast": bool,
            "thread_ts": str,
        },
        ("channel",),
        "chat:write",
    ),
    "chat.postEphemeral": Method(
        {**_LOOK, **_CONTENT, "channel": str, "user": str, "thread_ts": str}, ("channel", "user"), "chat:write"
    ),
    "chat.update": Method(
        {
            **_CONTENT,
            "as_user": bool,
            "channel": str,
            "file_ids": list,
            "link_names": bool,
            "metadata": dict,
            "parse": str,
            "reply_broadcast": bool,
            "ts": str,
        },
        ("channel", "ts"),
        "chat:write",
    ),
    "chat.delete": Method({"channel": str, "ts": str, "as_user": bool}, ("channel", "ts"), "chat:write"),
    "chat.getPermalink": Method({"channel": str, "message_ts": str}, ("channel", "message_ts"), takes_json=False),
    "reactions.add": Method(
        {"channel": str, "name": str, "timestamp": str}, ("channel", "name", "timestamp"), "reactions:write"
    ),
    "reactions.remove": Method(
        {"channel": str, "file": str, "file_comment": str, "name": str, "timestamp": str},
        ("name",),
        "reactions:write",
    ),
    "conversations.list": Method(
        {"cursor": str, "exclude_archived": bool, "limit": int, "team_id": str, "types": str},
        (),
        "channels:read",
        takes_json=False,
    ),
    "conversations.open": Method(
        {"channel": str, "prevent_creation": bool, "return_im": bool, "users": str}, (), "im:write"
    ),
    "files.getUploadURLExternal": Method(
        {"alt_txt": str, "filename": str, "length": int, "snippet_type": str},
        ("filename", "length"),
        "files:write",
        takes_json=False,
    ),
    "files.completeUploadExternal": Method(
        {
            "blocks": list,
            "channel_id": str,
            "channels": str,
            "files": list,
            "initial_comment": str,
            "thread_ts": str,
        },
        ("files",),
        "files:write",
    ),
}

WEBHOOK_ARGUMENTS: dict[str, type] = {
    **_CONTENT,
    **_UNFURL,
    "delete_original": bool,
    "metadata": dict,
    "mrkdwn": bool,
    "replace_original": bool,
    "response_type": str,
    "thread_ts": str,
}

_FORM_VALUES: dict[type, tuple[str, ...]] = {bool: ("0", "1", "true", "false")}


def arguments_of_form(method: Method, values: Mapping[str, str]) -> Json:
    """Read the arguments of a form: numbers, truth values and JSON come as text there.

    Raises:
        ValueError: Naming the argument that cannot be read.
    """
    return {name: _of_text(name, text, method.arguments.get(name, str)) for name, text in values.items()}


def _of_text(name: str, text: str, kind: type) -> Any:
    if kind is str:
        return text
    if kind is bool:
        if text not in _FORM_VALUES[bool]:
            raise ValueError(name)
        return text in ("1", "true")
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError(name) from None


def argument_problems(known: Mapping[str, type], wanted: tuple[str, ...], given: Json) -> Iterator[str]:
    """Find arguments that are missing, unknown or of another type, in the words of Slack's answers."""
    for name in wanted:
        if given.get(name) in (None, ""):
            yield f"[ERROR] missing required field: {name}"
    for name, value in given.items():
        if name not in known:
            yield f"[ERROR] unexpected field: {name}"
        elif not isinstance(value, known[name]) or (isinstance(value, bool) and known[name] is not bool):
            yield f"[ERROR] must be of type {known[name].__name__} [json-pointer:/{name}]"


def content_refusal(given: Json, *, is_change: bool = False) -> str | None:
    """Name the error that a message's content leads to; `None` if it is welcome."""
    if is_change and len(given.get("text") or "") > MAX_CHANGED_TEXT:
        return "msg_too_long"
    if not any(given.get(name) for name in _CONTENT):
        return "no_text"
    if len(given.get("attachments") or []) > _MAX_ATTACHMENTS:
        return "too_many_attachments"
    blocks: list[Any] = given.get("blocks") or []
    if len(blocks) > _MAX_BLOCKS or not all(map(_is_good_block, blocks)):
        return "invalid_blocks"
    return None


def _is_good_block(block: Any) -> bool:
    if not isinstance(block, dict):
        return False
    fields = cast("Json", block)
    kind, text = fields.get("type"), cast("Json", fields.get("text") or {})
    if kind == "header":
        return text.get("type") == "plain_text" and 0 < len(text.get("text", "")) <= _MAX_HEADER
    if kind == "section":
        return "fields" in fields or 0 < len(text.get("text", "")) <= _MAX_SECTION
    return isinstance(kind, str)
