"""Bundles in an object store: pickled flows on their way to the infrastructure that runs them.

Where a flow is submitted, Prefect writes the bundle to a file, gives it a random UUID as key, and calls the upload
command of an integration. The infrastructure calls the execute command with the same key. Files that the flow brings
along travel in an archive of their own, whose key stands in the bundle.

A bundle is unpickled, which means that it is run, so it is compared with the digest that was stored beside it first.
The digest reveals what was damaged, cut short or overwritten by accident. It cannot stop someone who may write to the
store, since they can write another digest too.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Protocol, cast

from prefect.logging import get_logger

from prefect_integration_kit._archives import BundleRefused, names_content, unpack
from prefect_integration_kit._requirements import unmet
from prefect_integration_kit.files import complete_or_absent
from prefect_integration_kit.paths import PathEscapes, local_target

if TYPE_CHECKING:
    from prefect_integration_kit.sdk_errors import TranslatedError

__all__ = [
    "DIGEST",
    "PYTHON",
    "BundleFileNotFound",
    "BundleRefused",
    "BundleStore",
    "bundle_key",
    "download_bundle",
    "execute_stored_bundle",
    "refused_as",
    "sha256_of",
    "upload_bundle",
]

# Lower-case letters and digits: names of metadata that S3, Cloud Storage and Azure Blob all take.
DIGEST = "prefectsha256"
"""Metadata: SHA-256 of the object, in hexadecimal."""

PYTHON = "prefectpython"
"""Metadata: version of the Python that uploaded it, such as `3.12`."""

_FILES_KEY = re.compile(r"files/([0-9a-f]{64})\.zip")
_SEPARATORS = re.compile(r"[/\\]")

logger = get_logger(__name__)


class BundleFileNotFound(FileNotFoundError, ValueError):
    """The file to upload does not exist."""


class BundleStore(Protocol):
    """One bucket or container."""

    def url(self, key: str) -> str:
        """Name an object in messages."""
        ...

    def put(self, source: Path, key: str, metadata: Mapping[str, str]) -> None:
        """Store a file and, with it, metadata whose names are lower-case letters and digits."""
        ...

    def get(self, key: str, target: Path) -> Mapping[str, str]:
        """Write an object to a file and return its metadata."""
        ...


def bundle_key(key: str) -> str:
    r"""Write a key without empty and `.` parts, a leading `/` included.

    Raises:
        ValueError: If nothing is left, or a part is `..` (behind `/` or `\`) or has a control character in it.
    """
    parts = [part for part in key.split("/") if part not in ("", ".")]
    if not parts:
        raise ValueError(f"Bundle key {key!r} names no object. Give a key such as flows/nightly.")
    if ".." in _SEPARATORS.split(key) or any(character < " " or character == "\x7f" for character in key):
        raise ValueError(f"Bundle key {key!r} has '..' or a control character in it. Give a plain key.")
    return "/".join(parts)


def upload_bundle(store: BundleStore, source: str | Path, key: str | None = None) -> str:
    """Store a bundle, or the archive of its files, with its digest. Doing it twice changes nothing.

    Args:
        store: Where to.
        source: The file.
        key: Key of the object; the name of the file by default.

    Returns:
        The key, as `bundle_key` writes it.

    Raises:
        BundleFileNotFound: If there is no such file. It is a `FileNotFoundError` and a `ValueError`.
        ValueError: If the key is not a plain one.
    """
    path = Path(source)
    key = bundle_key(key or path.name)
    if not path.is_file():
        raise BundleFileNotFound(f"Bundle file {str(source)!r} does not exist or is no file. Check the path.")
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    store.put(path, key, {DIGEST: sha256_of(path), PYTHON: python})
    return key


def download_bundle(store: BundleStore, key: str, folder: Path) -> Path:
    """Bring a bundle to disk and compare it with its digest.

    Args:
        store: Where from.
        key: Key of the object.
        folder: The folder that it is written to, under its key.

    Returns:
        The file, which only its owner may read.

    Raises:
        BundleRefused: If the content is not what was uploaded; nothing is left on disk.
        ValueError: If the key is not a plain one.
    """
    return _download(store, bundle_key(key), folder)[0]


def execute_stored_bundle(store: BundleStore, key: str, *, delete: Callable[[str], object] | None = None) -> None:
    """Run the flow of a bundle as Prefect does, in a process of its own, and wait for its end.

    Files that belong to the bundle are unpacked into the working directory first. Packages that the flow was pickled
    with are installed by `uv` when one of them is not here; otherwise neither `uv` nor a package index is needed. What
    was downloaded is gone before the flow starts. The state of the flow run says how the flow ended; a run that has
    ended already is not run again, so it does no harm when infrastructure is started twice.

    Args:
        store: Where the bundle is.
        key: Key of the bundle.
        delete: Given the key, deletes the bundle. It is called once the flow run has ended, and its errors are logged.
            A bundle that is deleted cannot be run again, by a retry in the UI either. Files beside it stay, since
            bundles with the same files share one archive.

    Raises:
        BundleRefused: If the bundle or its files are not what was uploaded, are none, or are not safe to unpack;
            nothing was unpickled.
        ValueError: If the key is not a plain one.
    """
    from prefect.bundles.execute import execute_bundle
    from prefect.utilities.asyncutils import run_coro_as_sync

    with TemporaryDirectory(prefix="prefect-bundle-") as name:  # for its owner only
        folder = Path(name)
        path, metadata = _download(store, bundle_key(key), folder)
        bundle = _parse(path, store.url(key))
        _compare_python(metadata.get(PYTHON), store.url(key))
        if (state := _final_state(bundle)) is not None:
            logger.info("Flow run '%s' is %s already and is not run again.", bundle["flow_run"].get("name"), state)
            _delete_if_ended(bundle, delete, bundle_key(key), store)
            return
        if files_key := bundle.get("files_key"):
            _fetch_files(store, bundle_key(files_key), folder)
    _spare_installation(bundle)
    run_coro_as_sync(execute_bundle(bundle))
    _delete_if_ended(bundle, delete, bundle_key(key), store)


@contextmanager
def refused_as(error: type[TranslatedError], url: str) -> Generator[None, None, None]:
    """Raise what is refused as a package's own error.

    Args:
        error: Its class.
        url: URL of the bundle, which is the error's subject.

    Raises:
        TranslatedError: If the content is refused; it is of the class given.
    """
    try:
        yield
    except BundleRefused as exc:
        raise error(str(exc), subject=url) from exc


def _fetch_files(store: BundleStore, key: str, folder: Path) -> None:
    subject = store.url(key)
    archive, metadata = _download(store, key, folder)
    named = _FILES_KEY.fullmatch(key)
    if DIGEST not in metadata and named is not None and not names_content(archive, named[1], subject):
        raise BundleRefused(f"{subject} does not hold the files that its key names. Submit the flow run again.")
    count = unpack(archive, Path.cwd(), subject)
    logger.info("Unpacked %d files of %s.", count, subject)


def _download(store: BundleStore, key: str, folder: Path) -> tuple[Path, Mapping[str, str]]:
    try:
        target = local_target(folder, key)
    except PathEscapes as exc:  # a link, or a name that Windows cannot have
        raise ValueError(str(exc)) from exc
    with complete_or_absent(target) as part:
        part.touch(mode=0o600)
        metadata = store.get(key, part)
        expected = metadata.get(DIGEST)
        if expected is None:
            logger.info("%s has no digest of ours to compare it with.", store.url(key))
        elif (found := sha256_of(part)) != expected:
            raise BundleRefused(
                f"{store.url(key)} is not what was uploaded: its SHA-256 is {found}, and {expected} was stored with "
                "it. Nothing of it was run. Submit the flow run again; if this comes back, look at who writes to the "
                "store."
            )
    return target, metadata


def sha256_of(path: Path) -> str:
    """Compute what `DIGEST` is, of a file, in bounded memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1024 * 1024):
            digest.update(chunk)
    return digest.hexdigest()


def _parse(path: Path, url: str) -> dict[str, Any]:
    try:
        bundle = json.loads(path.read_bytes())
    except ValueError as exc:
        raise BundleRefused(f"{url} is not a bundle: it is not JSON ({exc}). Check the key.") from exc
    if not isinstance(bundle, dict) or not {"function", "context", "flow_run"} <= bundle.keys():
        raise BundleRefused(f"{url} is not a bundle: it has no function, context and flow_run. Check the key.")
    return cast("dict[str, Any]", bundle)


def _final_state(bundle: dict[str, Any]) -> str | None:
    """Return the name of the state that the run ended in. Prefect's own engine would run a Completed one again."""
    from prefect import get_client
    from prefect.client.schemas.objects import FlowRun

    flow_run = FlowRun.model_validate(bundle["flow_run"])
    with get_client(sync_client=True) as client:
        state = client.read_flow_run(flow_run.id).state
    return None if state is None or not state.is_final() else state.name or state.type.value


def _delete_if_ended(
    bundle: dict[str, Any], delete: Callable[[str], object] | None, key: str, store: BundleStore
) -> None:
    if delete is None:
        return
    try:
        if _final_state(bundle) is not None:
            delete(key)
    except Exception as exc:  # noqa: BLE001 - the flow has run; a bundle that stays is no reason to say it has not
        logger.warning("%s was not deleted: %s", store.url(key), exc)


def _compare_python(uploaded_by: str | None, url: str) -> None:
    """Warn of what ends in an obscure error: cloudpickle's bytecode fits one minor version of Python."""
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    if uploaded_by is not None and uploaded_by != here:
        logger.warning(
            "%s was uploaded by Python %s and is run by Python %s. What one minor version pickles, another often "
            "cannot load. Take an image with Python %s.",
            url,
            uploaded_by,
            here,
            uploaded_by,
        )


def _spare_installation(bundle: dict[str, Any]) -> None:
    """Keep Prefect from calling `uv`, which an image may not have, where there is nothing to install."""
    missing = unmet(bundle.get("dependencies") or "")
    if missing:
        logger.info("Packages that are not installed here, for uv to install: %s.", ", ".join(missing))
    else:
        bundle["dependencies"] = ""
