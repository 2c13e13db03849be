"""How long many small task runs take on Ray."""

from __future__ import annotations

from benches import harness
from benches.harness import BASELINE, Case, Environment, Metric
from scripts import workspace

ABOUT = (
    "2,000 task runs that double a number, by one `map` in a flow on a Ray of two processors, and"
    " a Prefect server on the same machine. `submit_s` is the call of `map`, `map_s` that and the wait for all results,"
    " `flow_cpu_s` the CPU of the flow's process alone. The workers have run some task runs before."
)
METRICS = (
    Metric("map_s", "seconds"),
    Metric("submit_s", "seconds to submit"),
    Metric("flow_cpu_s", "CPU s of the flow"),
)
COUNT = 2000
_PUBLISHED = "prefect-ray==0.6.0"
_OWN = ("prefect-integration-kit", "prefect-ray")
_TIMEOUT_SECONDS = 600.0


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the package itself."""
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(_OWN)]
    members = workspace.packages()
    folders = [str(workspace.find(name, members).path) for name in _OWN]
    reinstall = [f"--reinstall-package={name}" for name in _OWN]
    return {
        BASELINE: harness.install("ray-published", resolution, _PUBLISHED),
        "ours": harness.install("ray-ours", resolution, *reinstall, *folders),
    }


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    built = environments()
    cases = [
        Case("map", variant, variant, (str(COUNT),))
        for variant in (BASELINE, "ours")
        if only is None or only in f"map · {variant}"
    ]
    samples = harness.alternate(
        cases, "ray_map", rounds or 3, timeout_seconds=_TIMEOUT_SECONDS, built=built, warm_up=False
    )
    versions = {name: environment.versions() for name, environment in built.items()}
    measured_on = (
        f"Prefect {versions['ours'].get('prefect')}, Ray {versions['ours'].get('ray')}."
        f" Ours: prefect-ray {versions['ours'].get('prefect-ray')}."
        f" Published: prefect-ray {versions[BASELINE].get('prefect-ray')}."
    )
    return harness.save("ray_map", ABOUT, samples, METRICS, keep=only is None, measured_on=measured_on)
