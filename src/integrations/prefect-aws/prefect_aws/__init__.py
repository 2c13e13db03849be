"""Prefect on Amazon Web Services: credentials, storage, secrets, functions and jobs."""

from importlib.metadata import version

from .client_parameters import AwsClientParameters
from .credentials import AwsCredentials, MinIOCredentials
from .glue_job import GlueJobBlock
from .lambda_function import LambdaFunction
from .parameter_store import AwsParameter
from .s3 import S3Bucket
from .secrets_manager import AwsSecret

__version__ = version("prefect-aws")

__all__ = [
    "AwsClientParameters",
    "AwsCredentials",
    "AwsParameter",
    "AwsSecret",
    "GlueJobBlock",
    "LambdaFunction",
    "MinIOCredentials",
    "S3Bucket",
]
