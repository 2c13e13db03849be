"""Write a value to the server at the argument's port, and read it back."""

from __future__ import annotations

import json
import sys

from prefect import flow

from prefect_redis import RedisDatabase, redis_get, redis_set


@flow
def keep(port: int) -> object:
    """Write a value and read it."""
    database = RedisDatabase(port=port)
    redis_set(database, "parcels", {"NO": 3})
    return redis_get(database, "parcels")


print(keep(json.loads(sys.argv[1])["port"]))
