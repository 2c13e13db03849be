"""Prefect on Google Cloud: credentials, storage, warehouse, secrets, jobs, messages and workers."""

from importlib.metadata import version

from .bigquery import BigQueryWarehouse
from .cloud_batch import CloudBatchJob
from .cloud_run import CloudRunJob
from .cloud_storage import GcsBucket
from .credentials import GcpCredentials
from .dataproc import DataprocBatch
from .pubsub import PubsubSubscription
from .secret_manager import GcpSecret
from .workers.cloud_run import CloudRunWorker
from .workers.cloud_run_v2 import CloudRunWorkerV2
from .workers.vertex import VertexAIWorker

__version__ = version("prefect-gcp")

__all__ = [
    "BigQueryWarehouse",
    "CloudBatchJob",
    "CloudRunJob",
    "CloudRunWorker",
    "CloudRunWorkerV2",
    "DataprocBatch",
    "GcpCredentials",
    "GcpSecret",
    "GcsBucket",
    "PubsubSubscription",
    "VertexAIWorker",
]
