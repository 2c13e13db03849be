"""Prefect on Amazon Web Services: credentials, storage, secrets, functions, jobs and the ECS worker."""

from importlib.metadata import version

from ._batch_block import BatchJob
from .client_parameters import AwsClientParameters
from .credentials import AwsCredentials, MinIOCredentials
from .glue_job import GlueJobBlock
from .lambda_function import LambdaFunction
from .parameter_store import AwsParameter
from .s3 import S3Bucket
from .secrets_manager import AwsSecret
from .workers import ECSWorker

__version__ = version("prefect-aws")

__all__ = [
    "AwsClientParameters",
    "AwsCredentials",
    "AwsParameter",
    "AwsSecret",
    "BatchJob",
    "ECSWorker",
    "GlueJobBlock",
    "LambdaFunction",
    "MinIOCredentials",
    "S3Bucket",
]
