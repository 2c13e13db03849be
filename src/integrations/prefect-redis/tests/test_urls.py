"""Addresses are read, and refused with what is wrong about them, never with a password."""

from __future__ import annotations

import pytest

from prefect_redis import _urls
from prefect_redis.client import cluster_key_prefix, is_cluster_url, normalize_cluster_url, redis_key
from prefect_redis.connection import is_sentinel_url
from prefect_redis.errors import RedisUrlInvalid


def test_a_server() -> None:
    address = _urls.parse("rediss://me:p%40@host:7/3?socket_timeout=2.5&ssl_ca_certs=/ca.pem")
    assert (address.mode, address.nodes) == ("single", (("host", 7),))
    assert address.options == {
        "username": "me",
        "password": "p@",
        "db": 3,
        "socket_timeout": 2.5,
        "ssl_ca_certs": "/ca.pem",
        "ssl": True,
    }


@pytest.mark.parametrize(
    "url",
    ["redis+sentinel://:pw@a:1,b/main/2", "redis+sentinel://:pw@a:1,b/2?service_name=main"],
    ids=["path", "query"],
)
def test_sentinels(url: str) -> None:
    address = _urls.parse(f"{url}{'&' if '?' in url else '?'}sentinel_password=other")
    assert is_sentinel_url(url)
    assert address.nodes == (("a", 1), ("b", 26379))
    assert (address.service, address.options) == ("main", {"password": "pw", "db": 2})
    assert address.sentinel_options == {"password": "other"}


def test_sentinels_with_tls_have_it_throughout() -> None:
    address = _urls.parse("rediss+sentinel://a/main?ssl_ca_certs=/ca.pem")
    assert address.sentinel_options == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert _urls.parse("rediss+sentinel://a/main?sentinel_ssl=false").sentinel_options == {}


@pytest.mark.parametrize(
    ("url", "first"),
    [
        ("redis+cluster://:pw@a:1,b:2", "redis://:pw@a:1"),
        ("rediss+cluster://a:1", "rediss://a:1"),
        ("redis://a:1/0?cluster=true&socket_timeout=1", "redis://a:1/0?socket_timeout=1"),
    ],
)
def test_a_cluster(url: str, first: str) -> None:
    assert is_cluster_url(url)
    assert _urls.parse(url).mode == "cluster"
    assert normalize_cluster_url(url) == first


def test_keys_share_a_slot_in_a_cluster_only() -> None:
    assert not is_cluster_url("redis://a")
    assert normalize_cluster_url("redis://a:1/0") == "redis://a:1/0"
    assert cluster_key_prefix("events", "redis://a") == "events"
    assert cluster_key_prefix("events", "redis+cluster://a") == "{events}"
    assert redis_key("events", "dlq", "redis+cluster://a") == "{events}:dlq"
    assert redis_key("events", "dlq", "redis://a") == "events:dlq"


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("localhost:6379", "no address of Redis"),
        ("http://:secret-pw@a", "no address of Redis"),
        ("redis://:secret-pw@a:b/0", "host:port"),
        ("redis://:secret-pw@a:99999/0", "host:port"),
        ("redis://:secret/pw@a", "host:port"),
        ("redis://:secret-pw@a/main", "number of a database"),
        ("redis://:secret-pw@a/0?socket_timeout=soon", "socket_timeout"),
        ("redis+sentinel://:secret-pw@a:1/0", "does not name the primary"),
        ("redis+cluster://:secret-pw@a:1/2", "only database 0"),
    ],
)
def test_what_is_wrong_is_told(url: str, says: str) -> None:
    with pytest.raises(RedisUrlInvalid, match=says) as caught:
        _urls.parse(url)
    assert "secret" not in str(caught.value)


def test_passwords_are_known_to_be_masked() -> None:
    url = "redis+sentinel://me:p%40ss@a/main?sentinel_password=other"
    assert set(_urls.secrets_in(url)) == {"p@ss", "p%40ss", "other"}
    assert _urls.public(url) == "redis+sentinel://a/main"
