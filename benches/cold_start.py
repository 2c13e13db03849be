"""What loading all installed integrations costs, which every worker start and load of a saved block pays."""

from __future__ import annotations

from benches import harness
from benches.harness import BASELINE, Case, Metric

ABOUT = (
    "`prefect.plugins.load_prefect_collections()` with all eighteen packages installed, in a fresh interpreter that has"
    " imported Prefect with its own workers and blocks: what comes on top. Every start of a worker, every temporary"
    " server and every load of a saved block pays it. Bytecode is compiled before. `peak` is how far the process's"
    " highest memory rises above what it was before. The extras are those that the published packages have:"
    " `all-extras` of prefect-azure, prefect-dbt and prefect-gcp; ours have the same, and what makes transfers fast."
)
METRICS = (
    Metric("load_cpu_s", "CPU s", 3),
    Metric("load_wall_s", "seconds", 3),
    Metric("rss_mib", "MiB", 1),
    Metric("above_mib", "peak MiB", 1),
    Metric("modules", "modules", 0),
    Metric("collections", "packages", 0, compared=False),
)


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    cases = [
        Case(what, variant, f"{variant}{suffix}", ())
        for what, suffix in (("all eighteen", ""), ("all eighteen, with extras", "-extras"))
        for variant in (BASELINE, "ours")
        if only is None or only in f"{what} · {variant}"
    ]
    samples = harness.alternate(cases, "cold_start", rounds or 5, built=harness.with_extras())
    return harness.save("cold_start", ABOUT, samples, METRICS, keep=only is None)
