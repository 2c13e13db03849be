"""Commands of dbt, as far as dbt Cloud's steps are told apart by them."""

from __future__ import annotations

EXE_COMMANDS = ("build", "run", "test", "seed", "snapshot")
"""Commands that execute nodes, so that they can be told which ones."""

ASSET_MATERIALIZATION_COMMANDS = frozenset({"build", "run", "seed", "snapshot"})
"""Commands that make models, seeds or snapshots."""

SUCCESSFUL_DBT_NODE_STATUSES = frozenset({"success"})
"""Statuses of models, seeds and snapshots that were made."""
