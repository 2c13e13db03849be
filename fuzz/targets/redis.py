"""Parsers of prefect-redis."""

from __future__ import annotations

import traceback

from prefect_redis._urls import parse, plain, public, secrets_in
from prefect_redis.errors import RedisUrlInvalid

from ..registry import refusal, refusing, target


@target(
    "redis://u:p@h:6379/0",
    "rediss://h",
    "redis+sentinel://:p@a:1,b:2/mymaster/0?sentinel_password=x&sentinel_socket_timeout=1",
    "redis+cluster://a:1,b:2",
    "redis://h?socket_timeout=x",
    "unix:///run/redis.sock?db=1",
    "redis://[::1]:1/1",
    "redis://[",
    "redis://h/x",
)
def urls(url: str) -> None:
    """An address is read, or refused by the error for that."""
    with refusing(RedisUrlInvalid):
        address = parse(url)
        assert address.mode in ("single", "sentinel", "cluster")
        plain(url)


@target("p#ss", "p?ss", "p/ss", "p@ss", "p:ss", "p\u2100ss", "p%zz", "[", "p ss")
def passwords(password: str) -> None:
    """However wrong an address is, what is said of it does not hold the password."""
    mark = "q7Zx"
    secret = f"{mark}{password}{mark}"
    for url in (
        f"redis://:{secret}@h:1/0",
        f"redis://u:{secret}@h:x/y",
        f"redis+sentinel://:{secret}@a:1",
        f"redis://:{secret}@h/0?sentinel_password={secret}&socket_timeout=x",
        f"redis+cluster://:{secret}@a:1/3",
        f"nope://:{secret}@a",
    ):
        assert mark not in public(url), url
        assert secrets_in(url)
        error = refusal(lambda url=url: parse(url), RedisUrlInvalid)
        assert error is None or mark not in "".join(traceback.format_exception(error)).replace(repr(url), ""), url
