"""What a client of any AWS service may be given: endpoint, TLS, botocore's configuration."""

import copy
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, ConfigDict, Field, FilePath, field_validator, model_validator

from .utilities import hash_collection

if TYPE_CHECKING:
    from botocore.config import Config

_UNSIGNED = "unsigned"


class AwsClientParameters(BaseModel):
    """Parameters of boto3's `Session.client`.

    Meanings are those of the
    [boto3 reference](https://boto3.amazonaws.com/v1/documentation/api/latest/reference/core/session.html#boto3.session.Session.client).

    Example:
        Talk to a private endpoint with an own certificate authority, and try harder than by default:

        ```python
        from prefect_aws import AwsClientParameters, AwsCredentials

        AwsCredentials(
            region_name="eu-central-1",
            aws_client_parameters=AwsClientParameters(
                endpoint_url="https://storage.example.org",
                verify_cert_path="/etc/ssl/example-ca.pem",
                config={"retries": {"mode": "adaptive", "total_max_attempts": 10}},
            ),
        )
        ```
    """

    model_config = ConfigDict(defer_build=True, hide_input_in_errors=True)

    api_version: str | None = Field(
        default=None,
        title="API Version",
        description="Version of the service's API; the newest that the SDK knows when not given.",
    )
    use_ssl: bool = Field(
        default=True,
        title="Use SSL",
        description="Whether to talk TLS. An endpoint_url decides by its own scheme.",
    )
    verify: bool | FilePath | None = Field(
        default=None,
        description="Whether to verify the server's certificate; it is verified when not given. A file path here is "
        "deprecated, use verify_cert_path.",
    )
    verify_cert_path: FilePath | None = Field(
        default=None,
        title="Certificate Authority Bundle File Path",
        description="File with the certificate authorities to trust, instead of those that come with botocore.",
    )
    endpoint_url: str | None = Field(
        default=None,
        title="Endpoint URL",
        description="Complete URL of the service, such as http://localhost:9000. The SDK builds one from the service "
        "and the region when not given.",
    )
    config: dict[str, Any] | None = Field(
        default=None,
        title="Botocore Config",
        repr=False,  # the URL of a proxy may have a password in it
        description="Arguments of botocore's Config: retries, proxies, timeouts, s3 and others. The "
        "signature_version 'unsigned' sends requests without credentials.",
    )

    def __hash__(self) -> int:
        return hash_collection(self.model_dump())

    @field_validator("config", mode="before")
    @classmethod
    def instantiate_config(cls, value: "Config | dict[str, Any] | None") -> dict[str, Any] | None:
        """Turn a botocore `Config` into the arguments it was made from, so that the block can be saved.

        Args:
            value: A `botocore.config.Config`, its arguments, or `None`.
        """
        options: Any = getattr(value, "_user_provided_options", value)
        if not isinstance(options, dict):
            return options
        options = dict(cast("dict[str, Any]", options))
        if type(options.get("signature_version")).__module__ == "botocore":  # its marker, which is not JSON
            options["signature_version"] = _UNSIGNED
        return options

    @model_validator(mode="before")
    @classmethod
    def deprecated_verify_cert_path(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Warn when `verify` is a path.

        Args:
            values: What the model is made from.
        """
        if isinstance(values, dict) and isinstance(values.get("verify"), str | Path):
            warnings.warn(
                "A file path in `verify` is deprecated. Give it as `verify_cert_path`.",
                DeprecationWarning,
                stacklevel=2,
            )
        return values

    @model_validator(mode="before")
    @classmethod
    def verify_cert_path_and_verify(cls, values: dict[str, Any]) -> dict[str, Any]:
        """Warn when certificates are given but not to be verified.

        Args:
            values: What the model is made from.
        """
        if isinstance(values, dict) and values.get("verify_cert_path") and values.get("verify") is False:
            warnings.warn(
                "`verify_cert_path` has no effect while `verify` is False. Drop one of them.",
                UserWarning,
                stacklevel=2,
            )
        return values

    def get_params_override(self) -> dict[str, Any]:
        """Collect the parameters that are set.

        Returns:
            Keyword arguments of boto3's `Session.client`, without those that are `None`; `config` is a botocore
            `Config`.
        """
        params: dict[str, Any] = {
            "api_version": self.api_version,
            "use_ssl": self.use_ssl,
            "verify": self._verify(),
            "endpoint_url": self.endpoint_url,
            "config": self._config(),
        }
        return {name: value for name, value in params.items() if value is not None}

    def _verify(self) -> bool | str | None:
        if self.verify is False:
            return False
        path = self.verify_cert_path or (self.verify if isinstance(self.verify, Path) else None)
        return str(path) if path else cast("bool | None", self.verify)

    def _config(self) -> "Config | None":
        if self.config is None:
            return None
        from botocore import UNSIGNED
        from botocore.config import Config

        # Deep: botocore writes into nested values, and the block is the user's.
        options = copy.deepcopy(self.config)
        if options.get("signature_version") == _UNSIGNED:
            options["signature_version"] = UNSIGNED
        return Config(**options)
