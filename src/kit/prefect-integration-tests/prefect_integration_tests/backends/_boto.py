"""How the AWS backends open their boto3 clients."""

from __future__ import annotations

import threading
from functools import lru_cache
from typing import Any

_making = threading.Lock()  # sessions are not thread-safe


def open_client(
    service: str, *, endpoint_url: str, access_key: str, secret_key: str, region: str, **options: Any
) -> Any:
    """Open a client in a session of ours, so that nothing of it depends on the user's default session.

    Args:
        service: Name of the service, such as `s3`.
        endpoint_url: Where the local server listens.
        access_key: Access key id.
        secret_key: Secret access key.
        region: Region to sign for.
        options: Further arguments of `boto3.session.Session.client`.
    """
    with _making:
        return _session(access_key, secret_key, region).client(service, endpoint_url=endpoint_url, **options)


@lru_cache(maxsize=64)
def _session(access_key: str, secret_key: str, region: str) -> Any:
    """A session reads and parses the description of each service once, which takes up to 200 ms."""
    from boto3.session import Session

    return Session(aws_access_key_id=access_key, aws_secret_access_key=secret_key, region_name=region)
