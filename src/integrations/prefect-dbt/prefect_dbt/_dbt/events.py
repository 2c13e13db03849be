"""What dbt tells while it runs. The shapes are the child's, since it makes them."""

from __future__ import annotations

from .child.records import DbtEvent, NodeDetails, NodeInfo, NodeResult, Relation

__all__ = ["DbtEvent", "NodeDetails", "NodeInfo", "NodeResult", "Relation"]
