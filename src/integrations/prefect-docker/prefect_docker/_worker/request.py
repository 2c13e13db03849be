"""Write down the container that a flow run asks for, as docker-py's `containers.create` takes it.

What the job variables say and what `container_create_kwargs` adds are merged: mappings and lists are joined. Where both
say the same thing differently, the variable counts and a warning names both, if the variable is as old as
`container_create_kwargs`: pools have such pairs, and their runs start. Otherwise the run is refused, with both named.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from ..types import is_relative_bind_source
from . import labels as names
from . import network
from .devices import device_request
from .sizes import size_in_bytes

if TYPE_CHECKING:
    from docker import DockerClient

    from prefect_integration_kit.logs import Log

    from .configuration import DockerWorkerJobConfiguration

KWARGS = "container_create_kwargs"
_OWN = ("image", "command", "name")
"""Arguments that only the job variables of their names set."""

_IGNORED = frozenset({"detach", "remove", "stdout", "stderr"})
"""Arguments of docker-py's `containers.run` that mean nothing to `create`."""


def container_options(
    configuration: DockerWorkerJobConfiguration,
    client: DockerClient,
    *,
    flow_run_id: str,
    is_local: bool,
    logger: Log | None = None,
) -> dict[str, Any]:
    """Write the arguments of `containers.create`, but for the name. Asks the engine's version where that matters.

    Args:
        configuration: What the run asks for, prepared for it.
        client: A client of the engine.
        flow_run_id: The run.
        is_local: Whether the engine runs on this machine.
        logger: Warned of arguments that have no effect.

    Returns:
        Image, command and options.

    Raises:
        ValueError: If variables and `container_create_kwargs` contradict each other, or a value cannot be used.
    """
    given = _Given(configuration.container_create_kwargs or {}, logger)
    for name in _OWN:
        given.give_way(name, getattr(configuration, name))
    network_mode = configuration.get_network_mode()
    env = {name: value for name, value in configuration.env.items() if value is not None}
    labels = {**configuration.labels}
    labels.setdefault(names.FLOW_RUN_ID, flow_run_id)
    if configuration.auto_remove or given.take("auto_remove"):
        labels[names.AUTO_REMOVE] = "true"
    options: dict[str, Any] = {
        "image": configuration.image,
        "command": configuration.command,
        "environment": network.rewritten(given.joined("environment", "env", env), network_mode),
        "labels": given.joined("labels", "labels", labels, gives_way=True),
        "network_mode": given.chosen("network_mode", network_mode, configuration.network_mode, gives_way=True),
        "volumes": _volumes(configuration.volumes, given, is_local=is_local) or None,
        "extra_hosts": _extra_hosts(configuration, client, given, network_mode) or None,
        "privileged": given.chosen("privileged", configuration.privileged or None, gives_way=True),
        "mem_limit": given.chosen("mem_limit", configuration.mem_limit, gives_way=True),
        "memswap_limit": given.chosen("memswap_limit", _swap(configuration.memswap_limit), gives_way=True),
        "shm_size": given.chosen("shm_size", configuration.shm_size),
        "ipc_mode": given.chosen("ipc_mode", configuration.ipc_mode),
        "runtime": given.chosen("runtime", configuration.runtime),
        "nano_cpus": given.chosen("nano_cpus", _nano_cpus(configuration.cpus), variable="cpus"),
        "ulimits": _ulimits(configuration, given) or None,
        "log_config": given.chosen("log_config", _log_config(configuration)),
        "device_requests": _device_requests(configuration, given) or None,
    }
    return {**given.rest(), **{name: value for name, value in options.items() if value is not None}}


class _Given:
    """What `container_create_kwargs` has, and which of it has been looked at."""

    def __init__(self, arguments: Mapping[str, Any], logger: Log | None) -> None:
        self._logger = logger
        if "network" in arguments:
            raise ValueError(
                f"`{KWARGS}` has 'network', which the job variable `networks` sets. Remove it there and set `networks`."
            )
        self._arguments = {name: value for name, value in arguments.items() if name not in _IGNORED}

    def take(self, name: str) -> Any:
        return self._arguments.pop(name, None)

    def give_way(self, name: str, ours: Any) -> None:
        """Leave an argument out that a job variable sets."""
        theirs = self.take(name)
        if theirs is not None and theirs != ours:
            values = ("", "") if name == "command" else (_shown(theirs), _shown(ours))  # it may have secrets in it
            self._warn(
                f"`{KWARGS}` has {name!r}{values[0]}, which the job variable `{name}` sets{values[1]}: it has no "
                f"effect. Remove it there, and set `{name}` if another is wanted."
            )

    def _warn(self, message: str) -> None:
        if self._logger is not None:
            self._logger.warning("%s", message)

    def rest(self) -> dict[str, Any]:
        return self._arguments

    def chosen(
        self, name: str, ours: Any, explicit: Any = ..., *, variable: str | None = None, gives_way: bool = False
    ) -> Any:
        """One value that may stand in both places.

        Args:
            name: The argument.
            ours: What the job variable makes of it.
            explicit: What the job variable says, where `ours` may be a default that gives way.
            variable: The job variable, where it has another name.
            gives_way: Whether the argument gives way to the variable where both say something.
        """
        if gives_way and (ours if explicit is ... else explicit) is not None:
            self.give_way(name, ours)
        theirs = self.take(name)
        if theirs is None:
            return ours
        said = ours if explicit is ... else explicit
        if said is not None and said != theirs:
            raise ValueError(
                f"`{KWARGS}` has {name!r}{_shown(theirs)}, and the job variable `{variable or name}` says something "
                f"else{_shown(said)}. Remove one of the two."
            )
        return theirs

    def joined(self, name: str, variable: str, ours: Mapping[str, Any], *, gives_way: bool = False) -> dict[str, Any]:
        """A mapping whose entries may stand in both places."""
        theirs = _mapping(self.take(name))
        for key in sorted(theirs.keys() & ours.keys()):
            if str(theirs[key]) != str(ours[key]):
                both = f"{key} stands in the job variable `{variable}` and in {name!r} of `{KWARGS}`"
                message = f"{both}, with different values"
                if not gives_way:
                    raise ValueError(f"{message}. Remove one of the two.")
                self._warn(f"{message}; the latter has no effect. Remove one of the two.")
        return {**theirs, **ours}


def _shown(value: Any) -> str:
    """A plain value for a message; nothing of a mapping, as options of a log driver may be secret."""
    return f" ({value!r})" if isinstance(value, str | int | float) else ""


def _mapping(value: Any, separator: str = "=") -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, Mapping):
        return dict(cast("Mapping[str, Any]", value))
    pairs = (str(entry).partition(separator) for entry in cast("Iterable[Any]", value))
    return {name: text for name, _, text in pairs}


# Volumes -------------------------------------------------------------------------------------------------------------


def _volumes(volumes: Iterable[str], given: _Given, *, is_local: bool) -> list[str]:
    ours = [(_absolute(volume, is_local=is_local), "`volumes`") for volume in volumes]
    theirs = [
        (_absolute(volume, is_local=is_local), f"'volumes' of `{KWARGS}`") for volume in _binds(given.take("volumes"))
    ]
    seen: dict[str, str] = {
        str(
            mount.get("Target") or mount.get("target")
        ): f"the mount of {mount.get('Source')!r} in 'mounts' of `{KWARGS}`"
        for mount in cast("list[dict[str, Any]]", given.rest().get("mounts") or [])
    }
    binds: list[str] = []
    for volume, place in [*ours, *theirs]:
        target, name = _target(volume), f"{volume!r} in {place}"
        if volume in binds:
            continue
        if target in seen:
            raise ValueError(f"Two volumes are mounted at {target}: {seen[target]} and {name}. Remove one of the two.")
        seen[target] = name
        binds.append(volume)
    return binds


def _binds(volumes: Any) -> list[str]:
    """Write docker-py's mapping of volumes as the strings that its list has."""
    if not isinstance(volumes, Mapping):
        return [str(volume) for volume in cast("Iterable[Any]", volumes or [])]
    binds: list[str] = []
    for source, bind in cast("Mapping[str, Any]", volumes).items():
        if isinstance(bind, Mapping):
            entry = cast("Mapping[str, str]", bind)
            if "bind" not in entry:
                raise ValueError(f"'volumes' of `{KWARGS}`: {source!r} has no 'bind', the path in the container.")
            binds.append(":".join([source, entry["bind"], entry.get("mode", "rw")]))
        else:
            binds.append(f"{source}:{bind}")
    return binds


def _absolute(volume: str, *, is_local: bool) -> str:
    source, colon, rest = volume.partition(":")
    if not colon or not is_relative_bind_source(source):
        return volume
    if not is_local:
        raise ValueError(
            f"Volume {volume!r} begins with a path that is relative to the worker's folder, and the engine runs on "
            "another machine. Write an absolute path of that machine, or the name of a volume."
        )
    return f"{os.path.abspath(source)}:{rest}"  # noqa: PTH100 - links stay as they are written


def _target(volume: str) -> str:
    parts = volume.split(":")
    if len(parts) > 1 and len(parts[0]) == 1 and parts[1].startswith(("\\", "/")):
        parts = [":".join(parts[:2]), *parts[2:]]  # a drive of Windows
    return (parts[1] if len(parts) > 1 else parts[0]).rstrip("/") or "/"


# The rest ------------------------------------------------------------------------------------------------------------


def _extra_hosts(
    configuration: DockerWorkerJobConfiguration, client: DockerClient, given: _Given, network_mode: str | None
) -> dict[str, str]:
    hosts = {name: str(address) for name, address in _mapping(given.take("extra_hosts"), separator=":").items()}
    if network_mode == "host" or network.HOST_NAME in hosts:  # where the pool names it, the pool knows better
        return hosts
    return {**hosts, **(configuration.get_extra_hosts(client) or {})}


def _swap(limit: str | None) -> int | str | None:
    return -1 if limit is not None and limit.strip() == "-1" else limit


def _nano_cpus(cpus: float | None) -> int | None:
    return None if cpus is None else round(cpus * 1_000_000_000)


def _ulimits(configuration: DockerWorkerJobConfiguration, given: _Given) -> list[dict[str, Any]]:
    ours = [
        {"Name": limit.name, "Soft": limit.soft, "Hard": limit.soft if limit.hard is None else limit.hard}
        for limit in configuration.ulimits
    ]
    theirs = cast("list[dict[str, Any]]", given.take("ulimits") or [])
    taken = {limit["Name"] for limit in ours}
    for limit in theirs:
        if (name := limit.get("Name") or limit.get("name")) in taken:
            raise ValueError(f"The limit {name!r} stands in the job variable `ulimits` and in 'ulimits' of `{KWARGS}`.")
    return [*ours, *theirs]


def _log_config(configuration: DockerWorkerJobConfiguration) -> dict[str, Any] | None:
    config = configuration.log_config
    return None if config is None else {"Type": config.type, "Config": dict(config.config)}


def _device_requests(configuration: DockerWorkerJobConfiguration, given: _Given) -> list[dict[str, Any]]:
    theirs = cast("list[dict[str, Any]]", given.take("device_requests") or [])
    if configuration.gpus is None:
        return theirs
    if any("gpu" in str(request.get("Capabilities") or request.get("capabilities")) for request in theirs):
        raise ValueError(f"GPUs are asked for by the job variable `gpus` and by 'device_requests' of `{KWARGS}`.")
    return [device_request(configuration.gpus), *theirs]


def memory_limit(options: Mapping[str, Any]) -> int | None:
    """The container's memory limit in bytes; `None` when it has none."""
    limit = options.get("mem_limit")
    return size_in_bytes(str(limit)) if limit else None
