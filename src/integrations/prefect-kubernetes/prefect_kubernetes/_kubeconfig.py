"""Kubeconfig files: where they are, what they say together, which contexts they have.

The rules are kubectl's: https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

from prefect_integration_kit.sdk_errors import combined

from .errors import KubernetesConfigInvalid, KubernetesConfigMissing

_LISTS = ("clusters", "contexts", "users")
_FILES = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}


def default_paths(environ: Mapping[str, str] | None = None) -> list[Path]:
    """Where kubectl looks: the files of `KUBECONFIG`, else `~/.kube/config`.

    Args:
        environ: Environment variables; the process's own by default.
    """
    listed = (os.environ if environ is None else environ).get("KUBECONFIG", "")
    paths = [Path(part).expanduser() for part in listed.split(os.pathsep) if part]
    return paths or [Path("~/.kube/config").expanduser()]


def read(paths: Sequence[Path]) -> dict[str, Any]:
    """Read files as one kubeconfig: of two entries with one name the first counts, files that are missing do not.

    Args:
        paths: The files, most important first.

    Raises:
        KubernetesConfigMissing: If none of them exists.
        KubernetesConfigInvalid: If one is not a kubeconfig.
    """
    there = [path for path in paths if path.is_file()]
    if not there:
        names = ", ".join(map(str, paths))
        refuse(
            f"There is no kubeconfig at {names}. Name an existing file, or set KUBECONFIG.", cls=KubernetesConfigMissing
        )
    return merge([_absolute(parse(path.read_text(encoding="utf-8"), str(path)), path.parent) for path in there])


def parse(text: str, where: str) -> dict[str, Any]:
    """Read the text of a kubeconfig, which is YAML or JSON.

    Args:
        text: The text.
        where: How to call it in an error.

    Raises:
        KubernetesConfigInvalid: If it is not a mapping.
    """
    import yaml

    try:
        config: Any = yaml.safe_load(text)
    except yaml.MarkedYAMLError as exc:
        at = f", line {exc.problem_mark.line + 1}" if exc.problem_mark else ""
        refuse(f"{where} is not YAML: {exc.problem}{at}.")  # not `from exc`: it quotes the text, tokens included
    except (yaml.YAMLError, ValueError, TypeError, RecursionError):  # such as a date that there is not
        refuse(f"{where} is not YAML.")
    if not isinstance(config, dict):
        refuse(f"{where} is not a kubeconfig: it has no clusters, contexts and users.")
    return cast("dict[str, Any]", config)


def merge(configs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Make one kubeconfig of several, the first being the most important.

    Args:
        configs: Contents of kubeconfig files.
    """
    merged: dict[str, Any] = {}
    for config in configs:
        for key, value in config.items():
            if key not in _LISTS:
                if merged.get(key) in (None, "", {}):
                    merged[key] = value
                continue
            entries: list[dict[str, Any]] = merged.setdefault(key, [])
            names = {entry.get("name") for entry in entries}
            entries += [entry for entry in _entries(config, key) if entry.get("name") not in names]
    return merged


def context_names(config: Mapping[str, Any]) -> list[str]:
    """List the names of the contexts.

    Args:
        config: Content of a kubeconfig.
    """
    return [str(context.get("name")) for context in _entries(config, "contexts")]


def choose_context(config: Mapping[str, Any], context_name: str | None, where: str) -> str:
    """Say which context counts: the one that is named, else the current one.

    Args:
        config: Content of a kubeconfig.
        context_name: The wanted one; `None` for the current one.
        where: How to call the kubeconfig in an error.

    Raises:
        KubernetesConfigInvalid: If it is not there; the message names those that are.
    """
    names = context_names(config)
    there = f"There are: {', '.join(names)}." if names else "It has no contexts at all."
    if context_name is None:
        current = config.get("current-context")
        if not current:
            refuse(f"{where} has no current-context, and no context_name was given. {there}")
        if current not in names:
            refuse(f"{where}: its current-context {current!r} is not among its contexts. {there}")
        return str(current)
    if context_name not in names:
        refuse(f"{where} has no context {context_name!r}. {there}")
    return context_name


def check(config: Mapping[str, Any], context_name: str, where: str) -> None:
    """See that a context names a cluster with a server, and a user that is there.

    Args:
        config: Content of a kubeconfig.
        context_name: One of its contexts.
        where: How to call the kubeconfig in an error.

    Raises:
        KubernetesConfigInvalid: If not; the message names the entry.
    """
    context = _entry(config, "contexts", context_name, "context") or {}
    cluster_name, user_name = context.get("cluster"), context.get("user")
    cluster = _entry(config, "clusters", cluster_name, "cluster")
    if cluster is None:
        refuse(f"{where}: context {context_name!r} names cluster {cluster_name!r}, which is not among the clusters.")
    server = cluster.get("server")
    if not isinstance(server, str) or not server.startswith(("https://", "http://")):
        refuse(f"{where}: server of cluster {cluster_name!r} must be a URL like https://host:6443.")
    if user_name and _entry(config, "users", user_name, "user") is None:
        refuse(f"{where}: context {context_name!r} names user {user_name!r}, which is not among the users.")


def user_of(config: Mapping[str, Any], context_name: str) -> dict[str, Any]:
    """Get what a context's user authenticates with.

    Args:
        config: Content of a kubeconfig.
        context_name: One of its contexts.
    """
    return _of_context(config, context_name, "user")


def cluster_of(config: Mapping[str, Any], context_name: str) -> dict[str, Any]:
    """Get where a context's cluster is.

    Args:
        config: Content of a kubeconfig.
        context_name: One of its contexts.
    """
    return _of_context(config, context_name, "cluster")


def _of_context(config: Mapping[str, Any], context_name: str, kind: Literal["cluster", "user"]) -> dict[str, Any]:
    context = _entry(config, "contexts", context_name, "context") or {}
    return _entry(config, f"{kind}s", context.get(kind), kind) or {}


def refuse(message: str, *, cls: type[KubernetesConfigInvalid] = KubernetesConfigInvalid) -> NoReturn:
    """Raise an error about a kubeconfig that is the SDK's `ConfigException`, too.

    Args:
        message: The thing, what is wrong, the remedy.
        cls: Our class.
    """
    from kubernetes_asyncio.config.config_exception import ConfigException

    raise combined(cls, ConfigException)(message, subject="kubeconfig") from None


def _entries(config: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    entries: Any = config.get(key) or []
    if not isinstance(entries, list):
        return []
    return [cast("dict[str, Any]", entry) for entry in cast("list[Any]", entries) if isinstance(entry, dict)]


def _entry(config: Mapping[str, Any], key: str, name: Any, inner: str) -> dict[str, Any] | None:
    for entry in _entries(config, key):
        if entry.get("name") == name:
            return _inner(entry, inner)
    return None


def _inner(entry: dict[str, Any], inner: str) -> dict[str, Any]:
    found: Any = entry.get(inner)
    return cast("dict[str, Any]", found) if isinstance(found, dict) else {}


def _absolute(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Make the paths in a kubeconfig file absolute: they start at the file's folder, wherever it is loaded."""
    for key, (inner, names) in _FILES.items():
        for entry in _entries(config, key):
            found = _inner(entry, inner)
            for name in names:
                if found.get(name):
                    found[name] = str(folder.absolute() / found[name])
    return config
