"""A day of each worker, its observer, pollers and tokens, in minutes: do calls and memory stay as they are?"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from benches import harness, local_clouds, prefect_servers
from benches.harness import Case, Metric
from benches.local_clouds import Arguments

RUNS = 20
HOURS = 24
_HOURS_VARIABLE = "BENCH_SOAK_HOURS"
_LIFE = local_clouds.Life(container_seconds=None, pod_seconds=None)
_TIMEOUT_SECONDS = 1200.0
KINDS = ("cloud-run-v2", "azure-container-instance", "kubernetes", "vertex-ai", "ecs")
ABOUT = (
    f"{RUNS} flow runs that last for {HOURS} hours, in the hands of one worker whose clock is set forward whenever"
    " nobody in its process has anything to do: observers, pollers, watches and the renewal of tokens do all that they"
    " do in a day. Google's tokens last for an hour. The second hour is compared with the last, since the first has the"
    " starts and the imports. Only ours: the published packages have no part in it. The workers of Kubernetes and of"
    " ECS return from `run` once a run has been started; their observers watch over it."
)
METRICS = (
    Metric("first_cloud", "cloud calls, hour 2", 0, compared=False),
    Metric("last_cloud", "cloud calls, last hour", 0, compared=False),
    Metric("first_prefect", "Prefect calls, hour 2", 0, compared=False),
    Metric("last_prefect", "Prefect calls, last hour", 0, compared=False),
    Metric("growth_mib", "growth since hour 2, MiB", 2, compared=False),
    Metric("threads", "threads", 0, compared=False),
    Metric("lost", "runs whose `run` has returned", 0, compared=False),
    Metric("cpu_s", "CPU s", 1, compared=False),
)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table; fewer hours, where `BENCH_SOAK_HOURS` says so, replace no results."""
    hours = int(os.environ.get(_HOURS_VARIABLE, HOURS))
    samples: dict[Case, list[harness.Sample]] = {}
    with prefect_servers.on_postgres() as server, tempfile.TemporaryDirectory() as folder:
        for kind in KINDS:
            if only is not None and only not in kind:
                continue
            with local_clouds.CLOUDS[kind](Path(folder), _LIFE) as fresh:

                @contextmanager
                def around(case: Case, fresh: Callable[[], Arguments] = fresh) -> Generator[Arguments]:
                    del case
                    yield server.api_url, *fresh()

                samples |= harness.alternate(
                    [Case(f"{hours} hours, `{kind}`", "ours", "ours-extras", (kind, str(RUNS), str(hours)))],
                    *("soak", rounds or 1),
                    around=around,
                    built=harness.with_extras(),
                    warm_up=False,
                    timeout_seconds=_TIMEOUT_SECONDS,
                )
    return harness.save("soak", ABOUT, samples, METRICS, keep=hours == HOURS, among=only is not None)
