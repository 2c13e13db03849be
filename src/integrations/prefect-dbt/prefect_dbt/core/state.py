"""Artifacts of other dbt runs: fetch them to compare with (`state:modified`, `--defer`), and store those of a run.

A storage is any Prefect file system block, the slug of one, a folder or an address; see `fetch_state`. In it lie the
artifacts, in one folder or in one for each run, and `latest.json`, which is written last and says which files belong
together. A storage that another tool filled, without `latest.json`, is taken as it is.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.dispatch import async_dispatch, run_sync_in_worker_thread
from prefect_integration_kit.logs import run_logger
from prefect_integration_kit.waiting import SYSTEM_CLOCK, Clock, WaitTimeout, poll

from .._private_folders import private_folder
from ..errors import DbtManifestError, DbtStateError
from ._json_entries import iter_json_entries
from ._manifest import schema_version_of
from ._stores import Store, store_of

if TYPE_CHECKING:
    from ._stores import Storage

__all__ = ["DbtState", "aupload_artifacts", "check_manifest", "fetch_state", "upload_artifacts"]

MANIFEST = "manifest.json"
POINTER = "latest.json"

STATE_FILES = (MANIFEST, "run_results.json", "sources.json")
"""What dbt reads of a state: `state:` needs the manifest, `result:` the results, `source_status:` the sources; see
https://docs.getdbt.com/reference/node-selection/methods."""

ARTIFACTS = ("run_results.json", "sources.json", "catalog.json", "semantic_manifest.json", MANIFEST)
"""What is stored of a run, in this order: the manifest last, since its presence says that the rest is there."""

_SETTLE_SECONDS = 10.0
_LOOK_SECONDS = 1.0


@dataclass(frozen=True)
class DbtState:
    """An earlier run to compare with, and how to use it.

    Attributes:
        storage: Where its artifacts lie: a file system block, the slug of one such as `s3-bucket/prod`, or a folder.
        folder: Folder in the storage.
        defer: Whether references to models that do not exist in this target go to those of the earlier run.
        favor_state: Whether they go there even if the models exist here.

    Example:
        ```python
        from prefect import flow
        from prefect_dbt import PrefectDbtRunner
        from prefect_dbt.core.state import DbtState

        @flow
        def build_what_changed():
            state = DbtState("s3-bucket/prod-artifacts", "dbt", defer=True)
            PrefectDbtRunner(state=state).invoke(["build", "--select", "state:modified+"])
        ```
    """

    storage: Storage
    folder: str = ""
    defer: bool = False
    favor_state: bool = False

    @classmethod
    def of(cls, state: DbtState | Storage, *, defer: bool = False, favor_state: bool = False) -> DbtState:
        """Take a state, or a storage with the two options.

        Args:
            state: A state, whose own options hold beside those given here; or a storage.
            defer: See `DbtState`.
            favor_state: See `DbtState`.
        """
        if isinstance(state, DbtState):
            return cls(state.storage, state.folder, state.defer or defer, state.favor_state or favor_state)
        return cls(state, "", defer, favor_state)

    @contextlib.contextmanager
    def options(self) -> Generator[dict[str, Any]]:
        """Fetch the artifacts and give dbt's options for them, by name: `state`, `defer`, `favor_state`.

        The files lie in a private folder until the context ends.

        Raises:
            DbtStateError: If the artifacts are missing or of no use to the installed dbt.
        """
        with fetch_state(self.storage, self.folder) as folder:
            options: dict[str, Any] = {"state": str(folder)}
            if self.defer or self.favor_state:
                options["defer"] = True
            if self.favor_state:
                options["favor_state"] = True
            yield options


@contextlib.contextmanager
def fetch_state(storage: Storage, folder: str = "", *, clock: Clock = SYSTEM_CLOCK) -> Generator[Path]:
    """Fetch the artifacts of an earlier run into a private folder, for dbt's `--state`.

    Args:
        storage: A file system block such as `S3Bucket`, `GcsBucket`, `AzureBlobStorageContainer`, `LocalFileSystem` or
            `RemoteFileSystem`; the slug of a saved one, such as `s3-bucket/prod`; a folder of this machine; or an
            address that fsspec knows. Text is a folder if there is one of that name.
        folder: Folder in the storage.
        clock: For tests.

    Returns:
        A context manager that gives the folder and removes it at the end. `manifest.json` is in it, and
        `run_results.json` and `sources.json` where they exist.

    Raises:
        DbtManifestError: If the manifest is damaged or the installed dbt cannot read it.
        DbtStateError: If the storage has no manifest.
    """
    store, logger = store_of(storage), run_logger(__name__)
    where = f"{store.name}/{folder}" if folder.strip("/") else store.name
    with private_folder() as private:
        try:
            files = poll(
                lambda: _consistent(store, folder, where),
                subject=f"the artifacts in {where}",
                interval_seconds=_LOOK_SECONDS,
                timeout_seconds=_SETTLE_SECONDS,
                clock=clock,
            )
        except WaitTimeout:
            logger.warning(
                "The artifacts in %s are not those that its %s names, so only the manifest is used. An upload was cut "
                "short, or another tool wrote there.",
                where,
                POINTER,
            )
            within, _ = _pointer(store, folder) or ("", {})
            files = {MANIFEST: _read_manifest(store, _join(folder, within, MANIFEST), where)}
        state = private / "state"
        state.mkdir(mode=0o700)
        for name, content in files.items():
            (state / name).write_bytes(content)
        del files
        written_by = check_manifest(state / MANIFEST, where)
        installed = _installed_version()
        if written_by and installed and written_by != installed:
            logger.info(
                "The state in %s was written by dbt %s, and dbt %s compares with it: more than what was modified may "
                "count as modified.",
                where,
                written_by,
                installed,
            )
        yield state


def check_manifest(path: Path, where: str | None = None) -> str:
    """Check that a manifest is whole, and that the installed dbt can read it.

    Args:
        path: The file.
        where: What to call it in messages.

    Returns:
        The version of dbt that wrote it; empty if it does not say.

    Raises:
        DbtManifestError: If it is not whole, or of a version of the schema that the installed dbt does not know.
    """
    where = where or str(path)
    try:
        metadata = {key: value for section, key, value in iter_json_entries(path) if section == "metadata"}
    except (OSError, ValueError, RecursionError) as exc:
        raise DbtManifestError(
            f"The manifest in {where} is not whole: {exc}. Store the artifacts of a run that ended well anew."
        ) from exc
    schema, written_by = schema_version_of(metadata.get("dbt_schema_version")), metadata.get("dbt_version")
    if schema is None:
        raise DbtManifestError(
            f"The manifest in {where} is none of dbt's: its 'metadata' has no 'dbt_schema_version'. "
            "Give the folder that holds the artifacts of a dbt run."
        )
    oldest, newest = _readable_schemas()
    if newest is not None and not oldest <= schema <= newest:
        by = f"dbt {written_by}" if written_by else "another version of dbt"
        remedy = (
            f"Install dbt-core {_minor(written_by)} or later here, or make the state with the version that is installed"
            if schema > newest
            else "Make the state anew with the version that is installed"
        )
        raise DbtManifestError(
            f"The manifest in {where} was written by {by} (schema version {schema}), and dbt {_installed_version()} is "
            f"installed, which reads versions {oldest} to {newest}. {remedy}."
        )
    return str(written_by or "")


def _upload(
    target_path: Path | str,
    storage: DbtState | Storage,
    folder: str,
    per_run: bool,
    is_latest: bool,
    since: float | None,
) -> str:
    if not (per_run or is_latest):
        raise DbtStateError("is_latest=False replaces no files of another run. Give per_run=True with it.")
    if isinstance(storage, DbtState):
        storage, folder = storage.storage, _join(storage.folder, folder)
    store, target = store_of(storage), Path(target_path)
    found = {name: target / name for name in ARTIFACTS if _is_of_run(target / name, since)}
    manifest = target / MANIFEST
    if not manifest.is_file():
        raise DbtStateError(
            f"There is no manifest in {target}, so nothing is stored. Run a dbt command that writes one."
        )
    into = _join(folder, f"runs/{_run_name(manifest)}") if per_run else folder.strip("/")
    if per_run and MANIFEST not in found:
        found[MANIFEST] = manifest  # a folder of its own stands for itself
    files: dict[str, dict[str, Any]] = {}
    for name, path in found.items():
        content = path.read_bytes()
        if not content.rstrip().endswith(b"}"):
            run_logger(__name__).warning("%s is not whole, so it is not stored.", path)
            continue
        _write(store, _join(into, name), content)
        files[name] = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}
    if is_latest and files:
        if not per_run:
            files = {**_known_files(store, folder), **files}
        pointer = {"folder": into[len(folder.strip("/")) :].strip("/"), "files": files}
        _write(store, _join(folder, POINTER), json.dumps(pointer, indent=2).encode())
    run_logger(__name__).info("Stored %s in %s", ", ".join(files) or "no artifacts", f"{store.name}/{into}".rstrip("/"))
    return into


async def aupload_artifacts(
    target_path: Path | str,
    storage: DbtState | Storage,
    folder: str = "",
    *,
    per_run: bool = False,
    is_latest: bool = True,
    since: float | None = None,
) -> str:
    """Async form of `upload_artifacts`."""
    return await run_sync_in_worker_thread(_upload, target_path, storage, folder, per_run, is_latest, since)


@async_dispatch(aupload_artifacts)
def upload_artifacts(
    target_path: Path | str,
    storage: DbtState | Storage,
    folder: str = "",
    *,
    per_run: bool = False,
    is_latest: bool = True,
    since: float | None = None,
) -> str:
    """Store the artifacts of a run: manifest, results, sources, catalog, as far as they exist.

    The manifest goes last and `latest.json` after it, so that `fetch_state` never takes files that do not belong
    together. In one folder it waits while they are replaced; with a folder for each run nothing is ever replaced.

    Args:
        target_path: dbt's target folder.
        storage: Where to store; as for `fetch_state`, and writable. A `DbtState` names a storage and a folder in it.
        folder: Folder in the storage.
        per_run: Whether the run gets a folder of its own below `runs`, named by its time and id. Old ones stay.
        is_latest: Whether `latest.json` names this run from now on. Give `False` for a run that failed, if others
            shall not compare with it.
        since: Leave out files that were last written before this time, in seconds since the epoch: they are of an
            earlier run.

    Returns:
        The folder in the storage that the files were written to.

    Raises:
        DbtStateError: If there is no manifest, the storage refuses a file, or `is_latest` is false without `per_run`.
    """
    return _upload(target_path, storage, folder, per_run, is_latest, since)


def _consistent(store: Store, folder: str, where: str) -> dict[str, bytes] | None:
    """Read the files that belong together; `None` while an upload replaces them."""
    pointer = _pointer(store, folder)
    if pointer is None:
        files = {MANIFEST: _read_manifest(store, _join(folder, MANIFEST), where)}
        for name in STATE_FILES[1:]:
            with contextlib.suppress(Exception):  # each store has its own error for what is not there
                files[name] = store.read(_join(folder, name))
        return files
    within, known = pointer
    names = [name for name in STATE_FILES if name in known or name == MANIFEST]
    files = {name: _read_manifest(store, _join(folder, within, name), where, name) for name in names}
    return files if all(_is_as_named(content, known.get(name)) for name, content in files.items()) else None


def _pointer(store: Store, folder: str) -> tuple[str, Mapping[str, Any]] | None:
    try:
        said: Any = json.loads(store.read(_join(folder, POINTER)))
        return str(said["folder"]), cast("Mapping[str, Any]", dict(said["files"]))
    except Exception:  # noqa: BLE001 - not there, by the store's own error, or not ours
        return None


def _known_files(store: Store, folder: str) -> Mapping[str, Any]:
    pointer = _pointer(store, folder)
    return pointer[1] if pointer is not None and not pointer[0] else {}


def _is_as_named(content: bytes, known: Any) -> bool:
    expected = cast("Mapping[str, Any]", known).get("sha256") if isinstance(known, Mapping) else None
    return expected is None or hashlib.sha256(content).hexdigest() == expected


def _read_manifest(store: Store, key: str, where: str, name: str = MANIFEST) -> bytes:
    try:
        return store.read(key)
    except Exception as exc:
        raise DbtStateError(
            f"There is no {name} to compare with in {where}, or it cannot be read: {exc} "
            "Store the artifacts of a run there first, for example with upload_artifacts."
        ) from exc


def _write(store: Store, key: str, content: bytes) -> None:
    try:
        store.write(key, content)
    except DbtStateError:
        raise
    except Exception as exc:
        raise DbtStateError(f"{key} cannot be stored in {store.name}: {exc}") from exc


def _join(*parts: str) -> str:
    return "/".join(part.strip("/") for part in parts if part.strip("/"))


def _is_of_run(path: Path, since: float | None) -> bool:
    try:
        # Some file systems only keep whole seconds.
        return path.is_file() and (since is None or path.stat().st_mtime >= int(since))
    except OSError:
        return False


def _run_name(manifest: Path) -> str:
    """Name a run by its time and id, so that names sort by time."""
    metadata: dict[str, Any] = {}
    try:
        for section, key, value in iter_json_entries(manifest):
            if section != "metadata":
                break
            metadata[key] = value
    except ValueError as exc:
        raise DbtManifestError(f"The manifest at {manifest} is not whole: {exc}") from exc
    time = re.sub(r"[^0-9TZ]", "", str(metadata.get("generated_at") or "").partition(".")[0])
    run = re.sub(r"[^0-9A-Za-z-]", "", str(metadata.get("invocation_id") or ""))
    return "-".join(part for part in (time, run) if part) or hashlib.sha256(manifest.read_bytes()).hexdigest()[:16]


def _installed_version() -> str:
    try:
        return version("dbt-core")
    except PackageNotFoundError:
        return ""


def _readable_schemas() -> tuple[int, int | None]:
    """Find which schemas of manifests the installed dbt reads, without importing it; no newest one if it does not tell.

    dbt reads back to version 4, and up to the newest that it has a module for (`compatible_previous_versions` in
    dbt/artifacts/schemas/manifest). Before 1.8 there are no such modules: dbt 1.7 has version 11.
    """
    spec = find_spec("dbt")
    roots = list(spec.submodule_search_locations or ()) if spec else []
    folders = [folder for root in roots for folder in Path(root).glob("artifacts/schemas/manifest/v*")]
    versions = [int(folder.name[1:]) for folder in folders if folder.name[1:].isdigit()]
    if versions:
        return 4, max(versions)
    return 4, 11 if _installed_version().startswith("1.7.") else None


def _minor(dbt_version: Any) -> str:
    found = re.match(r"\d+\.\d+", str(dbt_version or ""))
    return found[0] if found else "of a newer version"
