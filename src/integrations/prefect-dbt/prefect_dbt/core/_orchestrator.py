"""The orchestrator under its old private path; import from `prefect_dbt.core.orchestrator`."""

from .orchestrator import BuildResult, CacheOptions, ExecutionMode, NodeBuild, PrefectDbtOrchestrator, TestStrategy

__all__ = ["BuildResult", "CacheOptions", "ExecutionMode", "NodeBuild", "PrefectDbtOrchestrator", "TestStrategy"]
