"""Databricks's own SDK reads what the models write, and knows their fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from prefect_databricks._operations import to_json
from prefect_databricks.models import jobs as models

sdk = pytest.importorskip("databricks.sdk.service.jobs")
compute = pytest.importorskip("databricks.sdk.service.compute")

ON_RUNS_ONLY = {"ConditionTask": {"outcome"}, "ForEachTask": {"stats"}}
PAIRS: dict[str, Any] = {
    "JobTaskSettings": sdk.Task,
    "RunSubmitTaskSettings": sdk.SubmitTask,
    "RunTask": sdk.RunTask,
    "JobSettings": sdk.JobSettings,
    "Run": sdk.Run,
    "Job": sdk.Job,
    "NewCluster": compute.ClusterSpec,
    "DbtTask": sdk.DbtTask,
    "NotebookTask": sdk.NotebookTask,
    "ConditionTask": sdk.ConditionTask,
    "ForEachTask": sdk.ForEachTask,
    "RunJobTask": sdk.RunJobTask,
    "DashboardTask": sdk.DashboardTask,
    "PowerBiTask": sdk.PowerBiTask,
    "SqlTask": sdk.SqlTask,
    "SqlTaskFile": sdk.SqlTaskFile,
    "GitSource": sdk.GitSource,
    "Library": compute.Library,
    "InitScriptInfo": compute.InitScriptInfo,
    "ClusterLogConf": compute.ClusterLogConf,
    "AwsAttributes": compute.AwsAttributes,
    "AzureAttributes": compute.AzureAttributes,
    "GcpAttributes": compute.GcpAttributes,
    "JobEnvironment": sdk.JobEnvironment,
    "Environment": compute.Environment,
    "QueueSettings": sdk.QueueSettings,
    "Continuous": sdk.Continuous,
    "TriggerSettings": sdk.TriggerSettings,
    "FileArrivalTriggerConfiguration": sdk.FileArrivalTriggerConfiguration,
    "PeriodicTriggerConfiguration": sdk.PeriodicTriggerConfiguration,
    "TableUpdateTriggerConfiguration": sdk.TableUpdateTriggerConfiguration,
    "JobsHealthRule": sdk.JobsHealthRule,
    "JobRunAs": sdk.JobRunAs,
    "JobDeployment": sdk.JobDeployment,
    "JobNotificationSettings": sdk.JobNotificationSettings,
    "TaskNotificationSettings": sdk.TaskNotificationSettings,
    "JobEmailNotifications": sdk.JobEmailNotifications,
    "WebhookNotifications": sdk.WebhookNotifications,
    "RunState": sdk.RunState,
    "RunStatus": sdk.RunStatus,
    "RunParameters": sdk.RunParameters,
    "CronSchedule": sdk.CronSchedule,
}


@pytest.mark.parametrize("name", PAIRS)
def test_the_sdk_knows_every_field(name: str) -> None:
    ours = {field.removesuffix("_") for field in getattr(models, name).model_fields}
    assert ours - {field.name for field in dataclasses.fields(PAIRS[name])} == ON_RUNS_ONLY.get(name, set())


def test_the_sdk_reads_a_job_as_it_was_written() -> None:
    settings = models.JobSettings(
        name="sales",
        tasks=[
            models.JobTaskSettings(
                task_key="ingest",
                run_if="ALL_DONE",
                depends_on=[{"task_key": "check", "outcome": "true"}],
                new_cluster=models.NewCluster(
                    spark_version="15.4.x-scala2.12",
                    autoscale=models.AutoScale(min_workers=1, max_workers=4),
                    aws_attributes=models.AwsAttributes(availability="SPOT", zone_id="auto"),
                    init_scripts=[{"s3": {"destination": "s3://b/k", "region": "us-west-2"}}],
                ),
                for_each_task={
                    "inputs": "[1]",
                    "task": {"task_key": "one", "dbt_task": {"commands": ["dbt run"], "schema": "s"}},
                },
            ),
            {"task_key": "check", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}},
        ],
        queue={"enabled": True},
        environments=[{"environment_key": "default", "spec": {"environment_version": "2"}}],
        schedule=models.CronSchedule(quartz_cron_expression="0 0 * * * ?", timezone_id="UTC", pause_status="PAUSED"),
        git_source=models.GitSource(git_url="https://example.com/a", git_provider="gitlab", git_branch="main"),
        health={"rules": [{"metric": "RUN_DURATION_SECONDS", "op": "GREATER_THAN", "value": 60}]},
        trigger={"file_arrival": {"url": "/Volumes/a/b/c/"}},
    )
    written = to_json(settings)
    assert sdk.JobSettings.from_dict(written).as_dict() == written
