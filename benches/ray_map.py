"""How long many small task runs take on Ray."""

from __future__ import annotations

from benches import task_maps

_PLACE = "a Ray of two processors"


def run(rounds: int | None, only: str | None) -> str:
    """Measure and return the table."""
    return task_maps.run("ray_map", "prefect-ray", "ray", _PLACE, rounds, only)
