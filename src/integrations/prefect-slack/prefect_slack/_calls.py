"""Calls of Slack's Web API: repeated where that is safe, with errors that say what to do."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from pydantic import SecretStr

from prefect_integration_kit.coroutines import settled
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.sdk_errors import combined, mask_secrets
from prefect_integration_kit.waiting import retry
from prefect_slack._own_clients import own_web_client
from prefect_slack._reach import client_options
from prefect_slack._refusals import may_repeat, refusal, unreachable, was_maybe_done, was_unsent
from prefect_slack._waits import CLOCK, backoff
from prefect_slack.errors import InvalidSlackMessage, SlackApiFailure, SlackError

if TYPE_CHECKING:
    from slack_sdk import WebClient

    from prefect_slack.credentials import SlackCredentials

Json = dict[str, Any]

_FORM_METHODS = frozenset({"chat.getPermalink", "conversations.list", "files.getUploadURLExternal"})
"""They take no JSON (https://docs.slack.dev/apis/web-api/#methods-supporting-json)."""


_USUAL = ("text", "attachments", "blocks")
"""What an own client is always given, be it `None`."""


class SlackCalls:
    """Calls with one block's token; nothing stays open between them."""

    def __init__(self, credentials: SlackCredentials) -> None:
        self._credentials = credentials
        # What stands in for a block, as in tests of flows, may have nothing but `get_client`, or anything for a token.
        fields = (getattr(credentials, name, None) for name in ("token", "proxy"))
        self.secrets = tuple(value for value in fields if isinstance(value, SecretStr | str))
        self._client: WebClient | None = None

    def call(
        self,
        method: str,
        arguments: Mapping[str, Any],
        *,
        to: str = "",
        is_repeatable: bool = True,
        done_codes: tuple[str, ...] = (),
        remedies: Mapping[str, str] | None = None,
    ) -> Json:
        """Call one method.

        Args:
            method: Its name, such as `chat.postMessage`.
            arguments: Its arguments; those that are `None` are left out.
            to: What it is done to, for messages: `to '#general'`.
            is_repeatable: Whether it may be done twice.
            done_codes: Errors which say that a lost attempt has done it; they count from the second attempt on.
            remedies: What to do about some errors, where it is known better here.

        Returns:
            Slack's answer.

        Raises:
            SlackError: If Slack refuses, or cannot be reached.
        """
        subject = f"Slack, {method} {to}".rstrip()
        given: Json = {name: plain(value) for name, value in arguments.items() if value is not None}
        if (own := own_web_client(self._credentials, method.replace(".", "_"))) is not None:
            usual = {name: plain(arguments[name]) for name in _USUAL if name in arguments}
            return self._send_by(own, method, {**usual, **given}, subject, remedies or {})
        attempts = 0

        def once() -> Json:
            nonlocal attempts
            attempts += 1
            try:
                return self._send(method, given, subject, is_repeatable=is_repeatable, remedies=remedies or {})
            except SlackApiFailure as exc:
                if attempts > 1 and exc.code in done_codes:
                    return {"ok": True}
                raise

        return self.repeat(once, is_repeatable=is_repeatable)

    def repeat(self, once: Callable[[], Any], *, is_repeatable: bool = True) -> Any:
        """Do something that calls Slack, again if need be."""
        return retry(
            once,
            is_transient=lambda error: may_repeat(error, is_repeatable=is_repeatable),
            backoff=backoff(self._credentials.max_attempts),
            on_retry=log_retry,
            clock=CLOCK,
        )

    def pages(self, method: str, arguments: Mapping[str, Any], **options: Any) -> Iterator[Json]:
        """Call a method page by page."""
        cursor: Any = None
        while True:
            page = self.call(method, {**arguments, "cursor": cursor}, **options)
            yield page
            metadata: Json = page.get("response_metadata") or {}
            cursor = metadata.get("next_cursor")
            if not cursor:
                return

    def _send(
        self, method: str, arguments: Json, subject: str, *, is_repeatable: bool, remedies: Mapping[str, str]
    ) -> Json:
        from slack_sdk.errors import SlackApiError

        if self._client is None:
            self._client = _client(self._credentials)
        client: Any = self._client
        kind = "params" if method in _FORM_METHODS else "json"
        try:
            response = client.api_call(method, **{kind: arguments})
        except SlackApiError as exc:
            error = refusal(exc, subject, self.secrets, remedies)
            if not is_repeatable and was_maybe_done(error):
                error.args = (f"{error} It may have been done: look before you repeat it.",)
            raise error from exc
        except (OSError, http.client.HTTPException) as exc:
            mask_secrets(exc, self.secrets)
            unsure = "" if is_repeatable or was_unsent(exc) else "It may have been done: look before you repeat it."
            raise unreachable(exc, subject, self._credentials.timeout_seconds, maybe_done=unsure) from exc
        return cast("Json", response.data)

    def _send_by(self, client: Any, method: str, arguments: Json, subject: str, remedies: Mapping[str, str]) -> Json:
        """Call a method of the user's own client, once."""
        from slack_sdk.errors import SlackApiError

        try:
            response = settled(getattr(client, method.replace(".", "_"))(**arguments))
        except SlackApiError as exc:
            raise refusal(exc, subject, self.secrets, remedies) from exc
        return cast("Json", getattr(response, "data", response))


def _client(credentials: SlackCredentials) -> WebClient:
    from slack_sdk import WebClient

    return WebClient(
        token=credentials.token.get_secret_value(),
        base_url=credentials.base_url,
        retry_handlers=[],
        **client_options(credentials, is_quiet=True),
    )


def plain(value: Any) -> Any:
    """Turn models of Slack's SDK into JSON, at any depth.

    Raises:
        InvalidSlackMessage: If a model is not valid; also a `slack_sdk.errors.SlackObjectFormationError`.
    """
    if hasattr(value, "to_dict"):
        from slack_sdk.errors import SlackObjectFormationError

        try:
            return plain(value.to_dict())
        except SlackObjectFormationError as exc:
            raise combined(InvalidSlackMessage, type(exc))(f"{type(value).__name__} is not valid: {exc}") from exc
    if isinstance(value, Mapping):
        members = cast("Mapping[Any, Any]", value)
        return {key: plain(member) for key, member in members.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in cast("list[Any]", value)]
    return value


def log_retry(error: Exception, delay_seconds: float) -> None:
    """Tell the user that something takes longer."""
    if isinstance(error, SlackError):
        run_logger(__name__).warning("%s Trying again in %.1f seconds.", error, delay_seconds)
