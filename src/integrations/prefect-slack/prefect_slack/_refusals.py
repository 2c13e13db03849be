"""What Slack's words for errors mean, and what is raised for them.

The words are those of https://docs.slack.dev/reference/methods and, for webhooks, of
https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.network_errors import no_answer
from prefect_integration_kit.redact import Redactor
from prefect_integration_kit.sdk_errors import combined, mask_secrets
from prefect_integration_kit.waiting import Verdict, retry_after_seconds
from prefect_slack.errors import (
    SlackAnswer,
    SlackApiFailure,
    SlackAuthenticationError,
    SlackChannelArchived,
    SlackChannelNotFound,
    SlackConnectionError,
    SlackError,
    SlackInvalidArguments,
    SlackMessageNotFound,
    SlackMessageTooLong,
    SlackNotificationError,
    SlackNotInChannel,
    SlackPermissionError,
    SlackRateLimited,
    SlackServiceError,
    SlackTimeout,
    SlackUserNotFound,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slack_sdk.errors import SlackApiError

    from prefect_integration_kit.redact import Secret

_TOO_MANY = 429
_SERVER_ERROR = 500
_WORD = re.compile(r"[A-Za-z][\w .:-]{0,100}")
_LONGEST = 300

_CLASSES: dict[type[SlackApiFailure], str] = {
    SlackAuthenticationError: "account_inactive invalid_auth not_authed token_expired token_revoked",
    SlackPermissionError: "access_denied accesslimited action_prohibited cant_broadcast_message cant_delete_message "
    "cant_update_message edit_window_closed ekm_access_denied enterprise_is_restricted file_uploads_disabled "
    "file_uploads_except_images_disabled method_deprecated missing_scope no_permission not_allowed_token_type "
    "org_login_required posting_to_general_channel_denied restricted_action restricted_action_non_threadable_channel "
    "restricted_action_read_only_channel restricted_action_thread_locked restricted_action_thread_only_channel "
    "storage_limit_reached team_access_not_granted team_disabled",
    SlackChannelNotFound: "channel_not_found invalid_channel",
    SlackNotInChannel: "not_in_channel",
    SlackChannelArchived: "channel_is_archived is_archived",
    SlackMessageNotFound: "bad_timestamp cannot_reply_to_message invalid_thread_ts message_not_found thread_not_found",
    SlackUserNotFound: "user_not_found user_not_in_channel users_not_found messages_tab_disabled",
    SlackMessageTooLong: "msg_blocks_too_long msg_too_long",
    SlackRateLimited: "message_limit_exceeded rate_limited ratelimited",
    SlackServiceError: "fatal_error internal_error request_timeout service_unavailable team_added_to_org",
}
_BY_CODE = {code: cls for cls, codes in _CLASSES.items() for code in codes.split()}
_MAYBE_DONE = frozenset({"fatal_error", "internal_error"})
"""Slack says of these that some of the work may have been done."""

_REMEDIES = {
    "token_revoked": "The token was revoked. Reinstall the app and save its new bot token in the block.",
    "token_expired": "The token has expired. Save a new one in the block; apps without token rotation get tokens that "
    "do not expire.",
    "account_inactive": "The token belongs to a deleted user or workspace, or the app was removed. Install the app "
    "again and save its new bot token in the block.",
    "not_allowed_token_type": "Save a bot token (xoxb-…) in the block.",
    "no_text": "Give text, slack_blocks or attachments.",
    "too_many_attachments": "Give at most 100 attachments.",
    "user_not_in_channel": "The user sees a message only in a channel that he is in: invite him first.",
    "messages_tab_disabled": "Switch on the Messages Tab under App Home of the app.",
    "storage_limit_reached": "Delete files of the workspace, or get it more storage.",
}
_NEW_HOOK = (
    "The webhook was removed or its URL is incomplete. Make a new one under Incoming Webhooks of the app and save it "
    "in the block."
)
_HOOK_REMEDIES = {
    **dict.fromkeys(
        ("invalid_token", "no_active_hooks", "no_service", "no_service_id", "no_team", "team_disabled"), _NEW_HOOK
    ),
    "channel_is_archived": "Unarchive the webhook's channel, or make a webhook for another.",
    "channel_not_found": "The webhook's channel was deleted. Make a webhook for another.",
    "action_prohibited": "An administrator of the workspace does not allow this.",
    "posting_to_general_channel_denied": "An administrator allows no messages in #general. Make a webhook for another "
    "channel.",
    "invalid_payload": "Slack cannot make anything of the message: check text, attachments and slack_blocks at "
    "https://app.slack.com/block-kit-builder.",
    "invalid_blocks": "Check slack_blocks at https://app.slack.com/block-kit-builder.",
    "no_text": "Give text, slack_blocks or attachments.",
    "too_many_attachments": "Give at most 100 attachments.",
    "user_not_found": "The webhook's user has left. Make a webhook for somebody else.",
}


def answer_of(error: SlackApiError, secrets: Iterable[Secret] = ()) -> SlackAnswer:
    """Read what Slack said from an exception of the SDK, and mask secrets that Slack repeats."""
    response: Any = error.response
    data = getattr(response, "data", response)
    redactor = Redactor(secrets)
    fields: dict[str, Any] = _masked(data, redactor) if isinstance(data, Mapping) else {}
    given = cast("Mapping[str, str]", getattr(response, "headers", None) or {})
    headers = {name.lower(): str(value) for name, value in given.items()}
    return SlackAnswer(fields, int(getattr(response, "status_code", 0) or 0), headers)


def refusal(
    error: SlackApiError, subject: str, secrets: Iterable[Secret] = (), remedies: Mapping[str, str] | None = None
) -> SlackApiFailure:
    """Translate what Slack refused.

    Args:
        error: The SDK's exception. Secrets are masked in it, since it stays visible as the cause.
        subject: What the call was about.
        secrets: What must not be shown.
        remedies: What to do about some errors, where the caller knows it better.
    """
    answer = answer_of(error, secrets)
    error.response = answer  # the SDK's own holds the request, and so the token
    mask_secrets(error, secrets)
    code = str(answer.get("error", ""))
    if not re.fullmatch(r"\w+", code):  # no answer of Slack's, but a page of something between
        code = ""
    cls = _class_of(code, answer.status_code)
    said = [code or f"HTTP status {answer.status_code}", *_details(answer)]
    remedy = (remedies or {}).get(code) or _scope_remedy(code, answer) or _REMEDIES.get(code) or cls.remedy
    return combined(cls, type(error))(
        f"{subject}: {', '.join(said)}. {remedy}".rstrip(),
        subject=subject,
        code=code,
        status_code=answer.status_code,
        response=answer,
        retry_after_seconds=retry_after_seconds(answer.headers.get("retry-after")),
    )


def _masked(value: Any, redactor: Redactor) -> Any:
    if isinstance(value, str):
        return redactor.redact(value)
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return {key: _masked(member, redactor) for key, member in members.items()}
    if isinstance(value, list):
        return [_masked(member, redactor) for member in cast("list[Any]", value)]
    return value


def _class_of(code: str, status: int) -> type[SlackApiFailure]:
    if status == _TOO_MANY:
        return SlackRateLimited
    if code in _BY_CODE:
        return _BY_CODE[code]
    if status >= _SERVER_ERROR:
        return SlackServiceError
    if code.startswith(("invalid_", "no_text", "too_many_", "missing_argument")):
        return SlackInvalidArguments
    return SlackApiFailure


def _details(answer: SlackAnswer) -> list[str]:
    metadata = answer.get("response_metadata")
    said: Any = cast("dict[str, Any]", metadata).get("messages") if isinstance(metadata, dict) else None
    listed: list[Any] = cast("list[Any]", answer.get("errors") or []) + (said or [])
    return ["; ".join(map(str, listed))[:_LONGEST]] if listed else []


def _scope_remedy(code: str, answer: SlackAnswer) -> str:
    needed = answer.get("needed")
    if code != "missing_scope" or not needed:
        return ""
    return (
        f"The call needs the scope {needed}, and the token has {answer.get('provided') or 'none'}. Add it under OAuth "
        "& Permissions of the app, reinstall the app, and save its token in the block."
    )


def unreachable(
    error: Exception, subject: str, timeout_seconds: float, *, maybe_done: str = ""
) -> SlackConnectionError:
    """Translate that there was no answer.

    Args:
        error: What the network raised.
        subject: What the call was about.
        timeout_seconds: How long we waited.
        maybe_done: What to say if Slack may have done it all the same.
    """
    reason = getattr(error, "reason", error)
    if isinstance(reason, TimeoutError):
        text = f"{subject}: no answer within {timeout_seconds:g} seconds."
        remedy = "Check the network and the proxy, or raise timeout_seconds."
        return SlackTimeout(f"{text} {maybe_done or remedy}", subject=subject)
    remedy, is_transient = "Check the network, and the fields proxy and ca_bundle.", True
    if isinstance(reason, ssl.SSLCertVerificationError):
        remedy, is_transient = "The certificate is not trusted: name its authority in ca_bundle.", False
    elif "407" in str(reason):  # urllib has no error of its own for it
        remedy, is_transient = "The proxy wants another user and password: check the field proxy.", False
    lost = SlackConnectionError(f"{subject}: {no_answer(error)}. {maybe_done or remedy}", subject=subject)
    lost.is_transient = is_transient
    return lost


def hook_refusal(status: int, body: str, headers: Mapping[str, str], subject: str) -> SlackNotificationError:
    """Translate what a webhook answered.

    Args:
        status: HTTP status.
        body: The answer; it is shown if it is a word of Slack's.
        headers: Headers of the answer.
        subject: What the call was about.
    """
    body = body.strip()
    code = body if _WORD.fullmatch(body) else ""
    said = f"status {status}, {code}" if code else f"status {status}"
    if status == _TOO_MANY:
        remedy = SlackRateLimited.remedy
    elif status >= _SERVER_ERROR:
        remedy = SlackServiceError.remedy
    else:
        remedy = _HOOK_REMEDIES.get(code, "Check that the block holds the whole URL of the webhook.")
    lowered = {name.lower(): value for name, value in headers.items()}
    error = SlackNotificationError(
        f"{subject}: {said}. {remedy}",
        subject=subject,
        code=code,
        status_code=status,
        retry_after_seconds=retry_after_seconds(lowered.get("retry-after")),
    )
    error.is_transient = status == _TOO_MANY or status >= _SERVER_ERROR
    return error


def may_repeat(error: Exception, *, is_repeatable: bool) -> Verdict:
    """Say whether a call is made again, or after how many seconds.

    What must not happen twice is repeated only where it has surely not happened: Slack said that it did not do it, or
    the request never was sent whole.

    Args:
        error: What was raised.
        is_repeatable: Whether the call may be done twice.
    """
    if not isinstance(error, SlackError) or not error.is_transient:
        return False
    if not is_repeatable and was_maybe_done(error):
        return False
    return True if error.retry_after_seconds is None else error.retry_after_seconds


def was_maybe_done(error: SlackError) -> bool:
    """Say whether Slack may have done what failed."""
    if isinstance(error, SlackConnectionError):
        return not was_unsent(error.__cause__)
    return getattr(error, "code", "") in _MAYBE_DONE


def was_unsent(cause: BaseException | None) -> bool:
    """Say whether a request failed before it was sent whole: `urllib` wraps such failures, and no others."""
    from urllib.error import URLError

    return isinstance(cause, URLError)
