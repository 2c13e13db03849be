"""The artifacts of an earlier run, for one run of the orchestrator."""

from __future__ import annotations

import json
import shutil
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ._calls import call_in_thread

if TYPE_CHECKING:
    from .state import DbtState

__all__ = ["FetchedState", "fetched"]

_MANIFEST = "manifest.json"


@dataclass(frozen=True)
class FetchedState:
    """Artifacts in a private folder.

    Attributes:
        folder: The folder.
        defers: Whether references to what is not built in this run may go to the earlier one.
        favor_state: Whether they go there even if the relation exists here.
    """

    folder: Path
    defers: bool
    favor_state: bool

    @property
    def for_selecting(self) -> Mapping[str, Any]:
        """Parameters of dbt for what only selects."""
        return {"state": str(self.folder)}

    def for_building(self, chosen: Collection[str]) -> Mapping[str, Any]:
        """Parameters of dbt for what builds; none without deferral, as dbt then keeps the parsed project.

        dbt takes a node for selected if the same invocation builds it, and defers all others. Here a node's parents are
        built by invocations before, so what this run builds is taken out of the manifest that is deferred to.

        Args:
            chosen: Unique ids of all nodes that this run builds.
        """
        if not self.defers:
            return {}
        folder = self.folder.with_name("defer-state")
        folder.mkdir(mode=0o700, exist_ok=True)
        content: dict[str, Any] = json.loads((self.folder / _MANIFEST).read_bytes())
        nodes: dict[str, Any] = content.get("nodes") or {}
        if nodes.keys() & set(chosen):
            content["nodes"] = {unique_id: node for unique_id, node in nodes.items() if unique_id not in chosen}
            (folder / _MANIFEST).write_text(json.dumps(content), encoding="utf-8")
        else:
            shutil.copyfile(self.folder / _MANIFEST, folder / _MANIFEST)
        options: dict[str, Any] = {"defer": True, "defer_state": str(folder)}
        return {**options, "favor_state": True} if self.favor_state else options


@asynccontextmanager
async def fetched(state: DbtState) -> AsyncGenerator[FetchedState, None]:
    """Fetch the artifacts of a state; they are removed in the end.

    Raises:
        DbtStateError: If they are missing or of no use to the installed dbt.
    """
    context = state.options()
    options = await call_in_thread(context.__enter__, name="dbt-state")
    try:
        yield FetchedState(Path(options["state"]), bool(options.get("defer")), bool(options.get("favor_state")))
    finally:
        context.__exit__(None, None, None)
