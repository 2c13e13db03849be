"""Which CPU and memory go together on Fargate.

Source: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
"""

from __future__ import annotations

from itertools import pairwise

from .canonical import size

_GIB = 1024
MEMORY_MIB: dict[int, tuple[int, ...]] = {
    256: (512, 1 * _GIB, 2 * _GIB),
    512: tuple(range(1 * _GIB, 4 * _GIB + 1, _GIB)),
    1024: tuple(range(2 * _GIB, 8 * _GIB + 1, _GIB)),
    2048: tuple(range(4 * _GIB, 16 * _GIB + 1, _GIB)),
    4096: tuple(range(8 * _GIB, 30 * _GIB + 1, _GIB)),
    8192: tuple(range(16 * _GIB, 60 * _GIB + 1, 4 * _GIB)),
    16384: tuple(range(32 * _GIB, 120 * _GIB + 1, 8 * _GIB)),
}
"""Memory sizes in MiB that each number of CPU units (1024 to a vCPU) allows."""


def conflict(cpu: object, memory: object) -> str | None:
    """Say why Fargate would refuse this CPU with this memory.

    Args:
        cpu: CPU units, or a text such as `"1 vCPU"`.
        memory: MiB, or a text such as `"2 GB"`.

    Returns:
        The reason and the remedy; `None` when the two go together, or when this table is too old to know.
    """
    units, mib = size(cpu), size(memory)
    if not units.isdigit() or not mib.isdigit():
        return f"cpu is {cpu!r} and memory is {memory!r}; both must be sizes, such as 1024 and 2048."
    if int(units) > max(MEMORY_MIB):
        return None
    if int(units) not in MEMORY_MIB:
        return f"cpu is {units}; Fargate offers {_listed(tuple(MEMORY_MIB))} CPU units."
    if int(mib) not in MEMORY_MIB[int(units)]:
        return (
            f"memory is {mib} MiB, which Fargate does not offer with cpu {units}. "
            f"Choose {_listed(MEMORY_MIB[int(units)])} MiB, or another cpu."
        )
    return None


def _listed(sizes: tuple[int, ...]) -> str:
    if len(sizes) > 4 and len({b - a for a, b in pairwise(sizes)}) == 1:
        return f"{sizes[0]} to {sizes[-1]} in steps of {sizes[1] - sizes[0]}"
    *others, last = map(str, sizes)
    return f"{', '.join(others)} or {last}"


def fitting_memory(cpu: object, wanted: int) -> int:
    """The least memory that Fargate offers with this CPU and that is at least what is wanted, else its most."""
    units = size(cpu)
    offered = MEMORY_MIB.get(int(units), ()) if units.isdigit() else ()
    return next((mib for mib in offered if mib >= wanted), max(offered, default=wanted))


def fitting_cpu(memory: object, wanted: int) -> int:
    """The CPU nearest to what is wanted that Fargate offers with this memory; what is wanted when there is none."""
    mib = size(memory)
    offered = [cpu for cpu, sizes in MEMORY_MIB.items() if mib.isdigit() and int(mib) in sizes]
    return min(offered, key=lambda cpu: abs(cpu - wanted), default=wanted)
