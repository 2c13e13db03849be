"""Addresses of Redis: one server, one behind Sentinel, or a Cluster; with or without TLS.

    redis://[username:password@]host:port/db                              one server
    redis+sentinel://[username:password@]host:port,host:port/service/db   a primary that Sentinels know
    redis+cluster://[username:password@]host:port,host:port               a Cluster

`rediss` in place of `redis` means TLS. What stands after `?` are arguments of redis-py's connection, such as
`ssl_ca_certs`, `ssl_certfile`, `ssl_keyfile`, `socket_timeout`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal, cast
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit

from .errors import RedisUrlInvalid

SENTINEL_SCHEMES = frozenset({"redis+sentinel", "rediss+sentinel", "redis-sentinel", "rediss-sentinel", "sentinel"})
CLUSTER_SCHEMES = frozenset({"redis+cluster", "rediss+cluster", "redis-cluster", "rediss-cluster"})
_PLAIN_SCHEMES = frozenset({"redis", "rediss", "unix"})
_SENTINEL_PORT, _PORT = 26379, 6379
_OF_SENTINELS = "sentinel_"
_SERVICE_NAMES = ("service_name", "service", "master_name", "master", "sentinel_master")
_NODE = re.compile(r"(?P<host>\[[^\]]+\]|[^:\[\]]+)(?::(?P<port>\d+))?")

Mode = Literal["single", "sentinel", "cluster"]


def scheme_of(url: str) -> str:
    """The scheme in lower case."""
    return url.partition("://")[0].strip().lower()


def mode_of(url: str) -> Mode:
    """What an address leads to: one server, Sentinels or a Cluster.

    `?cluster=true` makes a plain address one of a Cluster.
    """
    scheme = scheme_of(url)
    if scheme in SENTINEL_SCHEMES:
        return "sentinel"
    if scheme in CLUSTER_SCHEMES or _asks_for_cluster(url):
        return "cluster"
    return "single"


def _query(url: str) -> str:
    """What stands after `?`; nothing where Python cannot read the address, which its error would repeat."""
    try:
        return urlsplit(url).query
    except ValueError:
        return ""


def _asks_for_cluster(url: str) -> bool:
    query = dict(parse_qsl(_query(url)))
    return query.get("cluster", "").lower() in {"1", "true", "yes"}


@dataclass(frozen=True)
class Address:
    """What a URL says.

    Attributes:
        mode: What it leads to.
        nodes: Hosts and ports.
        options: Arguments of redis-py's connection; secrets are among them.
        service: Name of the primary, as Sentinels know it.
        sentinel_options: Arguments of connections to Sentinels.
    """

    mode: Mode
    nodes: tuple[tuple[str, int], ...]
    options: dict[str, Any] = field(repr=False)
    service: str | None = None
    sentinel_options: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)


def public(url: str) -> str:
    """The address without user, password and options, for messages."""
    scheme, _, rest = url.partition("://")
    if not rest:
        return "the URL"
    login, _, hosts = rest.rpartition("@")
    if not set("/?#@").isdisjoint(login):  # a password with such characters in it, which should have been encoded
        return f"{scheme}://…"
    hosts = hosts.partition("?")[0].partition("#")[0]
    return f"{scheme}://{hosts}"


def secrets_in(url: str) -> list[str]:
    """Passwords that stand in an address, as they are sent."""
    rest = url.partition("://")[2]
    login = rest.rpartition("@")[0]
    found = [unquote(login.partition(":")[2]), login.partition(":")[2]]
    found += [value for key, value in parse_qsl(_query(url)) if "password" in key]
    return [secret for secret in found if secret]


def parse(url: str) -> Address:
    """Read an address.

    Raises:
        RedisUrlInvalid: If it is not one of Redis.
    """
    scheme = scheme_of(url)
    if scheme not in _PLAIN_SCHEMES | SENTINEL_SCHEMES | CLUSTER_SCHEMES or "://" not in url:
        known = ", ".join(sorted(f"{name}://" for name in ("redis", "rediss", "redis+sentinel", "redis+cluster")))
        raise RedisUrlInvalid(f"{public(url)} is no address of Redis. Begin it with one of {known}.")
    try:
        urlsplit(url)
    except ValueError:  # its text has user and password in it
        raise _unreadable(url) from None
    mode = mode_of(url)
    nodes = () if scheme == "unix" else _nodes(url, _SENTINEL_PORT if mode == "sentinel" else _PORT)
    segments = [unquote(part) for part in urlsplit(url).path.split("/") if part]
    query = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
    query.pop("cluster", None)
    service = next((query.pop(name) for name in _SERVICE_NAMES if name in query), None) if mode == "sentinel" else None
    if mode == "sentinel":
        names = [part for part in segments if not part.isdigit()]
        service = service or (names[0] if names else None)
        segments = [part for part in segments if part.isdigit()]
        if not service:
            raise RedisUrlInvalid(
                f"{public(url)} does not name the primary. Add its name as Sentinels know it: …/mymaster."
            )
    of_sentinels = {name: query.pop(name) for name in list(query) if name.startswith(_OF_SENTINELS)}
    options = _options(url, scheme, segments, query)
    if mode == "cluster" and options.pop("db", 0) not in (0, "0"):
        raise RedisUrlInvalid(f"{public(url)}: a Cluster has only database 0. Leave the number out.")
    sentinel_options = _sentinel_options(of_sentinels, options) if mode == "sentinel" else {}
    return Address(mode, nodes, options, service, sentinel_options)


def plain(url: str, *, keep_cluster_hint: bool = False) -> str:
    """The address of the first node as redis-py knows it, with user, password and options."""
    scheme = scheme_of(url)
    parts = urlsplit(url)
    secure = scheme.startswith("rediss")
    login, at, hosts = parts.netloc.rpartition("@")
    first = hosts.split(",")[0]
    pairs = [(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if keep_cluster_hint or k != "cluster"]
    query = f"?{urlencode(pairs)}" if pairs else ""
    path = parts.path if parts.path != "/" else ""
    return f"{'rediss' if secure else 'redis'}://{login}{at}{first}{path}{query}"


def _nodes(url: str, default_port: int) -> tuple[tuple[str, int], ...]:
    hosts = urlsplit(url).netloc.rpartition("@")[2]
    nodes: list[tuple[str, int]] = []
    for text in (hosts or "localhost").split(","):
        match = _NODE.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"] or default_port) < 65536:
            raise _unreadable(url)
        nodes.append((unquote(match["host"].strip("[]")), int(match["port"] or default_port)))
    return tuple(nodes)


def _unreadable(url: str) -> RedisUrlInvalid:
    """An error that repeats nothing of the address: what seems to be a host may be part of a password."""
    return RedisUrlInvalid(
        f"The URL of scheme {scheme_of(url)!r} does not name host:port. Encode special characters of user and"
        " password, such as / as %2F."
    )


def _options(url: str, scheme: str, segments: list[str], query: dict[str, str]) -> dict[str, Any]:
    """Let redis-py read what its own URLs hold: it knows the types of its options."""
    from redis import connection

    parse_url = cast("Any", connection).parse_url  # it has no types
    login = urlsplit(url).netloc.rpartition("@")[0]
    at = f"{login}@" if login else ""
    secure = "rediss" if scheme.startswith("rediss") else "redis"
    tail = f"?{urlencode(query)}" if query else ""
    path = f"/{segments[0]}" if segments else ""
    if scheme != "unix" and "@" in path:  # what precedes it is part of a password, with a slash in it
        raise _unreadable(url)
    if scheme != "unix" and path and not path[1:].isdigit():
        raise RedisUrlInvalid(f"{public(url)}: {path[1:]!r} is not the number of a database.")
    try:
        read = parse_url(url if scheme == "unix" else f"{secure}://{at}localhost{path}{tail}")
    except (ValueError, TypeError) as exc:  # what it says repeats the value, never the password
        raise RedisUrlInvalid(f"{public(url)}: {exc}.") from None
    options: dict[str, Any] = dict(read)
    if scheme == "unix":
        return options
    options.pop("host", None)
    options.pop("port", None)
    if options.pop("connection_class", None) is not None:
        options["ssl"] = True
    return options


def _sentinel_options(given: dict[str, str], options: dict[str, Any]) -> dict[str, Any]:
    """Sentinels have their own login; TLS is that of the servers unless `sentinel_ssl=false`."""
    own: dict[str, Any] = {name.removeprefix(_OF_SENTINELS): value for name, value in given.items()}
    secure = str(own.pop("ssl", options.get("ssl", False))).lower() in {"1", "true", "yes"}
    if secure:
        own = {**{k: v for k, v in options.items() if k.startswith("ssl")}, **own, "ssl": True}
    for name in ("socket_timeout", "socket_connect_timeout"):
        if name in options:
            own.setdefault(name, options[name])
        if name in own:
            try:
                own[name] = float(own[name])
            except ValueError:
                raise RedisUrlInvalid(f"{_OF_SENTINELS}{name} is {own[name]!r}; give a number of seconds.") from None
    return own
