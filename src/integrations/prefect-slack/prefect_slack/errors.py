"""What can go wrong at Slack, as Python exceptions.

    SlackError
    ├── SlackApiFailure                     the Web API refused a call; `code` is Slack's word for it
    │   ├── SlackAuthenticationError        the token is not good, or no longer
    │   ├── SlackPermissionError            the token lacks a scope, or the workspace forbids it
    │   ├── SlackChannelNotFound (LookupError)
    │   ├── SlackNotInChannel               the app was not invited
    │   ├── SlackChannelArchived
    │   ├── SlackMessageNotFound (LookupError)
    │   ├── SlackUserNotFound (LookupError)
    │   ├── SlackMessageTooLong (ValueError)
    │   ├── SlackInvalidArguments (ValueError)
    │   ├── SlackRateLimited                too many calls, for longer than we wait
    │   └── SlackServiceError               Slack itself is unwell
    ├── SlackNotificationError (NotificationError)  a webhook took no message
    │   └── SlackWebhookUnreachable                 it gave no answer; also a SlackConnectionError
    ├── SlackConnectionError (ConnectionError)      no answer
    │   └── SlackTimeout (TimeoutError)             none in time
    └── InvalidSlackMessage (ValueError)    what was given cannot be sent; Slack was not asked
        └── SlackFileNotFound (FileNotFoundError)

What Slack refuses is raised as one of these and as the exception of Slack's SDK that would have been raised, so
`except slack_sdk.errors.SlackApiError` catches all below `SlackApiFailure`, with its `response`. No message holds a
token or the URL of a webhook.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prefect.blocks.abstract import NotificationError

from prefect_integration_kit.sdk_errors import TranslatedError


@dataclass(frozen=True)
class SlackAnswer:
    """What Slack answered, as `slack_sdk.web.SlackResponse` shows it, but without the request and its token.

    Attributes:
        data: The answer's fields.
        status_code: HTTP status.
        headers: Headers of the answer.
    """

    data: dict[str, Any]
    status_code: int = 0
    headers: dict[str, str] = field(default_factory=dict[str, str], repr=False)

    def __getitem__(self, key: str) -> Any:
        return self.data[key]

    def __contains__(self, key: str) -> bool:
        return key in self.data

    def get(self, key: str, default: Any = None) -> Any:
        """Give a field, or `default`.

        Args:
            key: Its name.
            default: What to give if it is not there.
        """
        return self.data.get(key, default)

    def __str__(self) -> str:
        return str(self.data)


class SlackError(TranslatedError):
    """Base of all errors of this package.

    Args:
        message: What happened, to what, and what to do.
        subject: What the call was about, such as `Slack: chat.postMessage to '#general'`.
        retry_after_seconds: When Slack wants to be asked again, if it said so.

    Attributes:
        is_transient: Whether the same call may succeed later.
    """

    is_transient: bool = False

    def __init__(self, message: str, *, subject: str = "", retry_after_seconds: float | None = None) -> None:
        super().__init__(message, subject=subject)
        self.retry_after_seconds = retry_after_seconds


class SlackApiFailure(SlackError):
    """The Web API refused a call. Also a `slack_sdk.errors.SlackApiError`.

    Args:
        message: What happened, to what, and what to do.
        subject: What the call was about.
        code: Slack's word for the error, such as `channel_not_found`.
        status_code: HTTP status of the answer; 0 when it is not known.
        response: Slack's answer.
        retry_after_seconds: When Slack wants to be asked again, if it said so.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        code: str = "",
        status_code: int = 0,
        response: SlackAnswer | None = None,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, subject=subject, retry_after_seconds=retry_after_seconds)
        self.code = code
        self.status_code = status_code
        self.response = response or SlackAnswer({"ok": False, "error": code}, status_code)


class SlackAuthenticationError(SlackApiFailure):
    """The token is not good, or no longer."""

    remedy = (
        "Copy the bot token (xoxb-…) from OAuth & Permissions of the app at https://api.slack.com/apps, and save it in "
        "the block."
    )


class SlackPermissionError(SlackApiFailure):
    """The token lacks a scope, or the workspace does not allow this."""

    remedy = "Ask an administrator of the workspace."


class SlackChannelNotFound(SlackApiFailure, LookupError):
    """There is no such channel, or the app cannot see it."""

    remedy = "Check the name or ID; a private channel is seen only once the app was invited: /invite @app."


class SlackNotInChannel(SlackApiFailure):
    """The app is no member of the channel."""

    remedy = "Invite the app there (/invite @app), or give it the scope chat:write.public for public channels."


class SlackChannelArchived(SlackApiFailure):
    """The channel is archived."""

    remedy = "Unarchive it, or post elsewhere."


class SlackMessageNotFound(SlackApiFailure, LookupError):
    """There is no such message or thread in the channel."""

    remedy = "Give the channel's ID and the ts that the call which sent the message returned."


class SlackUserNotFound(SlackApiFailure, LookupError):
    """There is no such user, or not in this channel."""

    remedy = "Give the member's ID (U…, in the profile under More), of one who is in the channel."


class SlackMessageTooLong(SlackApiFailure, ValueError):
    """The text is longer than Slack takes."""

    remedy = "Shorten the text, or send it as a file with upload_file."


class SlackInvalidArguments(SlackApiFailure, ValueError):
    """Slack cannot make anything of what was sent."""

    remedy = "Try blocks and attachments at https://app.slack.com/block-kit-builder."


class SlackRateLimited(SlackApiFailure):
    """Slack took no more calls for longer than we wait."""

    is_transient = True
    remedy = "Send fewer messages (about one a second for each channel), or raise max_attempts."


class SlackServiceError(SlackApiFailure):
    """Slack itself is unwell."""

    is_transient = True
    remedy = "Try again later; https://slack-status.com says how Slack is."


class SlackNotificationError(SlackError, NotificationError):
    """A webhook did not take a message.

    Args:
        message: What happened, and what to do. The webhook's URL is a secret, and not in it.
        subject: What the call was about.
        code: Slack's word for the error, such as `no_service`.
        status_code: HTTP status of the answer; 0 when there was none.
        retry_after_seconds: When Slack wants to be asked again, if it said so.

    Attributes:
        log: The message, where Prefect looks for it.
    """

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        code: str = "",
        status_code: int = 0,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message, subject=subject, retry_after_seconds=retry_after_seconds)
        self.log = message
        self.code = code
        self.status_code = status_code


class SlackConnectionError(SlackError, ConnectionError):
    """Slack gave no answer."""

    is_transient = True


class SlackTimeout(SlackConnectionError, TimeoutError):
    """Slack gave no answer in time."""


class SlackWebhookUnreachable(SlackNotificationError, SlackConnectionError):
    """A webhook gave no answer."""


class InvalidSlackMessage(SlackError, ValueError):
    """What was given cannot be sent; Slack was not asked."""


class SlackFileNotFound(InvalidSlackMessage, FileNotFoundError):
    """There is no file at the path."""
