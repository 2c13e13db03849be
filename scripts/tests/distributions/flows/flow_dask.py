"""Map a task over numbers, on threads of a Dask cluster of its own."""

from __future__ import annotations

from prefect import flow, task

from prefect_dask import DaskTaskRunner


@task
def square(number: int) -> int:
    """Square a number."""
    return number**2


@flow(task_runner=DaskTaskRunner(cluster_kwargs={"processes": False, "dashboard_address": None}))
def squares() -> list[int]:
    """Square some numbers."""
    return square.map(range(4)).result()


if __name__ == "__main__":
    print(squares())
