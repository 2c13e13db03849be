"""Map a task over numbers, on a Ray cluster of its own."""

from __future__ import annotations

from prefect import flow, task

from prefect_ray import RayTaskRunner


@task
def square(number: int) -> int:
    """Square a number."""
    return number**2


@flow(task_runner=RayTaskRunner(init_kwargs={"num_cpus": 2, "include_dashboard": False}))
def squares() -> list[int]:
    """Square some numbers."""
    return square.map(range(4)).result()


if __name__ == "__main__":
    print(squares())
