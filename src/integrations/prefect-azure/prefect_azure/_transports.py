"""What carries the requests of clients that are kept, and used by all who have equal credentials."""

from __future__ import annotations

from typing import Any


def shared_transport(**options: Any) -> Any:
    """A transport that stays open: whoever closes a kept client, by `with` as well, is not the only one to use it.

    Args:
        **options: Arguments of the SDK's transport, such as `read_timeout`.
    """
    from azure.core.pipeline.transport import RequestsTransport

    class SharedTransport(RequestsTransport):
        def close(self) -> None:
            """Keep the connections: others use them, too."""

    return SharedTransport(**options)
