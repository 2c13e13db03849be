"""How many messages a second go through Redis, and how many locks, beside the published package."""

from __future__ import annotations

from benches import harness
from benches.harness import BASELINE, Case, Environment, Metric
from prefect_integration_tests.backends.redis import RedisServer
from scripts import workspace

ABOUT = (
    "50,000 events of 700 bytes, published one by one with deduplication and then consumed one by one, as a Prefect"
    " server does with its default settings; and 3,000 locks, taken and released, and"
    " 1,000 that are taken in asyncio. Redis runs on the same machine."
)
METRICS = (
    Metric("published_us", "µs to publish one", 1),
    Metric("consumed_us", "µs to consume one", 1),
    Metric("locks_us", "µs to take and release a lock", 1),
    Metric("alocks_us", "µs to take one in asyncio", 1),
    Metric("published_per_s", "published a second", 0, compared=False),
    Metric("consumed_per_s", "consumed a second", 0, compared=False),
    Metric("locks_per_s", "locks a second", 0, compared=False),
    Metric("messages", "messages", 0, compared=False),
)
_PUBLISHED = ("prefect-redis==0.3.0",)
_OWN = ("prefect-integration-kit", "prefect-redis")
_TIMEOUT_SECONDS = 600.0


def environments() -> dict[str, Environment]:
    """Build the two environments, with the same versions of everything but the packages themselves."""
    resolution = [line for line in harness.workspace_resolution() if not line.startswith(_OWN)]
    members = workspace.packages()
    folders = [str(workspace.find(name, members).path) for name in _OWN]
    reinstall = [f"--reinstall-package={name}" for name in _OWN]
    return {
        BASELINE: harness.install("redis-published", resolution, *_PUBLISHED),
        "ours": harness.install("redis-ours", resolution, *reinstall, *folders),
    }


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    built = environments()
    with RedisServer.start() as server:
        environ = (
            ("PREFECT_REDIS_MESSAGING_HOST", "127.0.0.1"),
            ("PREFECT_REDIS_MESSAGING_PORT", str(server.port)),
            ("PREFECT_LOGGING_LEVEL", "ERROR"),
        )
        cases = [
            Case("events and locks", variant, variant, (str(server.port),), environ)
            for variant in (BASELINE, "ours")
            if only is None or only in variant
        ]
        samples = harness.alternate(cases, "redis_messages", rounds or 3, timeout_seconds=_TIMEOUT_SECONDS, built=built)
    versions = {name: environment.versions() for name, environment in built.items()}
    ours, older = (versions[name].get("prefect-redis") for name in ("ours", BASELINE))
    measured_on = (
        f"Prefect {versions['ours'].get('prefect')}, redis-py {versions['ours'].get('redis')}."
        f" Ours: prefect-redis {ours}. Published: {older}."
    )
    return harness.save("redis_messages", ABOUT, samples, METRICS, keep=only is None, measured_on=measured_on)
