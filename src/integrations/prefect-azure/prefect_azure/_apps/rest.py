"""Send a request to one of Azure's APIs that no SDK of ours speaks with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from .._workers.calls import ONE_TRY


def send(method: str, url: str, token: str, body: Mapping[str, Any] | None = None) -> Any:
    """Send a request, once.

    Args:
        method: HTTP method.
        url: Address, with its query.
        token: Bearer token.
        body: To be sent as JSON.

    Returns:
        The answer, an `azure.core.rest.HttpResponse`.

    Raises:
        azure.core.exceptions.AzureError: If there is no answer.
    """
    from azure.core import PipelineClient
    from azure.core.pipeline.policies import HeadersPolicy, RetryPolicy
    from azure.core.rest import HttpRequest

    policies: list[Any] = [HeadersPolicy({"Authorization": f"Bearer {token}"}), RetryPolicy(retry_total=0)]
    client = cast("Any", PipelineClient)(url, policies=policies)
    with client:
        return client.send_request(HttpRequest(method, url, json=body), **ONE_TRY)
