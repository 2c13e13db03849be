"""Create a job, once and only once, whatever happens on the way."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock

from .. import _clients
from ..errors import (
    KubernetesAlreadyExists,
    KubernetesError,
    KubernetesQuotaExceeded,
    KubernetesUnavailable,
)
from .manifest import SUBMISSION

if TYPE_CHECKING:
    from ..settings import KubernetesWorkerCreateJobRetrySettings
    from .cluster import Cluster


async def create_job(
    cluster: Cluster,
    manifest: Mapping[str, Any],
    settings: KubernetesWorkerCreateJobRetrySettings,
    *,
    clock: Clock = SYSTEM_CLOCK,
    secret_values: tuple[str, ...] = (),
    is_wanted: Callable[[], bool] = lambda: True,
    on_retry: Callable[[Exception, float], None] = lambda error, delay: None,
) -> dict[str, Any] | None:
    """Create a job once, however often that takes: its name is the same in every attempt.

    Args:
        cluster: Where.
        manifest: The job, named for its submission.
        settings: How often to try, and for how long while the quota is used up.
        clock: Time.
        secret_values: What must not be in errors.
        is_wanted: Says before each attempt whether it is still to be made.
        on_retry: Told the error and the coming delay.

    Returns:
        The job's metadata; `None` when it is no longer wanted.

    Raises:
        KubernetesError: If the cluster refuses, or cannot be reached.
    """
    start, attempt = clock.monotonic(), 0
    while is_wanted():
        attempt += 1
        try:
            return await cluster.create_job(manifest, secret_values)
        except KubernetesAlreadyExists as exc:
            existing = await _ours(cluster, manifest)
            if existing is None:
                raise KubernetesAlreadyExists(
                    f"{exc.subject}: there is one of this name already, of another flow run. Use `generateName` "
                    "instead of `name` in the job manifest, or have finished jobs deleted by `finished_job_ttl`.",
                    subject=exc.subject,
                ) from exc
            return existing
        except KubernetesError as exc:
            delay = _delay(exc, attempt, clock.monotonic() - start, settings)
            if delay is None:
                if isinstance(exc, KubernetesUnavailable) and exc.was_sent:
                    existing = await _look_once(cluster, manifest)
                    if existing is not None:
                        return existing
                raise
            on_retry(exc, delay)
        await clock.asleep(delay)
    return None


async def _ours(cluster: Cluster, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    """The job of the same name, when it was made for the same submission: by an attempt whose answer was lost."""
    wanted = manifest["metadata"]
    found = await cluster.read_job(wanted["name"], wanted["namespace"])
    same = found is not None and found["annotations"].get(SUBMISSION) == wanted["annotations"][SUBMISSION]
    return found if same else None


async def _look_once(cluster: Cluster, manifest: Mapping[str, Any]) -> dict[str, Any] | None:
    try:
        return await _ours(cluster, manifest)
    except KubernetesError:
        return None


def _delay(
    error: KubernetesError, attempt: int, elapsed_seconds: float, settings: KubernetesWorkerCreateJobRetrySettings
) -> float | None:
    """Seconds until the next attempt; `None` when there must be no other."""
    verdict = _clients.transience(error)
    waits_for_quota = isinstance(error, KubernetesQuotaExceeded) and elapsed_seconds < settings.quota_timeout_seconds
    if verdict is False and not waits_for_quota:
        return None
    if attempt >= settings.max_retries and not waits_for_quota:
        return None
    least, most = settings.jitter_min_seconds, max(settings.jitter_min_seconds, settings.jitter_max_seconds)
    delay = settings.delay_seconds + random.uniform(least, most)  # noqa: S311
    return delay if isinstance(verdict, bool) else max(delay, verdict)
