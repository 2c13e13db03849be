"""Record what a run in dbt Cloud made as Prefect assets."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from prefect_integration_kit.logs import run_logger

from ._artifacts import read_artifact_if_any
from ._commands import ASSET_MATERIALIZATION_COMMANDS, SUCCESSFUL_DBT_NODE_STATUSES
from ._failed_steps import steps_of
from ._retrying import read_run
from ._shapes import as_dict, dicts_in

if TYPE_CHECKING:
    from .clients import DbtCloudAdministrativeClient


async def record(client: DbtCloudAdministrativeClient, run_id: int) -> None:
    """Record the models, seeds and snapshots that a run made, as assets of the current Prefect run.

    What goes wrong is logged: assets tell of the run, and it has ended already.

    Args:
        client: Makes the requests; it is open.
        run_id: The run, which has ended.
    """
    try:
        await _record(client, run_id)
    except Exception as exc:  # noqa: BLE001 - see above
        run_logger(__name__).warning("The assets of dbt Cloud run %s could not be recorded: %s", run_id, exc)


async def _record(client: DbtCloudAdministrativeClient, run_id: int) -> None:
    from ..core._assets import AssetRecorder, record_run_results
    from ..core._manifest import Manifest

    for step in steps_of(await read_run(client, run_id)):
        if not step.index or step.name not in ASSET_MATERIALIZATION_COMMANDS:
            continue
        run_results = await read_artifact_if_any(client, run_id, "run_results.json", step.index)
        made = _made(run_results)
        content = await read_artifact_if_any(client, run_id, "manifest.json", step.index) if made else None
        if not isinstance(content, dict):
            continue
        manifest = await asyncio.to_thread(Manifest.from_data, cast("dict[str, Any]", content))
        recorder = AssetRecorder(manifest.adapter_type, logger=run_logger(__name__))
        record_run_results(recorder, manifest, made)


def _made(run_results: Any) -> list[dict[str, Any]]:
    results = dicts_in(as_dict(run_results).get("results"))
    return [result for result in results if result.get("status") in SUCCESSFUL_DBT_NODE_STATUSES]
