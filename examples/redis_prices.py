# ---
# title: Prices that are computed once
# description: Share computed values between runs through Redis, and let one of many compute what all of them want.
# icon: database
# keywords: ["redis", "cache", "lock", "results", "acl"]
# dependencies: ["prefect-redis", "prefect-integration-tests"]
# cmd: ["python", "examples/redis_prices.py"]
# order: 15
# ---
#
# A shop's price of a product takes long to compute, and many runs want it at the same time. It should be computed once,
# by one of them, and the others should take it from Redis. When the price list changes, it should be computed again.
#
# This program starts a Redis of its own, with a user and a password, and a temporary Prefect server.
# It needs `redis-server` on this machine. Nothing leaves it.

import os
import time
from datetime import timedelta

from prefect import flow, task
from prefect.cache_policies import INPUTS
from prefect.testing.utilities import prefect_test_harness
from prefect.transactions import IsolationLevel

from prefect_integration_tests.backends.redis import RedisServer
from prefect_redis import RedisDatabase, RedisLockManager, redis_execute, redis_get, redis_set

BASE_PRICES = {"tea": 400, "salt": 120}

# ## Compute a price
#
# Each computation leaves a mark in Redis, so that we can see how many there were.


def compute(product: str, edition: int) -> int:
    database = RedisDatabase.load("shop")
    redis_execute(database, "INCR shop:computed")
    time.sleep(0.3)
    prices = redis_get(database, "shop:prices")
    return prices[product] * (100 + edition) // 100


# ## Share it
#
# The results of the task go to Redis and live for an hour. Runs with the same product and edition of the list lock the
# same record, so that one computes and the rest wait for it.


@flow
def quote(customers: int, edition: int, url: str) -> dict[str, list[int]]:
    locks = RedisLockManager(connection_url=url)
    cache = INPUTS.configure(isolation_level=IsolationLevel.SERIALIZABLE, lock_manager=locks)
    price = task(
        compute,
        name="price",
        cache_policy=cache,
        cache_expiration=timedelta(hours=1),
        persist_result=True,
        result_storage=RedisDatabase.load("shop"),
    )
    futures = {product: [price.submit(product, edition) for _ in range(customers)] for product in BASE_PRICES}
    return {product: [future.result() for future in waiting] for product, waiting in futures.items()}


# ## Run it
#
# The user `shop` has a password and may do everything but administer the server.

if __name__ == "__main__":
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"  # nobody is told of a temporary server
    with (
        RedisServer.start(users={"shop": "on >shop-pw ~* +@all -@admin"}) as server,
        prefect_test_harness(server_startup_timeout=120),
    ):
        url = server.url_for("shop", "shop-pw")
        shop = RedisDatabase.from_connection_string(url)
        shop.save("shop", overwrite=True)
        flow(lambda: redis_set(shop, "shop:prices", BASE_PRICES), name="list prices")()
        first = quote(customers=5, edition=1, url=url)
        second = quote(customers=5, edition=1, url=url)
        with server.client() as client:
            computed = int(client.get("shop:computed"))
        for product, quotes in first.items():
            print(f"{product:4} {quotes[0] / 100:.2f}, told to {len(quotes)} customers")
        print(f"computed {computed} times")
        assert first == second == {"tea": [404] * 5, "salt": [121] * 5}
        assert computed == len(BASE_PRICES)
