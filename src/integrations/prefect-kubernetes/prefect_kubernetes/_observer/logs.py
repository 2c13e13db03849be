"""What the logs of a flow run are told about its pod: what is wrong, and the last lines of its container."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from uuid import UUID

import anyio
from prefect.logging import get_logger

from prefect_integration_kit.logs import joined, send_to_run

from .._clients import call
from ..errors import KubernetesInvalid, KubernetesNotFound
from .projections import PodView
from .watching import PODS, answer_of

if TYPE_CHECKING:
    from kubernetes_asyncio.client import ApiClient
    from prefect.client.orchestration import PrefectClient

logger = get_logger("prefect_kubernetes.observer")

_DEADLINE_SECONDS = 60.0
_KEPT_BYTES = 2**20


async def read_last_lines(api: ApiClient, pod: PodView, container: str, lines: int) -> list[str]:
    """Read the last lines that a container has printed.

    Args:
        api: Client of the cluster.
        pod: Its pod.
        container: Its name.
        lines: How many at most. Of more than 1 MiB the end is kept.

    Returns:
        The lines, the oldest first; none if the container, or its pod, is not there.

    Raises:
        KubernetesError: If the server refuses or cannot be reached.
    """
    path = f"{PODS.path(pod.namespace, pod.name)}/log"

    async def read() -> bytes:
        response = await answer_of(api, path, {"container": container, "tailLines": lines})
        kept = b""
        try:
            async for chunk in response.content.iter_any():
                kept = (kept + chunk)[-_KEPT_BYTES:]
        finally:
            response.close()
        return kept

    try:
        text = await call(f"Log of container {container!r} of pod {pod.name!r} in namespace {pod.namespace!r}", read)
    except (KubernetesNotFound, KubernetesInvalid):  # 400: "container is waiting to start"
        return []
    return text.decode("utf-8", "replace").splitlines()[-lines:]


async def forward_last_lines(
    api: ApiClient, pod: PodView, container: str, flow_run_id: UUID, *, client: PrefectClient, lines: int
) -> None:
    """Send the last lines of a container to the logs of a run, where they can be had.

    Nothing that fails here is raised: the run's state does not depend on its logs.
    """
    try:
        with anyio.fail_after(_DEADLINE_SECONDS):
            found = await read_last_lines(api, pod, container, lines)
            if found:
                head = f"The last {len(found)} lines of container {container!r} of pod {pod.name}:"
                await send(client, flow_run_id, [(logging.INFO, text) for text in (head, *joined(found))])
    except Exception as exc:  # noqa: BLE001 - see above
        logger.warning("The last log lines of pod %s could not be sent to Prefect: %s", pod.name, exc)


async def send(client: PrefectClient, flow_run_id: UUID, entries: list[tuple[int, str]]) -> None:
    """Write into the logs of a run: levels of the `logging` module, and texts."""
    await send_to_run(client, flow_run_id, "prefect.kubernetes.pod", entries)
