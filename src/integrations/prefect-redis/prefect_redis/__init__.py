"""Redis for Prefect: a block and tasks, result storage, locks, leases, and the messages between servers."""

from importlib.metadata import version

from .blocks import RedisDatabase
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
