"""What `prefect block register -m prefect_<name>` costs, for each package that has blocks."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from benches import harness
from benches.harness import BASELINE, Case, Metric
from prefect_integration_tests.backends.prefect_server import PrefectServer

ABOUT = (
    "`prefect block register -m prefect_<name>`, the whole process, against a Prefect server on the same machine that"
    " has had the same registration before, as at every start of a deployment but the first. CPU and calls are those of"
    " the command; the seconds include the server's work. Blocks are how many the command says that it has registered."
)
METRICS = (
    Metric("wall_s", "seconds"),
    Metric("cpu_s", "CPU s"),
    Metric("peak_mib", "peak MiB", 0),
    Metric("calls", "calls", 0),
    Metric("blocks", "blocks", 0, compared=False),
)
_WITHOUT_BLOCKS = ("prefect-dask", "prefect-ray")


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    modules = [name.replace("-", "_") for name in harness.PACKAGES if name not in _WITHOUT_BLOCKS]
    cases = [
        Case(f"`-m {module}`", variant, variant, (module,))
        for module in modules
        for variant in (BASELINE, "ours")
        if only is None or only in module
    ]
    with PrefectServer.start() as published, PrefectServer.start() as ours:
        # Both at one server would change each other's block types, over and over.
        servers = {BASELINE: published.api_url, "ours": ours.api_url}

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            yield (servers[case.environment],)

        samples = harness.alternate(cases, "block_register", rounds or 3, around=around)
    return harness.save("block_register", ABOUT, samples, METRICS, keep=only is None)
