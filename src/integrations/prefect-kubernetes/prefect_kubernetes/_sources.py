"""Where the address of a cluster and our credentials for it come from, and when they must be read again."""

from __future__ import annotations

import asyncio
import copy
import errno
import hashlib
import inspect
import json
import os
import shutil
import sys
import threading
import time
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast
from weakref import WeakValueDictionary

from prefect_integration_kit.replaced import is_replaced

from . import _kubeconfig
from .errors import KubernetesConfigMissing, kube_errors

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

    from .credentials import KubernetesClusterConfig

# client-go reads token files again once a minute, in a pod as elsewhere:
# https://github.com/kubernetes/client-go/blob/master/transport/token_source.go
_FILE_SECONDS = 60.0
_EXEC_TIMEOUT_SECONDS = 60.0
_SKEW_SECONDS = 300.0
_TURN_SECONDS = 0.01
_MAX_LOADED = 32
_POD_ADDRESS = ("KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT")
_IN_POD = "in-pod"


@dataclass(frozen=True, eq=False)
class Loaded:
    """A configuration for the SDK, as it was at one moment.

    Attributes:
        configuration: Address, certificates and token. It is shared: copy before changing it.
        context: What it was made from; the SDK writes tokens that it renewed into it.
        renew_at: When to read it again, on the clock of `time.monotonic`; `None` for only when it is refused.
    """

    configuration: Configuration
    context: dict[str, Any] = field(repr=False)
    renew_at: float | None = None

    @property
    def is_due(self) -> bool:
        """Whether it is time to read it again."""
        return self.renew_at is not None and time.monotonic() >= self.renew_at


class Source(ABC):
    """A place that configuration is read from, again and again."""

    label: str = ""

    @abstractmethod
    def read(self) -> tuple[dict[str, Any], str]:
        """Read the kubeconfig, and say which of its contexts counts."""


class BlockSource(Source):
    """The kubeconfig in a `KubernetesClusterConfig` block."""

    def __init__(self, block: KubernetesClusterConfig) -> None:
        self._block = block
        self.label = f"context {block.context_name!r} of the KubernetesClusterConfig block"

    def read(self) -> tuple[dict[str, Any], str]:
        """Take the block's content."""
        where = "The config of the KubernetesClusterConfig block"
        name = _kubeconfig.choose_context(self._block.config, self._block.context_name, where)
        _kubeconfig.check(self._block.config, name, where)
        return self._block.config, name


class FileSource(Source):
    """The kubeconfig files that kubectl would read."""

    def __init__(self, paths: list[Path]) -> None:
        self._paths = paths
        self.label = f"kubeconfig {os.pathsep.join(map(str, paths))}"

    def read(self) -> tuple[dict[str, Any], str]:
        """Read the files."""
        where = f"The {self.label}"
        config = _kubeconfig.read(self._paths)
        name = _kubeconfig.choose_context(config, None, where)
        _kubeconfig.check(config, name, where)
        return config, name


class PodSource(Source):
    """The service account of the pod that this process runs in."""

    label = "the pod's service account"

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._address = [environ[name] for name in _POD_ADDRESS]

    def read(self) -> tuple[dict[str, Any], str]:
        """There is no kubeconfig; what stands for it says which cluster this is."""
        return {_IN_POD: [*self._address, str(_token_file())]}, ""


def find(cluster_config: KubernetesClusterConfig | None, environ: Mapping[str, str] | None = None) -> Source:
    """Find where to read: the block, else the pod's service account, else kubectl's files.

    Args:
        cluster_config: The block, if there is one.
        environ: Environment variables; the process's own by default.

    Raises:
        KubernetesConfigMissing: If there is none of the three.
    """
    if cluster_config is not None:
        return BlockSource(cluster_config)
    environ = os.environ if environ is None else environ
    has_address = all(environ.get(name) for name in _POD_ADDRESS)
    if has_address and _token_file().is_file():
        return PodSource(environ)
    paths = _kubeconfig.default_paths(environ)
    if not any(path.is_file() for path in paths):
        here = (
            "this pod has no service account token (is automountServiceAccountToken off?)"
            if has_address
            else "this process does not run in a pod"
        )
        _kubeconfig.refuse(
            f"No way to reach a Kubernetes cluster: no cluster_config block was given, {here}, and there is no "
            f"kubeconfig at {', '.join(map(str, paths))}. Give the block a KubernetesClusterConfig, or set KUBECONFIG.",
            cls=KubernetesConfigMissing,
        )
    return FileSource(paths)


async def load_as_replaced() -> bool:
    """Look for a cluster by what a test has put in the place of the SDK's functions for it.

    Returns:
        Whether it has put something there: the SDK's default configuration is then what came of it.
    """
    sdk: Any = sys.modules.get("kubernetes_asyncio.config")
    names = (("load_incluster_config", "incluster_config"), ("load_kube_config", "kube_config"))
    if not any(is_replaced(sdk, name, f"kubernetes_asyncio.config.{module}") for name, module in names):
        return False
    from kubernetes_asyncio.config.config_exception import ConfigException

    try:
        sdk.load_incluster_config()
    except ConfigException:
        loading: Any = sdk.load_kube_config()
        if inspect.isawaitable(loading):
            await loading
    return True


def _token_file() -> Path:
    from kubernetes_asyncio.config import incluster_config

    return Path(incluster_config.SERVICE_TOKEN_FILENAME)


class _Turn:
    """Taken by whoever reads one source, on whichever event loop and thread."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


_loaded: OrderedDict[str, Loaded] = OrderedDict()
_loaded_lock = threading.Lock()
_turns: WeakValueDictionary[str, _Turn] = WeakValueDictionary()
_files_lock = threading.Lock()


async def load(source: Source, *, refused: Loaded | None = None) -> Loaded:
    """Read a source, once for all who ask at the same time, and not again before it is due or was refused.

    Args:
        source: Where to read.
        refused: What the cluster did not accept; something newer is wanted.

    Raises:
        KubernetesConfigInvalid: If it does not say how to reach a cluster, or its exec plugin fails.
    """
    config, context_name = source.read()
    key = _fingerprint(config, context_name)
    async with _flight(key):
        with _loaded_lock:
            have = _loaded.get(key)
        if have is not None and have is not refused and not have.is_due:
            return have
        with kube_errors(f"Credentials from {source.label}"):
            loaded = await _load(have.context if have else copy.deepcopy(config), context_name)
        with _loaded_lock:
            _loaded[key] = loaded
            _loaded.move_to_end(key)
            while len(_loaded) > _MAX_LOADED:
                _loaded.popitem(last=False)
        return loaded


@asynccontextmanager
async def _flight(key: str) -> AsyncGenerator[None, None]:
    with _loaded_lock:
        turn = _turns.get(key) or _Turn()
        _turns[key] = turn
    while not turn.lock.acquire(blocking=False):  # noqa: ASYNC110 - another thread may have it: no event reaches us
        await asyncio.sleep(_TURN_SECONDS)
    try:
        yield
    finally:
        turn.lock.release()


def _fingerprint(config: dict[str, Any], context_name: str) -> str:
    text = json.dumps([config, context_name], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


async def _load(config: dict[str, Any], context_name: str) -> Loaded:
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.config import incluster_config, kube_config

    configuration = Configuration()
    started = time.monotonic()
    if _IN_POD in config:
        cast("Any", incluster_config).load_incluster_config(client_configuration=configuration, try_refresh_token=False)
        return Loaded(_trimmed(configuration), config, started + _FILE_SECONDS)
    user = _kubeconfig.user_of(config, context_name)
    _write_files(_kubeconfig.cluster_of(config, context_name), user)
    plugin: dict[str, Any] = user.get("exec") or {}
    try:
        loading = cast("Any", kube_config).load_kube_config_from_dict(
            config, context=context_name, client_configuration=configuration
        )
        loader = await asyncio.wait_for(loading, _EXEC_TIMEOUT_SECONDS)
    except asyncio.TimeoutError:
        asked = f"exec plugin {plugin['command']!r}" if plugin else "authentication provider"
        _kubeconfig.refuse(
            f"The {asked} of context {context_name!r} did not answer within {_EXEC_TIMEOUT_SECONDS:g} seconds. "
            "Run it by hand to see what it waits for."
        )
    except FileNotFoundError as exc:
        if not plugin:
            raise
        _refuse_missing(plugin, context_name, exc)
    given: Any = configuration
    if plugin and not (given.api_key or given.cert_file):
        _refuse_silent(plugin, context_name)
    renew_at = _renew_at(user, getattr(loader, "exec_plugin_expiry", None), started)
    return Loaded(_trimmed(configuration), config, renew_at)


def _refuse_missing(plugin: dict[str, Any], context_name: str, exc: OSError) -> NoReturn:
    hint = plugin.get("installHint") or "Install it, or correct `command` in the kubeconfig."
    asked = f"exec plugin {plugin.get('command')!r}"
    _kubeconfig.refuse(f"The {asked} of context {context_name!r} is not there: {exc.strerror}. {hint}")


def _refuse_silent(plugin: dict[str, Any], context_name: str) -> NoReturn:
    """Refuse a plugin without an answer. Older versions of the SDK log why, and go on without credentials."""
    command = str(plugin.get("command"))
    if shutil.which(command) is None:
        _refuse_missing(plugin, context_name, FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), command))
    _kubeconfig.refuse(
        f"The exec plugin {command!r} of context {context_name!r} gave no credentials. Run it by hand to see why."
    )


def _write_files(cluster: dict[str, Any], user: dict[str, Any]) -> None:
    """Have the SDK write what is embedded in a kubeconfig to its files, one thread at a time.

    It keeps a file for each content, and tells its name before it has written it: another thread read an empty one.
    """
    from kubernetes_asyncio.config.kube_config import FileOrData

    embedded = ((cluster, "certificate-authority"), (user, "client-certificate"), (user, "client-key"))
    with _files_lock:
        for holder, name in embedded:
            if holder.get(f"{name}-data"):
                try:
                    cast("Any", FileOrData)(holder, name).as_file()
                except ValueError:  # its message may quote a key
                    _kubeconfig.refuse(f"The kubeconfig's {name}-data is not base64. Copy it whole.")


def _trimmed(configuration: Configuration) -> Configuration:
    """Take the newline off a token that was read from a file; a header cannot hold it."""
    keys: dict[str, str] = cast("Any", configuration).api_key
    keys.update({name: value.strip() for name, value in keys.items()})
    return configuration


def _renew_at(user: dict[str, Any], expiry: datetime | None, started: float) -> float | None:
    """Say when to read credentials again: a little before they expire, and files every minute."""
    if expiry is not None:
        left = (expiry - datetime.now(timezone.utc)).total_seconds()
        return started + max(0.0, left - min(_SKEW_SECONDS, left / 5))
    if "tokenFile" in user or "auth-provider" in user:
        return started + _FILE_SECONDS
    return None
