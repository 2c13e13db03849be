"""What the benches of the task runners share: many small task runs by one `map`, on each engine."""

from __future__ import annotations

from benches import harness, pairs
from benches.harness import BASELINE, Case, Metric

METRICS = (
    Metric("map_s", "seconds"),
    Metric("submit_s", "seconds to submit"),
    Metric("flow_cpu_s", "CPU s of the flow"),
)
COUNT = 2000
_TIMEOUT_SECONDS = 600.0


def run(name: str, package: str, engine: str, place: str, rounds: int | None, only: str | None) -> str:
    """Measure and return the table.

    Args:
        name: Name of the bench, and of its probe.
        package: Package to compare.
        engine: The distribution under it.
        place: Where the task runs run, in words.
        rounds: How often; 3 times by default.
        only: Text that a case must hold.
    """
    about = (
        f"{COUNT:,} task runs that double a number, by one `map` in a flow on {place}, and a Prefect server on the same"
        " machine. `submit_s` is the call of `map`, `map_s` that and the wait for all results, `flow_cpu_s` the CPU of"
        " the flow's process alone. The workers have run some task runs before."
    )
    built = pairs.pair(package.removeprefix("prefect-"), (package,))
    cases = [
        Case("map", variant, variant, (str(COUNT),))
        for variant in (BASELINE, "ours")
        if only is None or only in f"map · {variant}"
    ]
    samples = harness.alternate(cases, name, rounds or 3, timeout_seconds=_TIMEOUT_SECONDS, built=built, warm_up=False)
    measured_on = pairs.compared(built, (package,), under=(engine,))
    return harness.save(name, about, samples, METRICS, keep=only is None, measured_on=measured_on)
