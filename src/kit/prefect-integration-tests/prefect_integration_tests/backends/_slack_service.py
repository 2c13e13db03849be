"""What the local Slack holds, and what its methods answer."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from ._slack_methods import (
    MAX_TEXT,
    METHODS,
    WEBHOOK_ARGUMENTS,
    Json,
    argument_problems,
    arguments_of_form,
    content_refusal,
)

TOKEN = "xoxb-0123456789-not-a-real-token"
WEBHOOK_SECRET = "whSecretOfTheHookNotARealOne"

ALL_SCOPES = frozenset({"chat:write", "channels:read", "files:write", "im:write", "reactions:write"})

_PAGE = 2  # channels on a page, however many are asked for: Slack may answer fewer, too


@dataclass
class SlackCall:
    """One request.

    Attributes:
        method: Name of the API's method; `webhook` and `upload` for those.
        arguments: What came, read from JSON or a form; empty for uploads.
        headers: Names in lower case; the authorization is left out.
        content: Bytes of an upload.
        status: HTTP status of the answer; 0 when the connection was closed.
        proxied_to: The address that a proxy was asked for; empty when there was no proxy.
    """

    method: str
    arguments: Json = field(default_factory=dict[str, Any])
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    content: bytes = field(default=b"", repr=False)
    status: int = 0
    proxied_to: str = ""


@dataclass
class SlackChannel:
    """One conversation.

    Attributes:
        id: Such as `C0000000001`.
        name: Without the number sign.
        is_member: Whether the app was invited.
        is_archived: Whether it is closed.
        messages: What was posted, the oldest first.
    """

    id: str
    name: str
    is_member: bool = True
    is_archived: bool = False
    messages: list[Json] = field(default_factory=list[Json])


class SlackRefusal(Exception):
    """What is answered in place of a result."""

    def __init__(self, error: str, status: int = 200, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.headers = dict(headers or {})
        self.more = more


class SlackService:
    """A workspace.

    Attributes:
        lock: Held while anything is read or changed.
        endpoint: `http://127.0.0.1:port`.
        channels: Conversations by ID.
        scopes: What each token may do.
        dead_tokens: Tokens that once were good, and the error that they get now.
        hook_posts: What webhooks have posted.
        files: Finished uploads: title, name, content and where they were shared.
    """

    endpoint: str

    def __init__(self) -> None:
        """Start with an empty workspace."""
        self.lock = threading.RLock()
        self.forget()

    def forget(self) -> None:
        """Start anew."""
        self.scopes: dict[str, frozenset[str]] = {TOKEN: ALL_SCOPES}
        self.dead_tokens: dict[str, str] = {}
        self.channels: dict[str, SlackChannel] = {}
        self.hook_posts: list[Json] = []
        self.files: dict[str, Json] = {}
        self._uploads: dict[str, Json] = {}
        self._ids = 0
        self._moment = int(time.time()) * 1_000_000
        self.add_channel("general")
        self.add_channel("prefect")

    def add_channel(self, name: str, *, is_member: bool = True, is_archived: bool = False) -> SlackChannel:
        """Add a conversation.

        Args:
            name: Without the number sign.
            is_member: Whether the app was invited.
            is_archived: Whether it is closed.
        """
        with self.lock:
            channel = SlackChannel(self._next_id("C"), name, is_member, is_archived)
            self.channels[channel.id] = channel
            return channel

    def channel(self, name: str) -> SlackChannel:
        """Find a conversation by its name.

        Raises:
            LookupError: If there is none.
        """
        for channel in self.channels.values():
            if channel.name == name:
                return channel
        raise LookupError(f"There is no channel {name!r} among {[each.name for each in self.channels.values()]}.")

    def answer(self, call: SlackCall, path: str, content: bytes, authorization: str) -> Any:
        """Answer one call.

        Raises:
            SlackRefusal: If Slack would refuse it.
        """
        if call.method == "webhook":
            return self._webhook(call, path, content)
        if call.method == "upload":
            return self._upload(call, path, content)
        token = authorization.removeprefix("Bearer ")
        self._check_token(token, authorization)
        method = METHODS.get(call.method)
        if method is None:
            raise SlackRefusal("unknown_method", req_method=call.method)
        is_json = "json" in call.headers.get("content-type", "")
        # Some releases of Slack's SDK announce JSON and send nothing, which is no argument in any form.
        if is_json and content and not method.takes_json:
            raise SlackRefusal("invalid_arguments", warning="json is not accepted")
        try:
            pairs = dict(parse_qsl(content.decode(), keep_blank_values=True))
            call.arguments = json.loads(content or b"{}") if is_json else arguments_of_form(method, pairs)
        except ValueError:
            raise SlackRefusal("invalid_json" if is_json else "invalid_form_data") from None
        problems = list(argument_problems(method.arguments, method.wanted, call.arguments))
        if problems:
            raise SlackRefusal("invalid_arguments", response_metadata={"messages": problems})
        if method.scope and method.scope not in self.scopes[token]:
            provided = ",".join(sorted(self.scopes[token]))
            raise SlackRefusal("missing_scope", needed=method.scope, provided=provided)
        words = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", call.method.replace(".", "_"))
        return {"ok": True, **getattr(self, f"_{words.lower()}")(call.arguments)}

    def _check_token(self, token: str, authorization: str) -> None:
        if not authorization:
            raise SlackRefusal("not_authed")
        if token in self.dead_tokens:
            raise SlackRefusal(self.dead_tokens[token])
        if token not in self.scopes:
            raise SlackRefusal("invalid_auth")

    def _next_id(self, letter: str) -> str:
        self._ids += 1
        return f"{letter}{self._ids:010}"

    def _next_ts(self) -> str:
        self._moment += 1_000
        return f"{self._moment // 1_000_000}.{self._moment % 1_000_000:06}"

    def _conversation(self, channel: str, *, by_name: bool = False) -> SlackChannel:
        found = self.channels.get(channel)
        if found is None and by_name:
            name = channel.removeprefix("#")
            found = next((each for each in self.channels.values() if each.name == name), None)
        if found is None:
            raise SlackRefusal("channel_not_found")
        if found.is_archived:
            raise SlackRefusal("is_archived")
        if not found.is_member:
            raise SlackRefusal("not_in_channel")
        return found

    def _message(self, channel: SlackChannel, ts: str) -> Json:
        found = next((message for message in channel.messages if message["ts"] == ts), None)
        if found is None:
            raise SlackRefusal("message_not_found")
        return found

    def _post(self, channel: SlackChannel, given: Json) -> Json:
        refusal = content_refusal(given)
        if refusal is not None:
            raise SlackRefusal(refusal)
        if (thread := given.get("thread_ts")) is not None and not any(m["ts"] == thread for m in channel.messages):
            raise SlackRefusal("thread_not_found")
        message = {name: value for name, value in given.items() if name != "channel"}
        message.update(ts=self._next_ts(), type="message", user="U00000BOT1", text=given.get("text", "")[:MAX_TEXT])
        channel.messages.append(message)
        return message

    def _auth_test(self, given: Json) -> Json:
        return {"url": f"{self.endpoint}/", "team": "Prefect", "user": "bot", "team_id": "T00000001", **given}

    def _chat_post_message(self, given: Json) -> Json:
        channel = self._conversation(given["channel"], by_name=True)
        message = self._post(channel, given)
        return {"channel": channel.id, "ts": message["ts"], "message": message}

    def _chat_post_ephemeral(self, given: Json) -> Json:
        self._conversation(given["channel"], by_name=True)
        refusal = content_refusal(given, is_change=True)
        if refusal is not None:
            raise SlackRefusal(refusal)
        if not given["user"].startswith(("U", "W")):
            raise SlackRefusal("user_not_in_channel")
        return {"message_ts": self._next_ts()}

    def _chat_update(self, given: Json) -> Json:
        channel = self._conversation(given["channel"])
        message = self._message(channel, given["ts"])
        refusal = content_refusal(given, is_change=True)
        if refusal is not None:
            raise SlackRefusal(refusal)
        message.update({name: value for name, value in given.items() if name not in ("channel", "ts")})
        return {"channel": channel.id, "ts": message["ts"], "text": message["text"], "message": message}

    def _chat_delete(self, given: Json) -> Json:
        channel = self._conversation(given["channel"])
        channel.messages.remove(self._message(channel, given["ts"]))
        return {"channel": channel.id, "ts": given["ts"]}

    def _chat_get_permalink(self, given: Json) -> Json:
        channel = self._conversation(given["channel"])
        digits = self._message(channel, given["message_ts"])["ts"].replace(".", "")
        return {"channel": channel.id, "permalink": f"https://prefect.slack.example/archives/{channel.id}/p{digits}"}

    def _reactions_add(self, given: Json) -> Json:
        message = self._message(self._conversation(given["channel"]), given["timestamp"])
        reactions: list[str] = message.setdefault("reactions", [])
        if given["name"] in reactions:
            raise SlackRefusal("already_reacted")
        if ":" in given["name"] or not given["name"].isascii():
            raise SlackRefusal("invalid_name")
        reactions.append(given["name"])
        return {}

    def _reactions_remove(self, given: Json) -> Json:
        reactions: list[str] = self._message(self._conversation(given["channel"]), given["timestamp"]).get(
            "reactions", []
        )
        if given["name"] not in reactions:
            raise SlackRefusal("no_reaction")
        reactions.remove(given["name"])
        return {}

    def _conversations_list(self, given: Json) -> Json:
        start = int(given.get("cursor") or 0)
        channels = list(self.channels.values())
        more = str(start + _PAGE) if start + _PAGE < len(channels) else ""
        page = [{"id": each.id, "name": each.name} for each in channels[start : start + _PAGE]]
        return {"channels": page, "response_metadata": {"next_cursor": more}}

    def _conversations_open(self, given: Json) -> Json:
        name = f"dm-{given['users']}"
        found = next((each for each in self.channels.values() if each.name == name), None)
        return {"channel": {"id": (found or self.add_channel(name)).id}}

    def _files_get_upload_url_external(self, given: Json) -> Json:
        if given["length"] <= 0:
            raise SlackRefusal("invalid_arguments")
        file_id = self._next_id("F")
        self._uploads[file_id] = {"id": file_id, **given, "content": None}
        return {"file_id": file_id, "upload_url": f"{self.endpoint}/upload/v1/{file_id}-secretOfTheUpload"}

    def _upload(self, call: SlackCall, path: str, content: bytes) -> str:
        upload = self._uploads.get(path.rpartition("/")[2].partition("-")[0])
        if upload is None:
            raise SlackRefusal("not found", 404)
        call.content = content
        if len(content) != upload["length"]:
            raise SlackRefusal("length does not match", 400)
        upload["content"] = content
        return f"OK - {len(content)}"

    def _files_complete_upload_external(self, given: Json) -> Json:
        channel = self._conversation(given["channel_id"]) if given.get("channel_id") else None
        shared: list[Json] = []
        for each in given["files"]:
            upload = self._uploads.get(each["id"])
            if upload is None or upload["content"] is None:
                raise SlackRefusal("file_not_found")
            title = each.get("title") or upload["filename"]
            link = f"https://prefect.slack.example/files/{each['id']}"
            shared.append({"id": each["id"], "name": upload["filename"], "title": title, "permalink": link})
            self.files[each["id"]] = {**upload, "title": title, "channel": channel.id if channel else None, **given}
        if channel is not None:
            text = given.get("initial_comment") or "files"
            thread = {"thread_ts": given["thread_ts"]} if given.get("thread_ts") else {}
            self._post(channel, {"channel": channel.id, "text": text, **thread})["files"] = shared
        return {"files": shared}

    def _webhook(self, call: SlackCall, path: str, content: bytes) -> str:
        if not path.endswith(WEBHOOK_SECRET):
            raise SlackRefusal("no_service", 404)
        try:
            call.arguments = json.loads(content)
        except ValueError:
            raise SlackRefusal("invalid_payload", 400) from None
        if not isinstance(call.arguments, dict) or list(argument_problems(WEBHOOK_ARGUMENTS, (), call.arguments)):
            raise SlackRefusal("invalid_payload", 400)
        refusal = content_refusal(call.arguments)
        if refusal is not None:
            raise SlackRefusal(refusal, 400)
        self.hook_posts.append(call.arguments)
        return "ok"
