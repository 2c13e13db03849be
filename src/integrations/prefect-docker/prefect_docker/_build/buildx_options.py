"""Options of `docker buildx build`: from the inputs of a step to an argument list and an environment.

Values that must stay secret go to the command through its environment, which nobody but its user can read; its
arguments are open to everybody on the machine. See https://docs.docker.com/reference/cli/docker/buildx/build/.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

from prefect_docker._build.options import BuildOptions, take_context
from prefect_docker._build.values import listed, nearest, text, texts, truth
from prefect_docker.errors import DockerInvalidRequest

_REFERENCE = "https://docs.docker.com/reference/cli/docker/buildx/build/"
_SECRET_VARIABLE = "PREFECT_BUILD_SECRET_{}"  # noqa: S105 - the name of a variable

# What docker-py calls otherwise, so that a step can change its back end and nothing else.
_SAME = {
    "buildargs": "build_args",
    "platform": "platforms",
    "network_mode": "network",
    "extra_hosts": "add_hosts",
    "shmsize": "shm_size",
}
# docker-py's, without meaning for BuildKit, which leaves no containers behind.
_MEANINGLESS = {"rm", "forcerm", "decode", "stream_logs", "use_config_proxy"}
_ELSEWHERE = {"file": "dockerfile", "tags": "tag and additional_tags"}

_SECRET_KEYS = {"id", "type", "src", "source", "env"}
# Where BuildKit looks for what must not stand in an argument:
# https://docs.docker.com/build/cache/backends/s3/, https://docs.docker.com/build/cache/backends/gha/
_CACHE_VARIABLES = {
    "access_key_id": "AWS_ACCESS_KEY_ID",
    "secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "session_token": "AWS_SESSION_TOKEN",
    "token": "ACTIONS_RUNTIME_TOKEN",
}
_CACHE_SECRETS = {"s3": {"access_key_id", "secret_access_key", "session_token"}, "gha": {"token"}}

# What changes how an image is built, and not what is in it.
_CIRCUMSTANCES = {
    "cache_from",
    "cache_to",
    "progress",
    "quiet",
    "metadata_file",
    "ssh",
    "timeout",
    "gzip",
    "rm",
    "forcerm",
}

Render = Callable[[str, Any], list[str]]


def buildx_options(given: Mapping[str, Any]) -> BuildOptions:
    """Check options for BuildKit.

    Args:
        given: The options, by the names of python-on-whales or of docker-py.

    Raises:
        DockerInvalidRequest: If one is not known or of the wrong kind; the message names it.
    """
    rest = {name: value for name, value in given.items() if name not in _MEANINGLESS}
    context = take_context(rest)
    for other, name in _SAME.items():
        if other in rest:
            if name in rest:
                raise DockerInvalidRequest(f"{other} and {name} are the same option. Give one of them.")
            rest[name] = rest.pop(other)
    for name in rest:
        if name in _ELSEWHERE:
            raise DockerInvalidRequest(f"The option {name!r} is the step's input {_ELSEWHERE[name]}. Use that.")
        if name not in _KNOWN:
            raise DockerInvalidRequest(
                f"build_docker_image knows no option {name!r} of buildx.{nearest(name, _KNOWN)} See {_REFERENCE}."
            )
    nocache = truth("nocache", rest.pop("nocache", None))
    if "cache" in rest:
        nocache = nocache or not truth("cache", rest.pop("cache"))
    pull = rest.pop("pull", None)
    build_args, labels = texts("build_args", rest.pop("build_args", None)), texts("labels", rest.pop("labels", None))
    rest = {name: value for name, value in rest.items() if value is not None}
    for name in ("push", "load", "quiet"):
        if name in rest:
            rest[name] = truth(name, rest[name])
    if "platforms" in rest:
        rest["platforms"] = _platforms(rest["platforms"])
    options = BuildOptions(context, build_args, labels, None if pull is None else truth("pull", pull), nocache, rest)
    if len(rest.get("platforms", [])) > 1 and is_local(options):
        raise DockerInvalidRequest(
            f"platforms names {len(rest['platforms'])} platforms, and an engine holds images of one. Add 'push: true'"
            " to the step, which sends the image to its registry as it is built, or name one platform."
        )
    render_options(options)  # whatever is wrong with the rest is told before anything is read
    return options


def is_local(options: BuildOptions) -> bool:
    """Say whether the image is to be in the local engine afterwards."""
    return bool(options.others.get("load")) or not (options.others.get("push") or options.others.get("output"))


def render_options(options: BuildOptions) -> tuple[list[str], dict[str, str]]:
    """Write options as arguments.

    Args:
        options: What `buildx_options` made.

    Returns:
        The arguments, and the variables that the command needs.

    Raises:
        DockerInvalidRequest: If an option has no such value.
    """
    arguments: list[str] = []
    environment: dict[str, str] = {}
    for name, value in options.build_args.items():
        if name in options.secret_build_args:
            environment[name] = value  # `--build-arg NAME` takes the value from there
            arguments += ["--build-arg", name]
        else:
            arguments += ["--build-arg", f"{name}={value}"]
    for name, value in options.labels.items():
        arguments += ["--label", f"{name}={value}"]
    if options.nocache:
        arguments.append("--no-cache")
    for name, value in options.others.items():
        if name == "secrets":
            found, variables = _secrets(value)
        elif name in ("cache_from", "cache_to"):
            found, variables = _cache(name, value)
        else:
            found, variables = _RENDERED[name](name, value), {}
        arguments += found
        for variable, secret in variables.items():
            if environment.setdefault(variable, secret) != secret:
                raise DockerInvalidRequest(
                    f"{variable} is given as a build argument and by {name}, and not with the same value. Rename the"
                    " build argument, or set the variable and leave it out of the step."
                )
    if is_local(options) and not options.others.get("load"):
        arguments.append("--load")  # a builder in a container would else keep the image to itself
    return arguments, environment


def secret_values(options: BuildOptions) -> list[str]:
    """The values that must be seen nowhere."""
    given = options.others.get("secrets")
    values = texts("secrets", given).values() if isinstance(given, Mapping) else ()
    _, environment = render_options(options)
    return [*values, *environment.values(), *options.secret_build_args.values()]


def without_circumstances(options: BuildOptions) -> BuildOptions:
    """Leave the options that decide what is in an image: of secrets the names alone, as BuildKit's own cache does it.

    Args:
        options: Options of either back end.
    """
    given = options.others.get("secrets")
    others = {name: value for name, value in options.others.items() if name not in _CIRCUMSTANCES}
    if isinstance(given, Mapping):
        others["secrets"] = sorted(map(str, cast("Mapping[Any, Any]", given)))
    return BuildOptions(None, options.build_args, options.labels, options.pull, options.nocache, others)


def _secrets(value: Any) -> tuple[list[str], dict[str, str]]:
    arguments: list[str] = []
    environment: dict[str, str] = {}
    if isinstance(value, Mapping):
        for number, (name, secret) in enumerate(texts("secrets", value).items(), start=1):
            variable = _SECRET_VARIABLE.format(number)
            environment[variable] = secret
            arguments += ["--secret", f"id={_secret_id(name)},env={variable}"]
        return arguments, environment
    for index, item in enumerate(listed(value)):
        arguments += ["--secret", _secret_source(f"secrets[{index}]", item)]
    return arguments, environment


def _secret_id(name: str) -> str:
    if not name or any(sign in name for sign in ',="\n'):
        raise DockerInvalidRequest(f"secrets: {name!r} is no ID of a secret. Leave out commas, quotes and '='.")
    return name


def _secret_source(field: str, item: Any) -> str:
    """Check `id=…,src=…`. Nothing of it is quoted in messages: it may be the secret itself, put in the wrong place."""
    written = "id=NAME,src=FILE or id=NAME,env=VARIABLE"
    if isinstance(item, Mapping):
        item = ",".join(f"{name}={value}" for name, value in texts(field, cast("Any", item)).items())
    pairs = _pairs_in(text(field, item))
    if "id" not in pairs or not set(pairs) <= _SECRET_KEYS:
        raise DockerInvalidRequest(
            f"{field} is not written as {written}. To give a value, such as a block's, write a mapping of names to"
            " values."
        )
    for key in {"src", "source"} & set(pairs):
        pairs[key] = str(Path(pairs[key]).expanduser())
        if not Path(pairs[key]).is_file():
            raise DockerInvalidRequest(
                f"{field}: the secret {pairs['id']!r} is in no file {pairs[key]!r}. Correct {key}."
            )
    if (variable := pairs.get("env")) and variable not in os.environ:
        raise DockerInvalidRequest(f"{field}: the variable {variable!r} of the secret {pairs['id']!r} is not set.")
    return ",".join(f"{key}={value}" for key, value in pairs.items())


def _pairs_in(written: str) -> dict[str, str]:
    """Take `a=b,c=d` apart."""
    parts = (part.partition("=") for part in written.split(",") if part)
    return {key: value for key, _, value in parts}


def _cache(name: str, value: Any) -> tuple[list[str], dict[str, str]]:
    arguments: list[str] = []
    environment: dict[str, str] = {}
    flag = f"--{name.replace('_', '-')}"
    for index, item in enumerate(listed(value)):
        field = f"{name}[{index}]" if isinstance(value, list) else name
        if isinstance(item, str) and "=" not in item:
            arguments += [flag, item]
            continue
        pairs = texts(field, cast("Any", item)) if isinstance(item, Mapping) else _pairs_in(text(field, item))
        for key in [key for key in pairs if key in _CACHE_VARIABLES]:
            if key not in _CACHE_SECRETS.get(pairs.get("type", ""), ()):
                raise DockerInvalidRequest(
                    f"{field}.{key} would stand in the arguments of a command, open to everybody on the machine. Give"
                    " it in the variable that BuildKit reads: https://docs.docker.com/build/cache/backends/."
                )
            environment[_CACHE_VARIABLES[key]] = pairs.pop(key)
        arguments += [flag, ",".join(f"{key}={part}" for key, part in pairs.items())]
    return arguments, environment


def _platforms(value: Any) -> list[str]:
    found = [part.strip() for item in listed(value) for part in text("platforms", item).split(",")]
    return [part for part in found if part]


def _truth(flag: str) -> Render:
    return lambda name, value: [flag] if truth(name, value) else []


def _one(flag: str) -> Render:
    return lambda name, value: [flag, text(name, str(value) if isinstance(value, Path) else value)]


def _each(flag: str) -> Render:
    def render(name: str, value: Any) -> list[str]:
        if isinstance(value, SecretStr):
            raise DockerInvalidRequest(f"{name} would stand in the arguments of a command. Use secrets.")
        return [part for item in listed(value) for part in (flag, text(name, item))]

    return render


def _pairs(flag: str, sign: str = "=") -> Render:
    def render(name: str, value: Any) -> list[str]:
        if not isinstance(value, Mapping):
            return _each(flag)(name, value)
        return [part for key, item in texts(name, value).items() for part in (flag, f"{key}{sign}{item}")]

    return render


def _spec(flag: str) -> Render:
    """One argument of several `key=value`, or a truth value."""

    def render(name: str, value: Any) -> list[str]:
        if isinstance(value, bool):
            return [f"{flag}={str(value).lower()}"]
        if isinstance(value, Mapping):
            return [flag, ",".join(f"{key}={item}" for key, item in texts(name, value).items())]
        return _each(flag)(name, value)

    return render


def _ssh(name: str, value: Any) -> list[str]:
    found = _each("--ssh")(name, value)
    if any("PRIVATE KEY" in part for part in found):
        raise DockerInvalidRequest("ssh holds a key itself. Write 'default' for the agent, or NAME=FILE.")
    return found


_RENDERED: dict[str, Render] = {
    "add_hosts": _pairs("--add-host", ":"),
    "allow": _each("--allow"),
    "annotations": _pairs("--annotation"),
    "attest": _spec("--attest"),
    "build_contexts": _pairs("--build-context"),
    "builder": _one("--builder"),
    "cgroup_parent": _one("--cgroup-parent"),
    "load": _truth("--load"),
    "metadata_file": _one("--metadata-file"),
    "network": _one("--network"),
    "no_cache_filter": _each("--no-cache-filter"),
    "output": _spec("--output"),
    "platforms": lambda _name, value: ["--platform", ",".join(value)],
    "progress": _one("--progress"),
    "provenance": _spec("--provenance"),
    "push": _truth("--push"),
    "quiet": _truth("--quiet"),
    "sbom": _spec("--sbom"),
    "shm_size": _one("--shm-size"),
    "ssh": _ssh,
    "target": _one("--target"),
    "ulimit": _each("--ulimit"),
}

_KNOWN = frozenset(
    {*_RENDERED, "build_args", "cache", "cache_from", "cache_to", "labels", "nocache", "pull", "secrets"}
)
