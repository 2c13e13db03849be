"""Answers that end too soon are lost connections, not answers.

botocore does not compare what it read with `Content-Length`, and reads half a JSON document as one without members: a
secret without a value, a started job without an ID.
"""

from __future__ import annotations

from typing import Any


class _WholeAnswers:
    """The HTTP session of a client; an answer that was cut short raises what a closed connection raises.

    Args:
        session: botocore's own.
    """

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def send(self, request: Any) -> Any:
        """Send a request and read its answer whole, unless it is a stream: botocore looks at the length of those.

        Args:
            request: botocore's prepared request.
        """
        response = self._session.send(request)
        told = response.headers.get("Content-Length") or ""
        if not request.stream_output and request.method != "HEAD" and told.isdigit():
            is_empty = response.status_code in (204, 304)  # these have no body, whatever their headers say
            if not is_empty and len(response.content) < int(told):
                from botocore.exceptions import ConnectionClosedError

                raise ConnectionClosedError(endpoint_url=request.url, request=request)
        return response


def want_whole_answers(client: Any) -> None:
    """Let a boto3 client repeat a request whose answer was cut short, as it does after a lost connection.

    Args:
        client: A client that nobody uses yet.
    """
    endpoint: Any = getattr(client, "_endpoint", None)  # there is no public way to the session
    if endpoint is not None and hasattr(endpoint, "http_session"):
        endpoint.http_session = _WholeAnswers(endpoint.http_session)
