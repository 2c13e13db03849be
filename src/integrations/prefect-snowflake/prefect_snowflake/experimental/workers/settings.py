"""What operators of the Snowpark worker tune by environment variable, profile or `prefect.toml`."""

from prefect.settings.base import build_settings_config
from pydantic import Field

from prefect_integration_kit.job_settings import JobRunSettings


class SPCSWorkerSettings(JobRunSettings):
    """How the worker works: `PREFECT_INTEGRATIONS_SNOWFLAKE_SPCS_WORKER_*`.

    How often it looks at running jobs is the job variable `service_watch_poll_interval`; how long compute pool and
    container may take to start are `pool_start_timeout_seconds` and `service_start_timeout_seconds`.

    A statement is tried again when Snowflake cannot be reached, is overloaded, or the session has ended; between two
    tries the delay grows from the initial to the largest one, with jitter.
    """

    model_config = build_settings_config(("integrations", "snowflake", "spcs_worker"))

    api_key_secret: str | None = Field(
        default=None,
        description="Name of the Snowflake secret, of type GENERIC_STRING, that holds the key of the Prefect API: "
        "`DATABASE.SCHEMA.NAME`. Runs whose environment has PREFECT_API_KEY, and that name no secret for it, get it "
        "from there.",
    )
    api_auth_string_secret: str | None = Field(
        default=None,
        description="The same for PREFECT_API_AUTH_STRING, which self-hosted servers with a password ask for.",
    )
    client_custom_headers_secret: str | None = Field(
        default=None,
        description="The same for PREFECT_CLIENT_CUSTOM_HEADERS, where one of the headers signs in.",
    )
    max_concurrent_submissions: int = Field(
        default=100,
        ge=1,
        description="How many runs a worker submits at a time, whatever its limit of running runs. A submission lasts "
        "until the compute pool is started, the image is pulled and the container runs.",
    )
    call_timeout_seconds: float = Field(
        default=60.0, ge=1, description="Seconds that one try of a statement, or of signing in, may take."
    )
    call_deadline_seconds: float = Field(
        default=120.0, ge=0, description="For how long a statement is tried again. Zero tries once."
    )
    call_initial_delay_seconds: float = Field(
        default=1.0, gt=0, description="Most seconds before the second try of a statement."
    )
    call_max_delay_seconds: float = Field(
        default=20.0, gt=0, description="Most seconds between two tries of a statement."
    )
    delete_timeout_seconds: float = Field(
        default=60.0, gt=0, description="Seconds that a job which is being dropped is waited for."
    )
    stream_tail_lines: int = Field(
        default=500,
        ge=1,
        description="How many of a container's last lines are read at each look for runs with `stream_output`. Where "
        "more were printed since the look before, more are read, up to the 100 KB that Snowflake gives.",
    )

    def secret_for(self, variable: str) -> str | None:
        """Name of the secret that holds the value of a variable of runs; `None` where the operator has named none.

        Args:
            variable: Name of the variable, such as PREFECT_API_KEY.
        """
        return {
            "PREFECT_API_KEY": self.api_key_secret,
            "PREFECT_API_AUTH_STRING": self.api_auth_string_secret,
            "PREFECT_CLIENT_CUSTOM_HEADERS": self.client_custom_headers_secret,
        }.get(variable)
