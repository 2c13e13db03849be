"""Redis for Prefect: a block and tasks, result storage, locks, leases, and the messages between servers."""

from importlib.metadata import version
from typing import TYPE_CHECKING

from prefect_integration_kit.late_imports import late_names

from .blocks import RedisDatabase

if TYPE_CHECKING:
    from .locking import RedisLockManager
    from .tasks import redis_execute, redis_get, redis_get_binary, redis_set, redis_set_binary

__version__ = version("prefect-redis")

__all__ = [
    "RedisDatabase",
    "RedisLockManager",
    "redis_execute",
    "redis_get",
    "redis_get_binary",
    "redis_set",
    "redis_set_binary",
]

# Every flow run imports this package, and few need these.
__getattr__, __dir__ = late_names(
    __name__,
    {
        "RedisLockManager": ".locking",
        "redis_execute": ".tasks",
        "redis_get": ".tasks",
        "redis_get_binary": ".tasks",
        "redis_set": ".tasks",
        "redis_set_binary": ".tasks",
    },
)
