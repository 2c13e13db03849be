"""Engines that move files between disk and one bucket: boto3's, and the choice of the native one."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from prefect_aws.errors import AwsConnectionFailed, AwsError, AwsObjectNotFound, aws_errors
from prefect_integration_kit import native
from prefect_integration_kit.transfer import Download, Engine, TransferStopped, Upload, copy_stream
from prefect_integration_kit.waiting import Backoff, retry

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

T = TypeVar("T")

MULTIPART_BYTES = 8 * 1024 * 1024
"""From this size on an object moves in parts: the default threshold of boto3's TransferConfig."""

CHUNK_BYTES = 1024 * 1024

READ_BACKOFF = Backoff(initial_seconds=0.2, maximum_seconds=5, deadline_seconds=60, max_attempts=5)
"""How often a body that breaks off is read again."""

_TRANSFER_OPTIONS = {"ExtraArgs", "Callback", "Config"}


@dataclass(frozen=True)
class TransferOptions:
    """What a caller may ask of boto3's transfer methods, beyond what to move."""

    extra_args: Mapping[str, Any] = field(default_factory=dict[str, Any])
    callback: Callable[[int], None] | None = None
    config: Any = None

    @property
    def only_sdk(self) -> bool:
        """Whether something is asked for that only boto3 can do."""
        return bool(self.extra_args or self.callback or self.config)

    @property
    def keywords(self) -> dict[str, Any]:
        """What is asked for, as keywords of `Client.upload_file` and its like."""
        asked = {"ExtraArgs": dict(self.extra_args), "Callback": self.callback, "Config": self.config}
        return {name: value for name, value in asked.items() if value}

    @classmethod
    def parse(cls, options: Mapping[str, Any], **extra_args: Any) -> TransferOptions:
        """Read the keywords of `Client.upload_file` and its like.

        Args:
            options: `ExtraArgs`, `Callback`, `Config`.
            **extra_args: Further members of `ExtraArgs`; those that are `None` are left out.

        Raises:
            TypeError: If another keyword is given.
        """
        unknown = sorted(set(options) - _TRANSFER_OPTIONS)
        if unknown:
            raise TypeError(
                f"Unknown transfer option {', '.join(unknown)}. boto3 takes ExtraArgs, Callback and Config; "
                "put parameters of the request, such as ContentType, into ExtraArgs."
            )
        named = {name: value for name, value in extra_args.items() if value is not None}
        return cls({**(options.get("ExtraArgs") or {}), **named}, options.get("Callback"), options.get("Config"))


class BrokenBody(Exception):
    """The body of a response broke off. botocore itself retries only up to the response's headers."""


@contextmanager
def reading_body() -> Generator[None, None, None]:
    """Raise a connection that breaks while a body is read as `BrokenBody`, so that it can be read again."""
    try:
        yield
    except Exception as exc:
        if _is_connection_error(exc):
            raise BrokenBody(str(exc)) from exc
        raise


def read_again(attempt: Callable[[], T]) -> T:
    """Call until no body breaks off, or the tries are used up."""
    return retry(attempt, is_transient=lambda error: isinstance(error, BrokenBody), backoff=READ_BACKOFF)


@contextmanager
def object_errors(subject: str) -> Generator[None, None, None]:
    """Raise failures of boto3, of its transfer manager and of connections as this package's errors.

    Args:
        subject: URL of the object.
    """
    try:
        with aws_errors(subject, not_found=AwsObjectNotFound):
            yield
    except AwsError:
        raise
    except Exception as exc:
        from s3transfer.exceptions import CancelledError, RetriesExceededError

        if isinstance(exc, CancelledError):
            raise TransferStopped(f"The transfer of {subject} was stopped.") from exc
        cause = cast("Exception", exc.last_exception) if isinstance(exc, RetriesExceededError) else exc
        if isinstance(cause, BrokenBody) or _is_connection_error(cause):
            raise AwsConnectionFailed(
                f"{subject}: the connection broke while the object was on its way, and again in further tries "
                f"({cause}). {AwsConnectionFailed.remedy}",
                subject=subject,
                code=type(cause).__name__,
            ) from exc
        raise


def _is_connection_error(error: BaseException) -> bool:
    from botocore.exceptions import HTTPClientError, IncompleteReadError
    from urllib3.exceptions import HTTPError

    return isinstance(error, HTTPClientError | IncompleteReadError | HTTPError | ConnectionError | TimeoutError)


class SdkEngine:
    """Moves files by boto3.

    Small objects go in a single request of the client, which costs a third less processor time than the transfer
    manager. All large ones share one manager, so that threads and memory do not grow with their number.
    """

    def __init__(self, client: Any, bucket: str, options: TransferOptions | None = None) -> None:
        """Prepare the engine.

        Args:
            client: A boto3 S3 client.
            bucket: Name of the bucket.
            options: What the caller asked of boto3.
        """
        self._client = client
        self._bucket = bucket
        self._options = options or TransferOptions()
        self._is_sdk = is_sdk_client(client)
        self._lock = threading.Lock()
        self._manager: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._manager is not None:
            self._manager.shutdown(cancel=kind is not None)

    @property
    def _plain(self) -> bool:
        return self._options.callback is None and self._options.config is None

    def upload(self, item: Upload, stop: threading.Event) -> None:
        """Store the file under its key."""
        with object_errors(f"s3://{self._bucket}/{item.key}"):
            if not self._is_sdk:
                _check(stop)
                place = {"Bucket": self._bucket, "Key": item.key}
                self._client.upload_file(Filename=str(item.source), **place, **self._options.keywords)
                return
            if self._plain and item.size_bytes < MULTIPART_BYTES:
                _check(stop)
                with item.source.open("rb") as body:
                    self._client.put_object(Bucket=self._bucket, Key=item.key, Body=body, **self._options.extra_args)
                return
            self._wait(partial(self._transfers().upload, str(item.source), self._bucket, item.key), stop)

    def download(self, item: Download, part: Path, stop: threading.Event) -> None:
        """Write the object to `part`."""
        with object_errors(f"s3://{self._bucket}/{item.key}"):
            if not self._is_sdk:
                _check(stop)
                place = {"Bucket": self._bucket, "Key": item.key}
                self._client.download_file(**place, Filename=str(part), **self._options.keywords)
                return
            if self._plain and item.size_bytes < MULTIPART_BYTES:
                read_again(lambda: self._read_small(item.key, part, stop))
                return
            self._wait(partial(self._transfers().download, self._bucket, item.key, str(part)), stop)

    def _read_small(self, key: str, part: Path, stop: threading.Event) -> None:
        _check(stop)
        response = self._client.get_object(Bucket=self._bucket, Key=key, **self._options.extra_args)
        with closing(response["Body"]) as body, part.open("wb") as file, reading_body():
            copy_stream(body.iter_chunks(CHUNK_BYTES), file, stop)

    def _transfers(self) -> Any:
        with self._lock:
            if self._manager is None:
                from boto3.s3 import transfer

                sdk: Any = transfer  # untyped
                self._manager = sdk.create_transfer_manager(self._client, self._options.config or sdk.TransferConfig())
            return self._manager

    def _wait(self, submit: Callable[..., Any], stop: threading.Event) -> None:
        """Run one transfer of the manager to its end, or cancel it when `stop` is set."""
        from boto3.s3.transfer import ProgressCallbackInvoker
        from s3transfer.subscribers import BaseSubscriber

        finished = threading.Event()

        class Done(BaseSubscriber):
            def on_done(self, future: Any, **kwargs: Any) -> None:
                finished.set()

        subscribers: list[Any] = [Done()]
        if self._options.callback is not None:
            subscribers.append(ProgressCallbackInvoker(self._options.callback))
        _check(stop)
        future = submit(extra_args=dict(self._options.extra_args), subscribers=subscribers)
        while not finished.wait(0.1):
            if stop.is_set():
                future.cancel()
                finished.wait()
                _check(stop)
        future.result()


def _check(stop: threading.Event) -> None:
    if stop.is_set():
        raise TransferStopped("The transfer was stopped.")


def is_sdk_client(client: Any) -> bool:
    """Say whether a client is one of boto3, and not what stands in for it in a test of a user.

    What stands in has the methods that this package documents: `upload_file`, `download_file`, `upload_fileobj` and
    `download_fileobj`, each with its arguments as keywords.
    """
    from botocore.client import BaseClient

    return issubclass(type(client), BaseClient)  # a mock with a spec says that it is an instance


def has_foreign_hooks(client: Any) -> bool:
    """Say whether someone other than the SDK listens to a client's events or stands in for it.

    In-process mocks (moto, `botocore.stub.Stubber`, a patched `_make_api_call`) and users' own event handlers would
    not see what another engine sends. The emitter's handlers are private to botocore; where they cannot be read, the
    answer is yes, which only costs speed.
    """
    from botocore.client import BaseClient

    if not is_sdk_client(client):
        return True
    if getattr(getattr(BaseClient, "_make_api_call", None), "__qualname__", "") != "BaseClient._make_api_call":
        return True
    sdk_client: Any = client
    try:
        nodes: list[Any] = [sdk_client.meta.events._emitter._handlers._root]  # noqa: SLF001
        while nodes:
            node = nodes.pop()
            nodes.extend(node["children"].values())
            groups: list[list[Any]] = list(node["values"] or ())
            if any(_is_foreign(handler) for group in groups for handler in group):
                return True
    except (AttributeError, KeyError, TypeError):
        return True
    return False


def _is_foreign(handler: Any) -> bool:
    while isinstance(handler, partial):
        handler = handler.func
    if getattr(handler, "enabled", True) is False:
        return False  # moto's, which stays in every client after its import; it says whether it listens
    owner = getattr(handler, "__self__", None)
    module = type(owner).__module__ if owner is not None else getattr(handler, "__module__", "") or ""
    return module.split(".")[0] not in ("botocore", "boto3", "s3transfer") or module == "botocore.stub"


@contextmanager
def open_engine(
    client: Any, bucket: str, options: TransferOptions, *, native_transfer: bool
) -> Generator[Engine, None, None]:
    """Take the native engine when it is installed, allowed, and can do all that is asked; boto3 otherwise.

    Args:
        client: The boto3 client; address, region and credentials of the native engine come from it.
        bucket: Name of the bucket.
        options: What the caller asked of boto3.
        native_transfer: The setting that allows the native engine.
    """
    with SdkEngine(client, bucket, options) as sdk:
        asks_for_sdk = options.only_sdk or not native_transfer or not native.is_available()
        store = None if asks_for_sdk or has_foreign_hooks(client) else _native_store(client, bucket)
        if store is None:
            yield sdk
            return
        with native.NativeEngine(store, sdk) as engine:
            yield engine


_SDK_ONLY_CONFIG = (
    # Choices of a client's configuration that the native engine would not honour: names of botocore's Config.
    "client_cert",
    "client_context_params",
    "proxies",
    "proxies_config",
    "sigv4a_signing_region_set",
    "use_dualstack_endpoint",
    "use_fips_endpoint",
)


_AWS_ENDPOINT = re.compile(r"https://s3(\.[a-z0-9-]+)?\.amazonaws\.com(\.cn)?/?")


def _native_store(client: Any, bucket: str) -> Any | None:
    """Open the bucket by obstore as `client` would, or return `None` where that cannot be told for sure."""
    config, endpoint = client.meta.config, str(client.meta.endpoint_url)
    is_aws = _AWS_ENDPOINT.fullmatch(endpoint) is not None
    s3_options: dict[str, Any] = config.s3 or {}
    style: str = s3_options.get("addressing_style", "auto")
    virtual = style == "virtual" or (style == "auto" and is_aws and "." not in bucket)
    try:
        verify: Any = client._endpoint.http_session._verify  # noqa: SLF001
        signer: Any = client._request_signer  # noqa: SLF001
        credentials: Any = signer._credentials  # noqa: SLF001
    except AttributeError:
        return None  # another botocore; its client remains
    understood = (
        (verify is True or endpoint.startswith("http://"))  # otherwise a private CA, or none
        and credentials is not None
        and config.signature_version in (None, "s3v4")
        and not any(getattr(config, name, None) for name in _SDK_ONLY_CONFIG)
        and set(s3_options) <= {"addressing_style"}
        and (is_aws or not endpoint.endswith(".amazonaws.com"))  # dual-stack, FIPS, accelerate, PrivateLink
        and (is_aws or not virtual)
        and ":" not in bucket  # access points
        and not bucket.endswith("--x-s3")  # S3 Express
    )
    if not understood:
        return None

    from botocore.credentials import RefreshableCredentials
    from obstore.store import S3Store

    renewable = isinstance(credentials, RefreshableCredentials)

    def current_credentials() -> dict[str, Any]:
        frozen = cast("Any", credentials).get_frozen_credentials()  # renews when due, once under concurrency
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            # When they end is private to botocore; asking again each minute is cheap and always in time.
            "expires_at": datetime.now(timezone.utc) + timedelta(minutes=1) if renewable else None,
        }

    settings: dict[str, Any] = {"region": client.meta.region_name, "virtual_hosted_style_request": virtual}
    if not is_aws:
        settings["endpoint"] = endpoint
    return S3Store(
        bucket,
        config=cast("Any", settings),
        client_options={"allow_http": endpoint.startswith("http://"), "timeout": "60s"},
        retry_config=cast("Any", native.RETRY_CONFIG),
        credential_provider=cast("Any", current_credentials),
    )
