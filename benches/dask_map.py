"""How long many small task runs take on Dask."""

from __future__ import annotations

from benches import task_maps

_PLACE = "a cluster of two processes of one thread each"


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    return task_maps.run("dask_map", "prefect-dask", "distributed", _PLACE, rounds, only)
