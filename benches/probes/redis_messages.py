"""Publish and consume messages as a Prefect server does, and take and release locks; print rates."""

import asyncio
import json
import os
import sys
import time

COUNT, LOCKS, ALOCKS = 50_000, 3_000, 1_000
DATA = json.dumps({"event": "prefect.flow-run.Completed", "payload": {"text": "x" * 600}}).encode()


async def publish(topic: str) -> float:
    from prefect_redis.messaging import Cache, Publisher

    begin = time.perf_counter()
    async with Publisher(topic, Cache(), deduplicate_by="id") as publisher:
        for number in range(COUNT):
            await publisher.publish_data(DATA, {"id": f"{topic}-{number}"})
    return COUNT / (time.perf_counter() - begin)


async def consume(topic: str) -> tuple[float, int]:
    from prefect.server.utilities.messaging import StopConsumer

    from prefect_redis.messaging import Consumer

    seen: set[str] = set()

    async def handle(message) -> None:
        seen.add(message.attributes["id"])
        if len(seen) == COUNT:
            raise StopConsumer(ack=True)

    begin = time.perf_counter()
    await Consumer(topic, name="bench", group="bench").run(handle)
    return COUNT / (time.perf_counter() - begin), len(seen)


def lock(port: int) -> float:
    from prefect_redis import RedisLockManager

    manager = RedisLockManager(port=port)
    manager.acquire_lock("warm", "bench", hold_timeout=60)
    begin = time.perf_counter()
    for number in range(LOCKS):
        manager.acquire_lock(f"record-{number}", "bench", hold_timeout=60)
        manager.release_lock(f"record-{number}", "bench")
    return LOCKS / (time.perf_counter() - begin)


async def alock(port: int) -> float:
    from prefect_redis import RedisLockManager

    manager = RedisLockManager(port=port)
    await manager.aacquire_lock("warm", "bench", hold_timeout=60)
    begin = time.perf_counter()
    for number in range(ALOCKS):
        await manager.aacquire_lock(f"arecord-{number}", "bench", hold_timeout=60)
    return ALOCKS / (time.perf_counter() - begin)


async def main() -> None:
    port = int(sys.argv[1])
    topic = f"bench-{os.getpid()}"
    published = await publish(topic)
    consumed, seen = await consume(topic)
    locks = await asyncio.to_thread(lock, port)
    rates = {"published": published, "consumed": consumed, "locks": locks, "alocks": await alock(port)}
    each = {f"{name}_us": 1e6 / rate for name, rate in rates.items()}
    print(json.dumps({**{f"{name}_per_s": rate for name, rate in rates.items()}, **each, "messages": seen}))


if __name__ == "__main__":
    asyncio.run(main())
