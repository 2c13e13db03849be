"""Constants of the worker, for its parts and for those who import them."""

from __future__ import annotations

SUSPENDED_POOL_STATES: frozenset[str] = frozenset({"SUSPENDED", "STOPPING"})
"""States of a compute pool that starts nothing before it is resumed.

See https://docs.snowflake.com/en/developer-guide/snowpark-container-services/working-with-compute-pool.
"""
TERMINAL_POOL_FAILURE_STATES: frozenset[str] = frozenset({"FAILED", "DROPPED", "DELETING", "DELETED"})
"""States of a compute pool that nothing leads out of."""
READY_POOL_STATES: frozenset[str] = frozenset({"ACTIVE", "IDLE", "RESIZING"})
"""States of a compute pool that takes jobs."""

SPCS_DEFAULT_CPU_REQUEST: str = "1"
SPCS_DEFAULT_MEMORY_REQUEST: str = "1G"
SPCS_DEFAULT_CPU_LIMIT: None = None
SPCS_DEFAULT_MEMORY_LIMIT: None = None
DEFAULT_CONTAINER_ENTRYPOINT: str = "/opt/prefect/entrypoint.sh"
PREFECT_SNOWFLAKE_APPLICATION: str = "Prefect_Snowflake_Collection"
"""What Snowflake is told as the name of the client."""
MAX_CREATE_SERVICE_ATTEMPTS: int = 3
"""Nothing reads it: statements are repeated as `PREFECT_INTEGRATIONS_SNOWFLAKE_SPCS_WORKER_CALL_*` say."""
CREATE_SERVICE_MIN_DELAY_SECONDS: int = 1
"""Nothing reads it, likewise."""
CREATE_SERVICE_MIN_DELAY_JITTER_SECONDS: int = 0
"""Nothing reads it, likewise."""
CREATE_SERVICE_MAX_DELAY_JITTER_SECONDS: int = 3
"""Nothing reads it, likewise."""

SECRET_VARIABLES: tuple[str, ...] = ("PREFECT_API_KEY", "PREFECT_API_AUTH_STRING", "PREFECT_CLIENT_CUSTOM_HEADERS")
"""Variables of a run's environment that reach its container through secrets of Snowflake only."""
