"""The local Slack: it refuses what Slack refuses, in Slack's words, and fails when it is told to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from prefect_integration_tests.backends._slack_methods import METHODS
from prefect_integration_tests.backends.slack import TOKEN, SlackServer

Json = dict[str, Any]


@pytest.fixture
def http(slack_server: SlackServer) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=slack_server.api_url, headers=headers, timeout=10, trust_env=False) as client:
        yield client


def ask(http: httpx.Client, method: str, **arguments: Any) -> Json:
    """Call a method in the form that it takes."""
    kind = "json" if METHODS[method].takes_json else "data"
    answer = http.post(method, **{kind: arguments})
    assert answer.status_code == 200
    return answer.json()


def posted(http: httpx.Client, **arguments: Any) -> Json:
    return ask(http, "chat.postMessage", **{"channel": "#general", "text": "hi", **arguments})


def test_every_method_has_an_answer(slack_server: SlackServer, http: httpx.Client) -> None:
    for method in METHODS:
        answer = http.post(method, data={}) if not METHODS[method].takes_json else http.post(method, json={})
        assert answer.status_code in (200, 500)
        assert answer.headers["content-type"] == "application/json"


def test_messages_are_posted_changed_and_deleted(slack_server: SlackServer, http: httpx.Client) -> None:
    first = posted(http)
    reply = posted(http, thread_ts=first["ts"])
    where = {"channel": first["channel"], "ts": first["ts"]}
    assert ask(http, "chat.update", **where, text="ho")["text"] == "ho"
    assert ask(http, "reactions.add", channel=where["channel"], timestamp=where["ts"], name="tada")["ok"]
    assert ask(http, "chat.getPermalink", channel=where["channel"], message_ts=where["ts"])["permalink"]
    assert float(reply["ts"]) > float(first["ts"])
    assert slack_server.channel("general").messages[0]["reactions"] == ["tada"]
    assert ask(http, "chat.delete", **where)["ok"]
    assert [message["ts"] for message in slack_server.channel("general").messages] == [reply["ts"]]


@pytest.mark.parametrize(
    ("authorization", "error"),
    [("", "not_authed"), ("Bearer xoxb-other", "invalid_auth"), (f"Bearer {TOKEN}", "token_revoked")],
    ids=["none", "other", "revoked"],
)
def test_tokens_are_checked(authorization: str, error: str, slack_server: SlackServer, http: httpx.Client) -> None:
    slack_server.revoke()
    http.headers["Authorization"] = authorization
    if not authorization:
        del http.headers["Authorization"]
    assert posted(http) == {"ok": False, "error": error}
    assert TOKEN not in repr(slack_server.calls)


def test_scopes_are_checked(slack_server: SlackServer, http: httpx.Client) -> None:
    slack_server.scopes[TOKEN] = frozenset({"files:write"})
    assert posted(http) == {
        "ok": False,
        "error": "missing_scope",
        "needed": "chat:write",
        "provided": "files:write",
    }


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"channel": "#nowhere"}, "channel_not_found"),
        ({"channel": ""}, "invalid_arguments"),
        ({"text": ""}, "no_text"),
        ({"text": 7}, "invalid_arguments"),
        ({"colour": "red"}, "invalid_arguments"),
        ({"unfurl_links": "yes"}, "invalid_arguments"),
        ({"thread_ts": "1.5"}, "thread_not_found"),
        ({"blocks": [{"type": "header", "text": {"type": "plain_text", "text": "x" * 151}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]}, "invalid_blocks"),
        ({"blocks": [{"type": "divider"}] * 51}, "invalid_blocks"),
        ({"attachments": [{"text": "x"}] * 101}, "too_many_attachments"),
    ],
    ids=[
        "unknown channel",
        "no channel",
        "no text",
        "number",
        "unknown argument",
        "no truth value",
        "unknown thread",
        "header",
        "section",
        "blocks",
        "attachments",
    ],
)
def test_arguments_are_checked(arguments: Json, error: str, slack_server: SlackServer, http: httpx.Client) -> None:
    assert posted(http, **arguments)["error"] == error


def test_limits_of_texts(slack_server: SlackServer, http: httpx.Client) -> None:
    answer = posted(http, text="x" * 40_001)
    assert len(answer["message"]["text"]) == 40_000
    changed = ask(http, "chat.update", channel=answer["channel"], ts=answer["ts"], text="x" * 4_001)
    assert changed["error"] == "msg_too_long"


def test_json_is_refused_where_slack_wants_a_form(slack_server: SlackServer, http: httpx.Client) -> None:
    answer = http.post("files.getUploadURLExternal", json={"filename": "a", "length": 1})
    assert answer.json()["error"] == "invalid_arguments"


@pytest.mark.parametrize("kind", ["application/json;charset=utf-8", "application/x-www-form-urlencoded"])
def test_nothing_is_sent_in_either_form(slack_server: SlackServer, http: httpx.Client, kind: str) -> None:
    assert http.post("conversations.list", headers={"Content-Type": kind}).json()["ok"]


def test_files_go_through_three_steps(slack_server: SlackServer, http: httpx.Client) -> None:
    ticket = ask(http, "files.getUploadURLExternal", filename="a.txt", length=5)
    finish = {"files": [{"id": ticket["file_id"], "title": "A"}], "channel_id": slack_server.channel("general").id}
    assert ask(http, "files.completeUploadExternal", **finish)["error"] == "file_not_found"
    assert httpx.post(ticket["upload_url"], content=b"too long", trust_env=False).status_code == 400
    assert httpx.post(ticket["upload_url"], content=b"hello", trust_env=False).text == "OK - 5"
    assert ask(http, "files.completeUploadExternal", **finish)["files"][0]["title"] == "A"
    assert slack_server.files[ticket["file_id"]]["content"] == b"hello"
    assert slack_server.channel("general").messages[0]["files"][0]["name"] == "a.txt"


def test_channels_are_listed_page_by_page(slack_server: SlackServer, http: httpx.Client) -> None:
    slack_server.add_channel("third")
    first = ask(http, "conversations.list", limit=1000)
    second = ask(http, "conversations.list", limit=1000, cursor=first["response_metadata"]["next_cursor"])
    assert [each["name"] for page in (first, second) for each in page["channels"]] == ["general", "prefect", "third"]
    assert second["response_metadata"]["next_cursor"] == ""


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        ("", {"text": "hi"}, (200, "ok")),
        ("x", {"text": "hi"}, (404, "no_service")),
        ("", {}, (400, "no_text")),
        ("", {"text": "hi", "colour": "red"}, (400, "invalid_payload")),
        ("", "hi", (400, "invalid_payload")),
    ],
    ids=["good", "unknown", "empty", "unknown field", "no object"],
)
def test_webhooks_answer_in_words(path: str, body: Any, answer: tuple[int, str], slack_server: SlackServer) -> None:
    got = httpx.post(slack_server.webhook_url + path, json=body, trust_env=False)
    assert (got.status_code, got.text) == answer
    assert len(slack_server.hook_posts) == (answer[0] == 200)


def test_faults(slack_server: SlackServer, http: httpx.Client) -> None:
    slack_server.fail("chat.*", "ratelimited", status=429, retry_after="30")
    limited = http.post("chat.postMessage", json={"channel": "#general", "text": "hi"})
    assert (limited.status_code, limited.headers["retry-after"], limited.json()["error"]) == (429, "30", "ratelimited")
    slack_server.fail("chat.postMessage", when="garbled")
    assert http.post("chat.postMessage", json={}).headers["content-type"] == "text/html"
    assert not slack_server.channel("general").messages
    slack_server.fail("chat.postMessage", when="lost")
    with pytest.raises(httpx.TransportError):
        posted(http)
    assert len(slack_server.channel("general").messages) == 1
    slack_server.fail("chat.postMessage", when="cut")
    with pytest.raises(httpx.TransportError):
        posted(http)
    slack_server.fail("chat.postMessage", "fatal_error", when="after")
    assert posted(http)["error"] == "fatal_error"
    assert len(slack_server.channel("general").messages) == 2
    slack_server.fail("chat.postMessage", when="slow", delay_seconds=0.01)
    assert posted(http)["ok"]
    assert slack_server.faults.pending == 0


def test_a_slow_call_is_not_done_after_a_reset(slack_server: SlackServer, http: httpx.Client) -> None:
    slack_server.fail("chat.postMessage", when="slow", delay_seconds=0.5)
    with pytest.raises(httpx.ReadTimeout):
        http.post("chat.postMessage", json={"channel": "#general", "text": "hi"}, timeout=0.05)
    slow = slack_server.calls[0]
    slack_server.reset()
    slack_server.fail("chat.postMessage", when="slow", delay_seconds=0.6)
    assert posted(http, text="later")["ok"]  # answered when the slow call has ended
    assert slow.status == 0
    assert [message["text"] for message in slack_server.channel("general").messages] == ["later"]


def test_it_is_a_proxy_of_itself(slack_server: SlackServer) -> None:
    url = slack_server.webhook_url.replace(slack_server.endpoint, "http://hooks.slack.test")
    with httpx.Client(proxy=slack_server.endpoint, trust_env=False) as client:
        assert client.post(url, json={"text": "hi"}).text == "ok"
    assert slack_server.calls[0].proxied_to == "hooks.slack.test"
