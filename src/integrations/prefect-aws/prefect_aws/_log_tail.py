"""Pass the lines of a CloudWatch log stream on to the run logger, as they come."""

from __future__ import annotations

from typing import Any

from prefect_integration_kit.logs import run_logger

from ._remote_work import is_passing
from .credentials import AwsCredentials
from .errors import AwsError, AwsNotFound, aws_errors

_MAX_PAGES = 20
"""How many pages, of 1 MB at most, one look reads; what is left comes with the next."""

MAX_LINES = 10_000
"""How many lines of a stream are passed on: what a job prints must not flood the Prefect API."""


class LogTail:
    """One stream, read from its start to whatever its end is at the time. It fails nobody: it only warns, once.

    Args:
        credentials: Who we are at AWS.
        group: Name of the log group.
        stream: Name of the log stream.
        label: What stands before each line.
    """

    def __init__(self, credentials: AwsCredentials, group: str, stream: str, label: str = "") -> None:
        self._credentials = credentials
        self._request: dict[str, Any] = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        self._subject = f"Log stream {stream} of {group}"
        self._label = label
        self._left = MAX_LINES
        self._is_over = False

    def read(self) -> int:
        """Pass on what has come since the last time, and return the number of lines."""
        count = 0
        for _ in range(_MAX_PAGES):
            if self._is_over:
                break
            lines, is_end = self._read_page()
            count += lines
            if is_end:
                break
        return count

    def _read_page(self) -> tuple[int, bool]:
        logger = run_logger(__name__)
        try:
            client = self._credentials.get_client("logs")
            with aws_errors(self._subject):
                page = client.get_log_events(**self._request)
        except AwsNotFound:  # made with the first line
            return 0, True
        except AwsError as exc:
            if not is_passing(exc):
                self._is_over = True
                logger.warning("The job's log lines are not shown here: %s", exc)
            return 0, True
        events: list[dict[str, Any]] = page.get("events") or []
        for event in events[: self._left]:
            logger.info("%s%s", self._label, str(event.get("message", "")).rstrip("\n"))
        self._left -= len(events)
        if self._left <= 0:
            self._is_over = True
            logger.warning("After %d lines the rest stands only in CloudWatch: %s", MAX_LINES, self._subject)
        token = page.get("nextForwardToken")
        # https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_GetLogEvents.html: at the end the
        # token is the one that was given.
        is_end = token is None or token == self._request.get("nextToken")
        if token is not None:
            self._request["nextToken"] = token
        return len(events), is_end
