"""How fast rows come from BigQuery, beside the published package and Google's bare client."""

from __future__ import annotations

import statistics
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager

from benches import harness
from benches.harness import BASELINE, BenchError, Case, Environment, Metric, Sample
from prefect_integration_tests.backends.bigquery import BigQueryServer
from scripts import workspace

ROWS = 1_000_000
ABOUT = (
    f"`BigQueryWarehouse.fetch_all` of {ROWS:,} rows with a number and a text, from a local bqemulator by the REST API,"
    " and `list(client.query(...).result())` of Google's bare client. Imports and the making of the client are not part"
    " of the times: one row is fetched first."
)
METRICS = (Metric("wall_s", "seconds"), Metric("cpu_s", "CPU s"), Metric("peak_mib", "peak MiB", 0))

BARE = "bare client"
_PACKAGE = "prefect-gcp"
_PUBLISHED = "prefect-gcp[bigquery]>=0.6.22"
# Variant: environment, way of the probe.
_VARIANTS = {
    BASELINE: (BASELINE, "sync"),
    "published, async": (BASELINE, "async"),
    "ours": ("ours", "sync"),
    "ours, async": ("ours", "async"),
    BARE: ("ours", "bare"),
}


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the package itself."""
    resolution = harness.workspace_resolution()
    members = workspace.packages()
    folders = [
        str(workspace.find("prefect-integration-kit", members).path),
        f"{workspace.find(_PACKAGE, members).path}[bigquery]",
    ]
    reinstall = [f"--reinstall-package={name}" for name in (_PACKAGE, "prefect-integration-kit")]
    return {
        BASELINE: harness.install("bigquery-published", resolution, _PUBLISHED),
        "ours": harness.install("bigquery-ours", resolution, *reinstall, *folders),
    }


def _beside_bare(samples: Mapping[Case, Sequence[Sample]]) -> str:
    """Say how long ours takes beside the bare client."""
    lines = ["Time beside the bare client (1 is as fast, less is faster):", ""]
    bare: Sequence[Sample] = next((runs for case, runs in samples.items() if case.variant == BARE), ())
    for case, runs in samples.items():
        if not bare or case.variant == BARE or any(run.failure for run in (*runs, *bare)):
            continue
        ratios = [own.values["wall_s"] / raw.values["wall_s"] for own, raw in zip(runs, bare, strict=True)]
        lines.append(f"- {case.variant}: **{statistics.median(ratios):.2f}** ({min(ratios):.2f}-{max(ratios):.2f})")
    return "\n".join(lines) if len(lines) > 2 else ""


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    what = f"{ROWS:,} rows"
    cases = [Case(what, variant, environment, (way,), ()) for variant, (environment, way) in _VARIANTS.items()]
    cases = [case for case in cases if only is None or only in f"{case.what}, {case.variant}"]
    if not cases:
        raise BenchError(f"no case of bigquery_fetch holds {only!r}")
    built = environments()
    with BigQueryServer.start() as server:

        @contextmanager
        def around(case: Case) -> Generator[tuple[str, ...]]:
            yield server.endpoint, str(ROWS)

        samples = harness.alternate(
            cases,
            "bigquery_fetch",
            rounds or 3,
            timeout_seconds=600,
            warm_up=False,
            around=around,
            built=built,
        )
    versions = {name: environment.versions() for name, environment in built.items()}
    measured_on = (
        f"google-cloud-bigquery {versions['ours'].get('google-cloud-bigquery')}. "
        f"Ours: {_PACKAGE} {versions['ours'].get(_PACKAGE)}. "
        f"Published: {_PACKAGE} {versions[BASELINE].get(_PACKAGE)}."
    )
    note = _beside_bare(samples)
    return harness.save(
        "bigquery_fetch", ABOUT, samples, METRICS, note=note, keep=only is None, measured_on=measured_on
    )
