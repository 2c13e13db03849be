# Written by `python -m scripts.databricks` from `schemas/jobs-2.1-aws.yaml`; do not edit.
# A request for any kind of grantee has the fields of all, and groups have fewer permissions than others.
# pyright: reportIncompatibleVariableOverride=false
"""Models of the API of jobs.

They take fields that they do not know, and a task sends what was set of them. `model_validate` reads an answer.
"""

# No `annotations` of the future: to evaluate some hundred of them as text would take a third of the import.
from enum import Enum
from typing import Annotated, Any, Literal

from pydantic import Field

from ._model import AnyCase, Model, Open, OpenEnum, Root, TypedList

__all__ = [
    "AccessControlList",
    "AccessControlRequest",
    "AccessControlRequestForGroup",
    "AccessControlRequestForServicePrincipal",
    "AccessControlRequestForUser",
    "Adlsgen2Info",
    "AlertTask",
    "AutoScale",
    "AwsAttributes",
    "AzureAttributes",
    "CanManage",
    "CanManageRun",
    "CanView",
    "CleanRoomsNotebookTask",
    "ClientsTypes",
    "ClusterAttributes",
    "ClusterCloudProviderNodeInfo",
    "ClusterCloudProviderNodeStatus",
    "ClusterEvent",
    "ClusterEventType",
    "ClusterInfo",
    "ClusterInstance",
    "ClusterLibraryStatuses",
    "ClusterLogConf",
    "ClusterSize",
    "ClusterSource",
    "ClusterSpec",
    "ClusterState",
    "ClusterTag",
    "Compute",
    "ComputeConfig",
    "ConditionTask",
    "Continuous",
    "CronSchedule",
    "DashboardTask",
    "DbfsStorageInfo",
    "DbtCloudTask",
    "DbtOutput",
    "DbtPlatformTask",
    "DbtTask",
    "DockerBasicAuth",
    "DockerImage",
    "Environment",
    "Error",
    "EventDetails",
    "FileArrivalTriggerConfiguration",
    "FileStorageInfo",
    "ForEachStats",
    "ForEachTask",
    "GcpAttributes",
    "GcsStorageInfo",
    "GenAiComputeTask",
    "GitSnapshot",
    "GitSource",
    "GitSource1",
    "GroupName",
    "InitScriptInfo",
    "IsOwner",
    "Job",
    "JobCluster",
    "JobDeployment",
    "JobEmailNotifications",
    "JobEnvironment",
    "JobNotificationSettings",
    "JobParameter",
    "JobRunAs",
    "JobSettings",
    "JobTask",
    "JobTaskSettings",
    "JobsHealthRule",
    "JobsHealthRules",
    "Library",
    "LibraryFullStatus",
    "LibraryInstallStatus",
    "ListOrder",
    "LogSyncStatus",
    "MavenLibrary",
    "NewCluster",
    "NodeType",
    "NotebookOutput",
    "NotebookTask",
    "OnFailureItem",
    "OnStartItem",
    "OnSucces",
    "ParameterPair",
    "PeriodicTriggerConfiguration",
    "PermissionLevel",
    "PermissionLevelForGroup",
    "PipelineParams",
    "PipelineTask",
    "PoolClusterTerminationCode",
    "PowerBiModel",
    "PowerBiTable",
    "PowerBiTask",
    "PythonOperatorTask",
    "PythonPyPiLibrary",
    "PythonWheelTask",
    "QueueDetails",
    "QueueSettings",
    "RCranLibrary",
    "RepairHistory",
    "RepairHistoryItem",
    "RepairRunInput",
    "ResizeCause",
    "Run",
    "RunJobParameter",
    "RunJobTask",
    "RunLifeCycleState",
    "RunNowInput",
    "RunParameters",
    "RunResultState",
    "RunState",
    "RunStatus",
    "RunSubmitSettings",
    "RunSubmitTaskSettings",
    "RunTask",
    "RunType",
    "RuntimeEngine",
    "S3StorageInfo",
    "ServicePrincipalName",
    "SparkConfPair",
    "SparkEnvPair",
    "SparkJarTask",
    "SparkNode",
    "SparkNodeAwsAttributes",
    "SparkPythonTask",
    "SparkSubmitTask",
    "SparkVersion",
    "SparseCheckout",
    "SqlAlertOutput",
    "SqlDashboardOutput",
    "SqlDashboardWidgetOutput",
    "SqlOutput",
    "SqlOutputError",
    "SqlQueryOutput",
    "SqlStatementOutput",
    "SqlTask",
    "SqlTaskAlert",
    "SqlTaskDashboard",
    "SqlTaskFile",
    "SqlTaskQuery",
    "SqlTaskSubscription",
    "Subscription",
    "SubscriptionSubscriber",
    "TableUpdateTriggerConfiguration",
    "TaskDependencies",
    "TaskDependency",
    "TaskDescription",
    "TaskKey",
    "TaskKeyStr",
    "TaskNotificationSettings",
    "TerminationCode",
    "TerminationDetails",
    "TerminationParameter",
    "TerminationReason",
    "TerminationType",
    "TriggerInfo",
    "TriggerSettings",
    "TriggerType",
    "UserName",
    "ViewItem",
    "ViewType",
    "ViewsToExport",
    "VolumesStorageInfo",
    "Webhook",
    "WebhookNotifications",
    "WorkloadType",
    "WorkspaceStorageInfo",
]

TaskKeyStr = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[\w\-]+$")]
"""Name of a task or of a job cluster."""


class AutoScale(Model):
    """Bounds of the number of workers."""

    max_workers: int | None = Field(
        default=None, description="Most workers, when the load is high. More than `min_workers`."
    )
    min_workers: int | None = Field(
        default=None, description="Fewest workers, when there is no load, and those at the start."
    )


class AwsAttributes(Model):
    """What holds for a cluster on AWS."""

    availability: Open[Literal["SPOT", "ON_DEMAND", "SPOT_WITH_FALLBACK"]] | None = Field(
        default=None,
        description=(
            "Whether nodes after `first_on_demand` are spot instances. On demand when `first_on_demand` is unset or 0."
        ),
    )
    ebs_volume_count: int | None = Field(
        default=None,
        description="EBS volumes for each node, up to 10. Required with kinds of machines that have no local disk.",
    )
    ebs_volume_iops: int | None = Field(default=None, description="I/O operations each second of a gp3 volume.")
    ebs_volume_size: int | None = Field(
        default=None, description="GiB of each EBS volume: 100 to 4096 for SSD, 500 to 4096 for HDD."
    )
    ebs_volume_throughput: int | None = Field(default=None, description="MiB each second of a gp3 volume.")
    ebs_volume_type: Open[Literal["GENERAL_PURPOSE_SSD", "THROUGHPUT_OPTIMIZED_HDD"]] | None = Field(
        default=None, description="Kind of the EBS volumes."
    )
    first_on_demand: int | None = Field(
        default=None, description="Number of nodes, the driver first, that are on demand whatever `availability` says."
    )
    instance_profile_arn: str | None = Field(
        default=None,
        description="Instance profile that nodes have. An administrator must have added it to the workspace.",
    )
    spot_bid_price_percent: int | None = Field(
        default=None,
        description="Highest bid for spot instances in percent of the price on demand, at most 10000; 100 by default.",
    )
    zone_id: str | None = Field(
        default=None, description="Availability zone such as `us-west-2a`, or `auto` for one that has free addresses."
    )


class CanManage(str, Enum):
    """The permission to manage a job.

    Attributes:
        canmanage: Manage the job.
    """

    canmanage = "CAN_MANAGE"


class CanManageRun(str, Enum):
    """The permission to run a job and to manage its runs.

    Attributes:
        canmanagerun: Run the job and manage its runs.
    """

    canmanagerun = "CAN_MANAGE_RUN"


class CanView(str, Enum):
    """The permission to see a job's settings.

    Attributes:
        canview: See the settings.
    """

    canview = "CAN_VIEW"


class ClusterCloudProviderNodeStatus(OpenEnum):
    """Why a kind of machine cannot be had.

    Attributes:
        not_enabled_on_subscription: The subscription does not have it.
        not_available_in_region: The region does not have it.
    """

    not_enabled_on_subscription = "NotEnabledOnSubscription"
    not_available_in_region = "NotAvailableInRegion"


class ClusterEventType(OpenEnum):
    """What happened to a cluster.

    Attributes:
        creating: It is being made.
        didnotexpanddisk: A disk is nearly full, and a larger one would be over the limit.
        expandeddisk: A disk was nearly full, and was enlarged.
        failedtoexpanddisk: A disk is nearly full, and could not be enlarged.
        initscriptsstarting: An init script has started.
        initscriptsfinished: An init script has ended.
        starting: It starts.
        restarting: It restarts.
        terminating: It is being ended.
        edited: It was changed.
        running: It is made; some of its nodes may be missing, with the reason.
        resizing: It shall have more or fewer nodes.
        upsizecompleted: It has got more nodes; some may be missing, with the reason.
        nodeslost: Some nodes are lost.
        driverhealthy: The driver is well, and the cluster is ready.
        driverunavailable: The driver cannot be reached.
        sparkexception: The driver raised an exception of Spark.
        drivernotresponding: The driver is up but does not answer, most likely because of garbage collection.
        dbfsdown: The driver is up, but DBFS is down.
        metastoredown: The driver is up, but the metastore is down.
        nodeblacklisted: Spark does not allow a node.
        pinned: It was pinned.
        unpinned: It is no longer pinned.
        initscriptsstarted: An init script has started.
        addnodesfailed: Nodes could not be added.
        autoscalingstatsreport: A report on automatic scaling.
    """

    creating = "CREATING"
    didnotexpanddisk = "DID_NOT_EXPAND_DISK"
    expandeddisk = "EXPANDED_DISK"
    failedtoexpanddisk = "FAILED_TO_EXPAND_DISK"
    initscriptsstarting = "INIT_SCRIPTS_STARTING"
    initscriptsfinished = "INIT_SCRIPTS_FINISHED"
    starting = "STARTING"
    restarting = "RESTARTING"
    terminating = "TERMINATING"
    edited = "EDITED"
    running = "RUNNING"
    resizing = "RESIZING"
    upsizecompleted = "UPSIZE_COMPLETED"
    nodeslost = "NODES_LOST"
    driverhealthy = "DRIVER_HEALTHY"
    driverunavailable = "DRIVER_UNAVAILABLE"
    sparkexception = "SPARK_EXCEPTION"
    drivernotresponding = "DRIVER_NOT_RESPONDING"
    dbfsdown = "DBFS_DOWN"
    metastoredown = "METASTORE_DOWN"
    nodeblacklisted = "NODE_BLACKLISTED"
    pinned = "PINNED"
    unpinned = "UNPINNED"
    initscriptsstarted = "INIT_SCRIPTS_STARTED"
    addnodesfailed = "ADD_NODES_FAILED"
    autoscalingstatsreport = "AUTOSCALING_STATS_REPORT"


class ClusterInstance(Model):
    """The cluster and the Spark context of a run."""

    cluster_id: str | None = Field(default=None, description="ID of the cluster, which stays the same over restarts.")
    spark_context_id: str | None = Field(
        default=None, description="ID of the Spark context, once it exists. With `cluster_id` it leads to Spark's UI."
    )


class ClusterSize(Model):
    """The number of workers of a cluster."""

    autoscale: AutoScale | None = Field(
        default=None, description="Bounds of an automatic number of workers, in place of `num_workers`."
    )
    num_workers: int | None = Field(
        default=None,
        description="Number of workers beside the driver. A resized cluster shows the size that was asked for.",
    )


class ClusterSource(OpenEnum):
    """Who made a cluster.

    Attributes:
        ui: A person in the workspace.
        job: The scheduler of jobs.
        api: A request to the API.
        models: Model serving.
        pipeline: A pipeline.
        pipelinemaintenance: The maintenance of a pipeline.
        sql: A SQL warehouse.
    """

    ui = "UI"
    job = "JOB"
    api = "API"
    models = "MODELS"
    pipeline = "PIPELINE"
    pipelinemaintenance = "PIPELINE_MAINTENANCE"
    sql = "SQL"


class ClusterState(OpenEnum):
    """How far a cluster is.

    Attributes:
        pending: It is being made.
        running: It is ready.
        restarting: It restarts.
        resizing: Nodes come or go.
        terminating: It is being ended.
        terminated: It has ended.
        error: Databricks no longer uses this.
        unknown: Databricks does not know.
    """

    pending = "PENDING"
    running = "RUNNING"
    restarting = "RESTARTING"
    resizing = "RESIZING"
    terminating = "TERMINATING"
    terminated = "TERMINATED"
    error = "ERROR"
    unknown = "UNKNOWN"


class ClusterTag(Model):
    """Tags of a cluster.

    Keys have 1 to 127 characters, values up to 255, and both are subject to the rules of
    [AWS](https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Tags.html#tag-restrictions).
    """


class CronSchedule(Model):
    """A schedule in Quartz's syntax of cron."""

    pause_status: Open[Literal["PAUSED", "UNPAUSED"]] | None = Field(
        default=None, description="Whether the schedule is paused."
    )
    quartz_cron_expression: str = Field(
        description=(
            "When runs start, such as `20 30 * * * ?`; see "
            "[Quartz](http://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html)."
        )
    )
    timezone_id: str = Field(
        description="Time zone that the expression is in, by its name in Java, such as `Europe/London`."
    )


class DbfsStorageInfo(Model):
    """A place in DBFS."""

    destination: str | None = Field(default=None, description="Where it is, such as `dbfs:/my/path`.")


class DbtOutput(Model):
    """What a dbt task left behind."""

    artifacts_headers: dict[str, Any] | None = Field(
        default=None, repr=False, description="Headers that a request for `artifacts_link` needs."
    )
    artifacts_link: str | None = Field(
        default=None,
        description="Address of an archive with the artifacts. It is valid for 30 minutes after the answer.",
    )


class DbtTask(Model):
    """dbt commands."""

    catalog: str | None = Field(
        default=None,
        description="Catalog of Unity Catalog that the warehouse writes to; `warehouse_id` is required with it.",
    )
    commands: list[str] = Field(
        description="Commands of dbt, in order, such as `dbt deps`. All must succeed. At most 10."
    )
    profiles_directory: str | None = Field(
        default=None, description="Folder of `profiles.yml`, relative to the repository. Only without `warehouse_id`."
    )
    project_directory: str | None = Field(
        default=None, description="Folder of the project, relative to the repository; its root by default."
    )
    schema_: str | None = Field(
        default=None, alias="schema", description="Schema to write to, with `warehouse_id` only; `default` by default."
    )
    warehouse_id: str | None = Field(
        default=None, description="ID of the SQL warehouse that dbt talks to; a profile is made for it."
    )
    source: Open[Literal["WORKSPACE", "GIT"]] | None = Field(
        default=None, description="Where the project is: in the workspace, or in `git_source`."
    )


class DockerBasicAuth(Model):
    """Name and password for a registry of images."""

    password: str | None = Field(
        default=None,
        repr=False,
        description="Password of the user. Better a secret reference, such as `{{secrets/scope/key}}`.",
    )
    username: str | None = Field(default=None, description="Name of the user.")


class DockerImage(Model):
    """An image of a registry."""

    basic_auth: DockerBasicAuth | None = Field(
        default=None, description="Name and password, when the registry wants them."
    )
    url: str | None = Field(default=None, description="Address of the image.")


class Error(Model):
    """What Databricks says of a failed request."""

    error_code: str | None = Field(default=None, description="Code such as `INVALID_PARAMETER_VALUE`.")
    message: str | None = Field(default=None, description="Text for people.")


class FileStorageInfo(Model):
    """A file on the cluster's own disk."""

    destination: str | None = Field(default=None, description="Where it is, such as `file:/my/path`.")


class GitSnapshot(Model):
    """State of a repository when a run started. Databricks sets it, and only on runs."""

    used_commit: str | None = Field(
        default=None, description="Commit that was used. The head of the branch, when there is one."
    )


class SparseCheckout(Model):
    """The folders of a repository that are checked out."""

    patterns: list[str] | None = Field(
        default=None, description="Folders to check out, from the root of the repository. At most 10."
    )


class GitSource(Model):
    """A remote repository. One of `git_branch`, `git_tag` and `git_commit` says what is taken of it."""

    git_branch: str | None = Field(default=None, description="Branch to check out. At most 255 characters.")
    git_commit: str | None = Field(default=None, description="Commit to check out. At most 64 characters.")
    git_provider: (
        AnyCase[
            Literal[
                "gitHub",
                "bitbucketCloud",
                "azureDevOpsServices",
                "gitHubEnterprise",
                "bitbucketServer",
                "gitLab",
                "gitLabEnterpriseEdition",
                "awsCodeCommit",
            ]
        ]
        | None
    ) = Field(default=None, description="Service that holds the repository, in any case.")
    git_snapshot: GitSnapshot | None = Field(default=None, description="What was checked out; on runs only.")
    git_tag: str | None = Field(default=None, description="Tag to check out. At most 255 characters.")
    git_url: str | None = Field(default=None, description="Address of the repository. At most 300 characters.")
    sparse_checkout: SparseCheckout | None = Field(
        default=None, description="Folders that are checked out; all by default."
    )


class GitSource1(Root[GitSource | Any]):
    """A remote repository, or whatever Databricks sends in its place."""


class GroupName(Root[str]):
    """The name of a group. Only groups of the workspace may be named; nested ones may not."""


class IsOwner(str, Enum):
    """The permission that comes with owning a job.

    Attributes:
        isowner: Own the job.
    """

    isowner = "IS_OWNER"


class JobEmailNotifications(Model):
    """Who gets mail about runs."""

    no_alert_for_skipped_runs: bool | None = Field(
        default=None, description="Whether a skipped run sends no mail to `on_failure`."
    )
    on_failure: list[str] | None = Field(
        default=None, description="Addresses to write to when a run has failed with all its retries, or was skipped."
    )
    on_start: list[str] | None = Field(default=None, description="Addresses to write to when a run starts.")
    on_success: list[str] | None = Field(default=None, description="Addresses to write to when a run has succeeded.")
    on_duration_warning_threshold_exceeded: list[str] | None = Field(
        default=None, description="Addresses to write to when a run takes longer than `health` allows."
    )
    on_streaming_backlog_exceeded: list[str] | None = Field(
        default=None, description="Addresses to write to when a stream lags more than `health` allows."
    )


class LibraryInstallStatus(OpenEnum):
    """How far the installation of a library is.

    Attributes:
        pending: Nothing was done yet.
        resolving: Metadata is being fetched from the repository.
        installing: It is being installed.
        installed: It is installed.
        skipped: It was left out, since the runtime has another version of Scala.
        failed: Some step failed; `messages` says more.
        uninstallonrestart: It goes when the cluster restarts.
        restored: It is back after a restart.
    """

    pending = "PENDING"
    resolving = "RESOLVING"
    installing = "INSTALLING"
    installed = "INSTALLED"
    skipped = "SKIPPED"
    failed = "FAILED"
    uninstallonrestart = "UNINSTALL_ON_RESTART"
    restored = "RESTORED"


class ListOrder(OpenEnum):
    """The order of a list.

    Attributes:
        desc: Largest first.
        asc: Smallest first.
    """

    desc = "DESC"
    asc = "ASC"


class RuntimeEngine(OpenEnum):
    """Spark's engine, or Databricks's own. By default it follows from `spark_version`.

    Attributes:
        standard: Spark's own engine.
        photon: Photon.
    """

    standard = "STANDARD"
    photon = "PHOTON"


class LogSyncStatus(Model):
    """How delivering logs went."""

    last_attempted: int | None = Field(
        default=None, description="When logs were last delivered, in milliseconds since the epoch."
    )
    last_exception: str | None = Field(default=None, description="What went wrong then; none when all went well.")


class MavenLibrary(Model):
    """A library of Maven."""

    coordinates: str = Field(description="What to install, such as `org.jsoup:jsoup:1.7.2`.")
    exclusions: list[str] | None = Field(default=None, description="Dependencies to leave out, such as `slf4j:slf4j`.")
    repo: str | None = Field(default=None, description="Repository; by default Maven Central and Spark Packages.")


class NotebookOutput(Model):
    """What a notebook returned."""

    result: str | None = Field(
        default=None, description="Value given to `dbutils.notebook.exit()`. The first 5 MB are kept."
    )
    truncated: bool | None = Field(default=None, description="Whether the value was longer.")


class NotebookTask(Model):
    """A notebook."""

    base_parameters: dict[str, Any] | None = Field(
        default=None, description="Parameters by name, which those of a run override. Together at most 1 MB as JSON."
    )
    notebook_path: str = Field(
        description="Where it is: an absolute path in the workspace, or one relative to the repository."
    )
    source: Open[Literal["WORKSPACE", "GIT"]] | None = Field(
        default=None, description="Where it is: in the workspace, or in `git_source`."
    )
    warehouse_id: str | None = Field(
        default=None, description="ID of the SQL warehouse that it runs on. For SQL cells only."
    )


class ParameterPair(Model):
    """More on why a cluster ended, by the names that `TerminationParameter` lists."""


class PermissionLevel(Root[Open[CanManage | CanManageRun | CanView | IsOwner]]):
    """A permission for a user or a service principal."""


class PermissionLevelForGroup(Root[Open[CanManage | CanManageRun | CanView]]):
    """A permission for a group, which cannot own a job."""


class PipelineTask(Model):
    """A pipeline to update."""

    full_refresh: bool | None = Field(default=False, description="Whether everything is computed anew.")
    pipeline_id: str | None = Field(default=None, description="ID of the pipeline.")


class PoolClusterTerminationCode(OpenEnum):
    """Why a pool gave no nodes.

    Attributes:
        instancepoolmaxcapacityfailure: The pool has no more.
        instancepoolnotfoundfailure: The pool is gone, or no longer active.
    """

    instancepoolmaxcapacityfailure = "INSTANCE_POOL_MAX_CAPACITY_FAILURE"
    instancepoolnotfoundfailure = "INSTANCE_POOL_NOT_FOUND_FAILURE"


class PythonPyPiLibrary(Model):
    """A package of PyPI."""

    package: str = Field(description="What to install, with a version when one is wanted: `simplejson==3.8.0`.")
    repo: str | None = Field(default=None, description="Index to install from; that of `pip` by default.")


class PythonWheelTask(Model):
    """A function of a Python wheel."""

    entry_point: str | None = Field(
        default=None, description="Name of the entry point; without one in the metadata, the function of that name."
    )
    named_parameters: dict[str, Any] | None = Field(
        default=None, description="Parameters by name, passed as `--name=value`. Not together with `parameters`."
    )
    package_name: str | None = Field(default=None, description="Name of the package.")
    parameters: list[str] | None = Field(
        default=None, description="Parameters of the command line. Not together with `named_parameters`."
    )


class RCranLibrary(Model):
    """A package of CRAN."""

    package: str = Field(description="What to install.")
    repo: str | None = Field(default=None, description="Repository; CRAN's own by default.")


class RepairRunInput(Model):
    """A run, and which of its tasks to run again."""

    latest_repair_id: int | None = Field(
        default=None, description="ID of the last repair. Required unless this is the first."
    )
    rerun_all_failed_tasks: bool | None = Field(
        default=False, description="Whether all failed tasks run again. Not together with `rerun_tasks`."
    )
    rerun_tasks: list[str] | None = Field(default=None, description="Keys of the tasks to run again.")
    run_id: int | None = Field(default=None, description="ID of the run. It must have ended.")
    rerun_dependent_tasks: bool | None = Field(
        default=None, description="Whether tasks after those of `rerun_tasks` run again, even if they had succeeded."
    )
    job_parameters: dict[str, Any] | None = Field(default=None, description="Parameters of the job, by name.")


class ResizeCause(OpenEnum):
    """Why the number of nodes changed.

    Attributes:
        autoscale: The load changed.
        userrequest: Somebody asked for it.
        autorecovery: A node was lost.
    """

    autoscale = "AUTOSCALE"
    userrequest = "USER_REQUEST"
    autorecovery = "AUTORECOVERY"


class RunLifeCycleState(OpenEnum):
    """How far a run is.

    Attributes:
        terminated: It has ended, and so has the clean-up.
        pending: Its cluster and context are being prepared.
        running: It runs.
        terminating: It has ended, and the cluster is being cleaned up.
        skipped: It never ran, since another run of the job was active.
        internalerror: Databricks itself failed.
        blocked: It waits for others before it.
        waitingforretry: It waits for its next attempt.
        queued: It waits for room.
        waiting: It waits for something else.
    """

    terminated = "TERMINATED"
    pending = "PENDING"
    running = "RUNNING"
    terminating = "TERMINATING"
    skipped = "SKIPPED"
    internalerror = "INTERNAL_ERROR"
    blocked = "BLOCKED"
    waitingforretry = "WAITING_FOR_RETRY"
    queued = "QUEUED"
    waiting = "WAITING"


class RunNowInput(Model):
    """A job to run."""

    idempotency_token: str | None = Field(
        default=None,
        description="Token of at most 64 characters: a second request with it finds the first run, and starts none.",
    )
    job_id: int | None = Field(default=None, description="ID of the job.")


class PipelineParams(Model):
    """What a run changes of a pipeline's update."""

    full_refresh: bool | None = Field(default=None, description="Whether everything is computed anew.")


class RunParameters(Model):
    """Parameters of a run, by the kind of task they are for."""

    dbt_commands: list[str] | None = Field(default=None, description="Commands of dbt, for dbt tasks.")
    jar_params: list[str] | None = Field(
        default=None, description="Parameters of the main function, for JAR tasks. At most 10,000 bytes as JSON."
    )
    notebook_params: dict[str, Any] | None = Field(
        default=None, description="Parameters by name, for notebook tasks. At most 10,000 bytes as JSON."
    )
    pipeline_params: PipelineParams | None = Field(default=None, description="What changes of a pipeline's update.")
    python_named_params: dict[str, Any] | None = Field(default=None, description="Parameters by name, for wheel tasks.")
    python_params: list[str] | None = Field(
        default=None,
        description="Parameters of the command line, for Python tasks. ASCII only; at most 10,000 bytes as JSON.",
    )
    spark_submit_params: list[str] | None = Field(
        default=None,
        description=(
            "Parameters of the command line, for `spark-submit` tasks. ASCII only; at most 10,000 bytes as JSON."
        ),
    )
    sql_params: dict[str, Any] | None = Field(default=None, description="Parameters by name, for SQL tasks.")


class RunResultState(OpenEnum):
    """How a run ended.

    Attributes:
        success: It succeeded.
        failed: It failed.
        timedout: It was stopped, since it took too long.
        canceled: It was stopped, since somebody asked for it.
        maximumconcurrentrunsreached: It was skipped: there were as many runs as the job may have.
        excluded: It was skipped: what it depends on did not end as `run_if` wants.
        successwithfailures: Some tasks failed, but the last ones succeeded.
        upstreamfailed: It was skipped: a task before it failed.
        upstreamcanceled: It was skipped: a task before it was cancelled.
        disabled: It was skipped: it is disabled.
    """

    success = "SUCCESS"
    failed = "FAILED"
    timedout = "TIMEDOUT"
    canceled = "CANCELED"
    maximumconcurrentrunsreached = "MAXIMUM_CONCURRENT_RUNS_REACHED"
    excluded = "EXCLUDED"
    successwithfailures = "SUCCESS_WITH_FAILURES"
    upstreamfailed = "UPSTREAM_FAILED"
    upstreamcanceled = "UPSTREAM_CANCELED"
    disabled = "DISABLED"


class RunState(Model):
    """How far a run is, and how it ended."""

    life_cycle_state: RunLifeCycleState | None = Field(default=None, description="How far it is.")
    result_state: RunResultState | None = Field(default=None, description="How it ended; not there before that.")
    state_message: str | None = Field(default=None, description="What Databricks says of it. The text may change.")
    user_cancelled_or_timedout: bool | None = Field(
        default=None, description="Whether it was stopped, by a person or for the time it took."
    )
    queue_reason: str | None = Field(default=None, description="Why it waits in the queue.")


class RunType(OpenEnum):
    """What started a run.

    Attributes:
        jobrun: A job, by its schedule or on demand.
        workflowrun: A notebook, by `dbutils.notebook.run`.
        submitrun: A request for a single run.
    """

    jobrun = "JOB_RUN"
    workflowrun = "WORKFLOW_RUN"
    submitrun = "SUBMIT_RUN"


class S3StorageInfo(Model):
    """A place in S3."""

    canned_acl: str | None = Field(
        default=None, description="Canned ACL of what is written, such as `bucket-owner-full-control`."
    )
    destination: str | None = Field(default=None, description="Where it is, such as `s3://bucket/prefix`.")
    enable_encryption: bool | None = Field(default=None, description="Whether what is written is encrypted.")
    encryption_type: str | None = Field(default=None, description="How: `sse-s3` (by default) or `sse-kms`.")
    endpoint: str | None = Field(
        default=None, description="Endpoint, such as `https://s3-us-west-2.amazonaws.com`. Either this or `region`."
    )
    kms_key: str | None = Field(default=None, description="Key, with `sse-kms`.")
    region: str | None = Field(default=None, description="Region, such as `us-west-2`. Either this or `endpoint`.")


class ServicePrincipalName(Root[str]):
    """The application ID of a service principal."""


class SparkConfPair(Model):
    """Spark's configuration, by property."""


class SparkEnvPair(Model):
    """Environment variables, by name."""


class SparkJarTask(Model):
    """A class of a JAR, which is one of the `libraries`."""

    jar_uri: str | None = Field(
        default=None, deprecated=True, description="Databricks advises against this; use `libraries`."
    )
    main_class_name: str | None = Field(
        default=None,
        description="Class whose main function runs. It must get its context by `SparkContext.getOrCreate`.",
    )
    parameters: list[str] | None = Field(default=None, description="Parameters of the main function.")


class SparkNodeAwsAttributes(Model):
    """What holds for a node on AWS."""

    is_spot: bool | None = Field(default=None, description="Whether it is a spot instance.")


class SparkPythonTask(Model):
    """A Python file."""

    parameters: list[str] | None = Field(default=None, description="Parameters of the command line.")
    python_file: str = Field(
        description="Where it is: `dbfs:/…`, `s3://…`, a path in the workspace, or one relative to the repository."
    )
    source: Open[Literal["WORKSPACE", "GIT"]] | None = Field(
        default=None, description="Where the file is: in the workspace, or in `git_source`."
    )


class SparkSubmitTask(Model):
    """A `spark-submit` command."""

    parameters: list[str] | None = Field(default=None, description="Parameters of the command line.")


class SparkVersion(Model):
    """A runtime that clusters may have."""

    key: str | None = Field(default=None, description="What `spark_version` takes, such as `15.4.x-scala2.12`.")
    name: str | None = Field(default=None, description="Name for people.")


class SqlOutputError(Model):
    """Why a SQL task failed."""

    message: str | None = Field(default=None, description="Text for people.")


class SqlStatementOutput(Model):
    """A statement of a SQL task."""

    lookup_key: str | None = Field(default=None, description="Key that finds it in the history of queries.")


class SqlTaskSubscription(Model):
    """Somebody who is told of a SQL task."""

    destination_id: str | None = Field(default=None, description="ID of a destination. Either this or `user_name`.")
    user_name: str | None = Field(default=None, description="Address of a user. Either this or `destination_id`.")


class SqlTaskAlert(Model):
    """An alert."""

    alert_id: str = Field(description="ID of the alert.")
    pause_subscriptions: bool | None = Field(default=None, description="Whether subscribers are told nothing.")
    subscriptions: list[SqlTaskSubscription] | None = Field(default=None, description="Who is told.")


class SqlTaskDashboard(Model):
    """A dashboard."""

    dashboard_id: str = Field(description="ID of the dashboard.")
    custom_subject: str | None = Field(default=None, description="Subject of the mail to subscribers.")
    pause_subscriptions: bool | None = Field(default=None, description="Whether subscribers are told nothing.")
    subscriptions: list[SqlTaskSubscription] | None = Field(default=None, description="Who is sent a picture of it.")


class SqlTaskQuery(Model):
    """A query."""

    query_id: str = Field(description="ID of the query.")


class TaskDependency(Model):
    """A task that must have ended before."""

    task_key: str | None = Field(default=None, description="Name of that task.")
    outcome: str | None = Field(
        default=None, description="For a condition: the outcome that lets this task run, `true` or `false`."
    )


class TaskDependencies(TypedList):
    """The tasks that must have ended before this one starts. Required when a job has more than one task."""

    item = TaskDependency


class TaskDescription(Root[str]):
    """What a task is for. At most 4096 bytes."""


class TaskKey(Root[TaskKeyStr]):
    """The name of a task, unique in its job: 1 to 100 letters, digits, `-` and `_`."""


class TerminationCode(OpenEnum):
    """Why a cluster ended.

    Attributes:
        userrequest: Somebody ended it; `username` says who.
        jobfinished: Its job ended.
        inactivity: It was idle for too long.
        cloudprovidershutdown: The cloud ended the driver's machine; `aws_instance_state_reason` says why.
        communicationlost: The driver could no longer be reached.
        cloudproviderlaunchfailure: The cloud gave no machines, most likely because of a limit.
        sparkstartupfailure: Spark did not start.
        invalidargument: Something that was asked for is not valid, such as the version of the runtime.
        unexpectedlaunchfailure: Databricks could not set it up.
        internalerror: Databricks itself failed.
        sparkerror: The driver did not start, most likely because of libraries or init scripts.
        metastorecomponentunhealthy: The external metastore could not be reached.
        dbfscomponentunhealthy: DBFS could not be reached.
        driverunreachable: The driver could not be reached.
        driverunresponsive: The driver did not answer.
        instanceunreachable: Machines could not be reached, most likely because of the network.
        containerlaunchfailure: Containers did not start, most likely because of the network.
        instancepoolclusterfailure: The pool gave no nodes.
        requestrejected: Databricks is busy; try again later.
        initscriptfailure: An init script could not be loaded, or failed.
        trialexpired: The trial of Databricks is over.
    """

    userrequest = "USER_REQUEST"
    jobfinished = "JOB_FINISHED"
    inactivity = "INACTIVITY"
    cloudprovidershutdown = "CLOUD_PROVIDER_SHUTDOWN"
    communicationlost = "COMMUNICATION_LOST"
    cloudproviderlaunchfailure = "CLOUD_PROVIDER_LAUNCH_FAILURE"
    sparkstartupfailure = "SPARK_STARTUP_FAILURE"
    invalidargument = "INVALID_ARGUMENT"
    unexpectedlaunchfailure = "UNEXPECTED_LAUNCH_FAILURE"
    internalerror = "INTERNAL_ERROR"
    sparkerror = "SPARK_ERROR"
    metastorecomponentunhealthy = "METASTORE_COMPONENT_UNHEALTHY"
    dbfscomponentunhealthy = "DBFS_COMPONENT_UNHEALTHY"
    driverunreachable = "DRIVER_UNREACHABLE"
    driverunresponsive = "DRIVER_UNRESPONSIVE"
    instanceunreachable = "INSTANCE_UNREACHABLE"
    containerlaunchfailure = "CONTAINER_LAUNCH_FAILURE"
    instancepoolclusterfailure = "INSTANCE_POOL_CLUSTER_FAILURE"
    requestrejected = "REQUEST_REJECTED"
    initscriptfailure = "INIT_SCRIPT_FAILURE"
    trialexpired = "TRIAL_EXPIRED"


class TerminationParameter(Model):
    """What is known of why a cluster ended."""

    aws_api_error_code: str | None = Field(
        default=None, description="AWS's code for the failure, such as `InstanceLimitExceeded`."
    )
    aws_error_message: str | None = Field(default=None, description="AWS's text for the failure.")
    aws_impaired_status_details: str | None = Field(
        default=None, description="AWS's details on why an instance is impaired."
    )
    aws_instance_state_reason: str | None = Field(default=None, description="AWS's reason for the driver's state.")
    aws_instance_status_event: str | None = Field(default=None, description="AWS's event for an instance that is gone.")
    aws_spot_request_fault_code: str | None = Field(
        default=None, description="AWS's code for a failed request of spot instances."
    )
    aws_spot_request_status: str | None = Field(
        default=None, description="AWS's status of a request of spot instances."
    )
    databricks_error_message: str | None = Field(default=None, description="Databricks's text for the failure.")
    inactivity_duration_min: str | None = Field(default=None, description="Minutes that the cluster was idle for.")
    instance_id: str | None = Field(default=None, description="ID of the instance that hosted the driver.")
    instance_pool_error_code: str | None = Field(default=None, description="Code of the pool's failure.")
    instance_pool_id: str | None = Field(default=None, description="ID of the pool.")
    username: str | None = Field(default=None, description="Who ended the cluster.")


class TerminationType(OpenEnum):
    """Whose fault the end of a cluster was.

    Attributes:
        success: Nobody's.
        clienterror: That of who asked: change the request before the next try.
        servicefault: That of Databricks: try again.
        cloudfailure: That of the cloud: try again when it has recovered.
    """

    success = "SUCCESS"
    clienterror = "CLIENT_ERROR"
    servicefault = "SERVICE_FAULT"
    cloudfailure = "CLOUD_FAILURE"


class TriggerType(OpenEnum):
    """What started a run of a job.

    Attributes:
        periodic: Its schedule.
        onetime: A request.
        retry: The failure of the attempt before.
        runjobtask: A task of another job.
        filearrival: A file that arrived.
        continuous: The end of the run before, in a continuous job.
        continuousrestart: A restart of a continuous job.
        table: A table that changed.
        jobcompletion: The end of another job.
    """

    periodic = "PERIODIC"
    onetime = "ONE_TIME"
    retry = "RETRY"
    runjobtask = "RUN_JOB_TASK"
    filearrival = "FILE_ARRIVAL"
    continuous = "CONTINUOUS"
    continuousrestart = "CONTINUOUS_RESTART"
    table = "TABLE"
    jobcompletion = "JOB_COMPLETION"


class UserName(Root[str]):
    """The address of a user."""


class ViewType(OpenEnum):
    """What a view shows.

    Attributes:
        notebook: A notebook.
        dashboard: A dashboard.
    """

    notebook = "NOTEBOOK"
    dashboard = "DASHBOARD"


class ViewsToExport(OpenEnum):
    """The views of a run to export.

    Attributes:
        code: The code of the notebook.
        dashboards: All dashboards of the notebook.
        all: All views of the notebook.
    """

    code = "CODE"
    dashboards = "DASHBOARDS"
    all = "ALL"


class OnFailureItem(Model):
    """A destination that is told of failures."""

    id: str | None = Field(default=None, description="ID of the system destination.")


class OnStartItem(Model):
    """A destination that is told of starts."""

    id: str | None = Field(default=None, description="ID of the system destination.")


class OnSucces(Model):
    """A destination that is told of successes."""

    id: str | None = Field(default=None, description="ID of the system destination.")


class Webhook(Model):
    """A destination that is called."""

    id: str = Field(description="ID of the system destination.")


class WebhookNotifications(Model):
    """System destinations that are told of runs."""

    on_failure: list[OnFailureItem] | None = Field(
        default=None, description="Destinations to call when a run has failed. At most 3."
    )
    on_start: list[OnStartItem] | None = Field(
        default=None, description="Destinations to call when a run starts. At most 3."
    )
    on_success: list[OnSucces] | None = Field(
        default=None, description="Destinations to call when a run has succeeded. At most 3."
    )
    on_duration_warning_threshold_exceeded: list[Webhook] | None = Field(
        default=None, description="Destinations to call when a run takes longer than `health` allows. At most 3."
    )
    on_streaming_backlog_exceeded: list[Webhook] | None = Field(
        default=None, description="Destinations to call when a stream lags more than `health` allows. At most 3."
    )


class AccessControlRequestForGroup(Model):
    """A permission of a group."""

    group_name: GroupName | None = Field(default=None, description="Name of the group.")
    permission_level: PermissionLevelForGroup | None = Field(default=None, description="What it may do.")


class AccessControlRequestForServicePrincipal(Model):
    """A permission of a service principal."""

    permission_level: PermissionLevel | None = Field(default=None, description="What it may do.")
    service_principal_name: ServicePrincipalName | None = Field(
        default=None, description="Application ID of the service principal."
    )


class AccessControlRequestForUser(Model):
    """A permission of a user."""

    permission_level: PermissionLevel | None = Field(default=None, description="What they may do.")
    user_name: UserName | None = Field(default=None, description="Address of the user.")


class ClusterCloudProviderNodeInfo(Model):
    """What the cloud says of a kind of machine."""

    available_core_quota: int | None = Field(default=None, description="Cores that may still be used.")
    status: ClusterCloudProviderNodeStatus | None = Field(default=None, description="Why it cannot be had.")
    total_core_quota: int | None = Field(default=None, description="Cores that may be used altogether.")


class VolumesStorageInfo(Model):
    """A place in a volume of Unity Catalog."""

    destination: str = Field(description="Where it is, such as `/Volumes/catalog/schema/volume/init.sh`.")


class ClusterLogConf(Model):
    """Where a cluster's logs go. One of the places is given."""

    dbfs: DbfsStorageInfo | None = Field(default=None, description="A place in DBFS.")
    s3: S3StorageInfo | None = Field(
        default=None,
        description=(
            "A place in S3. Its `region` or `endpoint` is required, and the instance profile must be able to write "
            "there."
        ),
    )
    volumes: VolumesStorageInfo | None = Field(default=None, description="A place in a volume of Unity Catalog.")


class WorkspaceStorageInfo(Model):
    """A file of the workspace."""

    destination: str = Field(description="Where it is, such as `/Users/me@example.com/init.sh`.")


class Adlsgen2Info(Model):
    """A place in Azure Data Lake Storage."""

    destination: str = Field(description="Where it is, such as `abfss://container@account.dfs.core.windows.net/path`.")


class GcsStorageInfo(Model):
    """A place in Cloud Storage."""

    destination: str = Field(description="Where it is, such as `gs://bucket/path`.")


class InitScriptInfo(Model):
    """Where an init script is. One of the places is given."""

    s3: S3StorageInfo | None = Field(
        default=None,
        alias="S3",
        serialization_alias="s3",
        description="A place in S3. Its `region` or `endpoint` is required.",
    )
    dbfs: DbfsStorageInfo | None = Field(
        default=None, deprecated=True, description="A place in DBFS. Databricks advises against it."
    )
    file: FileStorageInfo | None = Field(default=None, description="A file of the image that the nodes run.")
    workspace: WorkspaceStorageInfo | None = Field(default=None, description="A file of the workspace.")
    volumes: VolumesStorageInfo | None = Field(default=None, description="A file of a volume of Unity Catalog.")
    abfss: Adlsgen2Info | None = Field(default=None, description="A file of Azure Data Lake Storage.")
    gcs: GcsStorageInfo | None = Field(default=None, description="A file of Cloud Storage.")


class Library(Model):
    """A library. One of the kinds is given."""

    cran: RCranLibrary | None = Field(default=None, description="A package of CRAN.")
    egg: str | None = Field(
        default=None, description="Address of an egg. Databricks no longer installs these on newer runtimes."
    )
    jar: str | None = Field(
        default=None, description="Address of a JAR: `dbfs:/…`, `s3://…`, or a path in the workspace or a volume."
    )
    maven: MavenLibrary | None = Field(default=None, description="A library of Maven.")
    pypi: PythonPyPiLibrary | None = Field(default=None, description="A package of PyPI.")
    whl: str | None = Field(
        default=None, description="Address of a wheel, or of a zip of wheels whose name ends in `.wheelhouse.zip`."
    )
    requirements: str | None = Field(
        default=None, description="Address of a `requirements.txt`, in the workspace or a volume."
    )


class LibraryFullStatus(Model):
    """How far the installation of a library on a cluster is."""

    is_library_for_all_clusters: bool | None = Field(
        default=None, description="Whether it was set to be installed on all clusters."
    )
    library: Library | None = Field(default=None, description="Which one.")
    messages: list[str] | None = Field(
        default=None, description="What was said during the installation: all of it, also warnings."
    )
    status: LibraryInstallStatus | None = Field(default=None, description="How far it is.")


class AzureAttributes(Model):
    """What holds for a cluster on Azure."""

    availability: Open[Literal["SPOT_AZURE", "ON_DEMAND_AZURE", "SPOT_WITH_FALLBACK_AZURE"]] | None = Field(
        default=None, description="Whether nodes after `first_on_demand` are spot instances."
    )
    first_on_demand: int | None = Field(
        default=None,
        description="Number of nodes, the driver first, that are on demand whatever `availability` says. At least 1.",
    )
    spot_bid_max_price: float | None = Field(
        default=None, description="Highest bid for spot instances; -1 for the price on demand."
    )


class GcpAttributes(Model):
    """What holds for a cluster on Google Cloud."""

    availability: Open[Literal["PREEMPTIBLE_GCP", "ON_DEMAND_GCP", "PREEMPTIBLE_WITH_FALLBACK_GCP"]] | None = Field(
        default=None, description="Whether workers can be taken away again."
    )
    boot_disk_size: int | None = Field(default=None, description="GB of each node's disk to boot from.")
    first_on_demand: int | None = Field(
        default=None, description="Number of nodes, the driver first, that are on demand whatever `availability` says."
    )
    google_service_account: str | None = Field(default=None, description="Service account that nodes act as.")
    local_ssd_count: int | None = Field(default=None, description="Local SSDs of each node, of 375 GB each.")
    use_preemptible_executors: bool | None = Field(
        default=None, deprecated=True, description="Databricks advises against this: use `availability`."
    )
    zone_id: str | None = Field(
        default=None, description="Zone such as `us-central1-a`, or `HA` or `AUTO` for what Databricks finds best."
    )


class ClientsTypes(Model):
    """The clients that a cluster is for."""

    jobs: bool | None = Field(default=None, description="Whether jobs may run on it.")
    notebooks: bool | None = Field(default=None, description="Whether notebooks may run on it.")


class WorkloadType(Model):
    """What may run on a cluster."""

    clients: ClientsTypes = Field(description="The clients that it is for.")


class NewCluster(Model):
    """A cluster that is made for a run. It ends with the run."""

    autoscale: AutoScale | None = Field(
        default=None, description="Bounds of an automatic number of workers, in place of `num_workers`."
    )
    aws_attributes: AwsAttributes | None = Field(default=None, description="Attributes of the cluster on AWS.")
    cluster_log_conf: ClusterLogConf | None = Field(
        default=None, description="Where the cluster's logs are delivered, every five minutes; nowhere by default."
    )
    custom_tags: ClusterTag | None = Field(
        default=None, description="Tags for all cloud resources of the cluster, beside the default ones. At most 45."
    )
    driver_instance_pool_id: str | None = Field(
        default=None, description="ID of the pool that the driver comes from; that of the workers by default."
    )
    driver_node_type_id: str | None = Field(
        default=None, description="Kind of machine of the driver; that of the workers by default."
    )
    enable_elastic_disk: bool | None = Field(
        default=None, description="Whether the cluster gets more disk when its workers run low on it."
    )
    enable_local_disk_encryption: bool | None = Field(default=None, description="Whether local disks are encrypted.")
    init_scripts: list[InitScriptInfo] | None = Field(
        default=None, description="Scripts that run on each node when the cluster starts, in order. At most 10."
    )
    instance_pool_id: str | None = Field(default=None, description="ID of the pool that the nodes come from.")
    node_type_id: str | None = Field(
        default=None, description="Kind of machine of the workers, and of the driver when it has none of its own."
    )
    num_workers: int | None = Field(
        default=None,
        description="Number of workers beside the driver. A resized cluster shows the size that was asked for.",
    )
    policy_id: str | None = Field(default=None, description="ID of the cluster policy that holds.")
    spark_conf: SparkConfPair | None = Field(default=None, description="Spark's configuration properties.")
    spark_env_vars: SparkEnvPair | None = Field(
        default=None,
        description=(
            "Environment variables of driver and workers. `SPARK_DAEMON_JAVA_OPTS` is best extended, not replaced."
        ),
    )
    spark_version: str = Field(description="Runtime of the cluster, such as `15.4.x-scala2.12`.")
    ssh_public_keys: list[str] | None = Field(
        default=None, description="SSH keys that may log in to each node as `ubuntu` on port 2200. At most 10."
    )
    autotermination_minutes: int | None = Field(
        default=None, description="Idle minutes after which the cluster ends. Of no use for a run's own cluster."
    )
    apply_policy_default_values: bool | None = Field(
        default=None, description="Whether what is not set is taken from the policy."
    )
    azure_attributes: AzureAttributes | None = Field(default=None, description="Attributes of the cluster on Azure.")
    gcp_attributes: GcpAttributes | None = Field(default=None, description="Attributes of the cluster on Google Cloud.")
    cluster_name: str | None = Field(
        default=None, description="Name of the cluster. Databricks names the cluster of a run itself."
    )
    data_security_mode: (
        Open[
            Literal[
                "NONE",
                "SINGLE_USER",
                "USER_ISOLATION",
                "LEGACY_TABLE_ACL",
                "LEGACY_PASSTHROUGH",
                "LEGACY_SINGLE_USER",
                "LEGACY_SINGLE_USER_STANDARD",
                "DATA_SECURITY_MODE_STANDARD",
                "DATA_SECURITY_MODE_DEDICATED",
                "DATA_SECURITY_MODE_AUTO",
            ]
        ]
        | None
    ) = Field(default=None, description="Who may see what on the cluster.")
    docker_image: DockerImage | None = Field(default=None, description="Image that the nodes run.")
    is_single_node: bool | None = Field(
        default=None, description="Whether the driver is the only node. With `kind` only."
    )
    kind: str | None = Field(default=None, description="Kind of the cluster, such as `CLASSIC_PREVIEW`.")
    runtime_engine: RuntimeEngine | None = Field(
        default=None, description="Engine of Spark. By default it follows from `spark_version`."
    )
    single_user_name: str | None = Field(default=None, description="The only user who may use the cluster.")
    use_ml_runtime: bool | None = Field(
        default=None, description="Whether the runtime is that for machine learning. With `kind` only."
    )
    workload_type: WorkloadType | None = Field(default=None, description="What may run on the cluster.")


class NodeType(Model):
    """A kind of machine."""

    description: str = Field(description="Text for people, such as `r3.xlarge (beta)`.")
    instance_type_id: str = Field(description="Name at the cloud.")
    is_deprecated: bool | None = Field(default=None, description="Whether it is on its way out.")
    memory_mb: int = Field(description="MB of memory.")
    node_info: ClusterCloudProviderNodeInfo | None = Field(default=None, description="What the cloud says of it.")
    node_type_id: str = Field(description="Name at Databricks.")
    num_cores: float | None = Field(default=None, description="Cores. Half a core is possible.")


class RepairHistoryItem(Model):
    """A run, or one of its repairs."""

    end_time: int | None = Field(
        default=None, description="When it ended, in milliseconds since the epoch, UTC; 0 while it runs."
    )
    id: int | None = Field(default=None, description="ID of the repair; none for the run itself.")
    start_time: int | None = Field(default=None, description="When it started, in milliseconds since the epoch, UTC.")
    state: RunState | None = Field(default=None, description="How far it is, and how it ended.")
    task_run_ids: list[int] | None = Field(default=None, description="IDs of the runs of tasks that belong to it.")
    type: Open[Literal["ORIGINAL", "REPAIR"]] | None = Field(
        default=None, description="Whether it is the run itself or a repair."
    )


class SparkNode(Model):
    """A node of a cluster."""

    host_private_ip: str | None = Field(default=None, description="Private address of the machine.")
    instance_id: str | None = Field(default=None, description="ID of the machine at the cloud.")
    node_aws_attributes: SparkNodeAwsAttributes | None = Field(default=None, description="What holds for it on AWS.")
    node_id: str | None = Field(default=None, description="ID of the node.")
    private_ip: str | None = Field(
        default=None, description="Private address of the driver or executor; other than that of the machine."
    )
    public_dns: str | None = Field(default=None, description="Public name. Port 2200 takes SSH, where keys are given.")
    start_timestamp: int | None = Field(
        default=None, description="When it was asked for, in milliseconds since the epoch."
    )


class SqlAlertOutput(Model):
    """What an alert found."""

    output_link: str | None = Field(default=None, description="Address of the result.")
    query_text: str | None = Field(default=None, description="Query of the alert, with its parameters in place.")
    sql_statements: SqlStatementOutput | None = Field(default=None, description="Statements that ran.")
    warehouse_id: str | None = Field(default=None, description="ID of the SQL warehouse.")
    alert_state: Open[Literal["UNKNOWN", "OK", "TRIGGERED"]] | None = Field(
        default=None, description="Whether the alert was raised."
    )


class SqlDashboardWidgetOutput(Model):
    """What a part of a dashboard showed."""

    end_time: int | None = Field(
        default=None, description="When it ended, in milliseconds since the epoch, UTC; 0 while it runs."
    )
    error: SqlOutputError | None = Field(default=None, description="Why it failed.")
    output_link: str | None = Field(default=None, description="Address of the result.")
    start_time: int | None = Field(default=None, description="When it started, in milliseconds since the epoch, UTC.")
    status: Open[Literal["PENDING", "RUNNING", "SUCCESS", "FAILED", "CANCELLED"]] | None = Field(
        default=None, description="How far it is."
    )
    widget_id: str | None = Field(default=None, description="ID of the part.")
    widget_title: str | None = Field(default=None, description="Title of the part.")


class SqlQueryOutput(Model):
    """What a query found."""

    output_link: str | None = Field(default=None, description="Address of the result.")
    query_text: str | None = Field(default=None, description="Query, with its parameters in place.")
    sql_statements: SqlStatementOutput | None = Field(default=None, description="Statements that ran.")
    warehouse_id: str | None = Field(default=None, description="ID of the SQL warehouse.")


class SqlTaskFile(Model):
    """A file of SQL."""

    path: str = Field(description="Where it is: relative to the repository, or an absolute path in the workspace.")
    source: Open[Literal["WORKSPACE", "GIT"]] | None = Field(
        default=None, description="Where it is: in the workspace, or in `git_source`."
    )


class SqlTask(Model):
    """Work for a SQL warehouse. One of `query`, `dashboard`, `alert` and `file` is given."""

    alert: SqlTaskAlert | None = Field(default=None, description="An alert to check.")
    dashboard: SqlTaskDashboard | None = Field(default=None, description="A dashboard to refresh.")
    parameters: dict[str, Any] | None = Field(default=None, description="Parameters by name. Alerts take none.")
    query: SqlTaskQuery | None = Field(default=None, description="A query to run.")
    warehouse_id: str = Field(description="ID of the SQL warehouse.")
    file: SqlTaskFile | None = Field(default=None, description="A file of SQL to run.")


class TerminationReason(Model):
    """Why a cluster ended."""

    code: TerminationCode | None = Field(default=None, description="What happened.")
    parameters: ParameterPair | None = Field(default=None, description="What more is known.")
    type: TerminationType | None = Field(default=None, description="Whose fault it was.")


class ViewItem(Model):
    """A view of a run, exported."""

    content: str | None = Field(default=None, description="HTML of the view.")
    name: str | None = Field(default=None, description="Name: of the notebook, or of the dashboard.")
    type: ViewType | None = Field(default=None, description="What it shows.")


class AccessControlRequest(
    AccessControlRequestForUser, AccessControlRequestForGroup, AccessControlRequestForServicePrincipal
):
    """A permission of a user, of a group or of a service principal."""


class ClusterAttributes(Model):
    """What a cluster keeps when it restarts."""

    autotermination_minutes: int | None = Field(
        default=None, description="Idle minutes after which the cluster ends: 10 to 10000, or 0 for never."
    )
    aws_attributes: AwsAttributes | None = Field(default=None, description="Attributes of the cluster on AWS.")
    cluster_log_conf: ClusterLogConf | None = Field(
        default=None, description="Where the cluster's logs are delivered, every five minutes; nowhere by default."
    )
    cluster_name: str | None = Field(default=None, description="Name of the cluster; it need not be unique.")
    cluster_source: ClusterSource | None = Field(default=None, description="Who made the cluster.")
    custom_tags: ClusterTag | None = Field(
        default=None, description="Tags for all cloud resources of the cluster, beside the default ones. At most 45."
    )
    docker_image: DockerImage | None = Field(default=None, description="Image that the nodes run.")
    driver_node_type_id: str | None = Field(
        default=None, description="Kind of machine of the driver; that of the workers by default."
    )
    enable_elastic_disk: bool | None = Field(
        default=None, description="Whether the cluster gets more disk when its workers run low on it."
    )
    enable_local_disk_encryption: bool | None = Field(default=None, description="Whether local disks are encrypted.")
    init_scripts: list[InitScriptInfo] | None = Field(
        default=None, description="Scripts that run on each node when the cluster starts, in order. At most 10."
    )
    instance_pool_id: str | None = Field(default=None, description="ID of the pool that the nodes come from.")
    node_type_id: str | None = Field(
        default=None, description="Kind of machine of the workers, and of the driver when it has none of its own."
    )
    policy_id: str | None = Field(default=None, description="ID of the cluster policy that holds.")
    spark_conf: SparkConfPair | None = Field(default=None, description="Spark's configuration properties.")
    spark_env_vars: SparkEnvPair | None = Field(
        default=None,
        description=(
            "Environment variables of driver and workers. `SPARK_DAEMON_JAVA_OPTS` is best extended, not replaced."
        ),
    )
    spark_version: str | None = Field(default=None, description="Runtime of the cluster, such as `15.4.x-scala2.12`.")
    ssh_public_keys: list[str] | None = Field(
        default=None, description="SSH keys that may log in to each node as `ubuntu` on port 2200. At most 10."
    )


class ClusterInfo(Model):
    """What is known of a cluster."""

    autoscale: AutoScale | None = Field(
        default=None, description="Bounds of an automatic number of workers, in place of `num_workers`."
    )
    autotermination_minutes: int | None = Field(
        default=None, description="Idle minutes after which the cluster ends: 10 to 10000, or 0 for never."
    )
    aws_attributes: AwsAttributes | None = Field(default=None, description="Attributes of the cluster on AWS.")
    cluster_cores: float | None = Field(default=None, description="Cores of all nodes together.")
    cluster_id: str | None = Field(default=None, description="ID of the cluster, which stays the same over restarts.")
    cluster_log_conf: ClusterLogConf | None = Field(
        default=None, description="Where the cluster's logs are delivered, every five minutes; nowhere by default."
    )
    cluster_log_status: LogSyncStatus | None = Field(default=None, description="How delivering logs went.")
    cluster_memory_mb: int | None = Field(default=None, description="MB of memory of all nodes together.")
    cluster_name: str | None = Field(default=None, description="Name of the cluster; it need not be unique.")
    cluster_source: ClusterSource | None = Field(default=None, description="Who made the cluster.")
    creator_user_name: str | None = Field(default=None, description="Who made it; empty when that user is gone.")
    custom_tags: list[ClusterTag] | None = Field(
        default=None, description="Tags for all cloud resources of the cluster, beside the default ones. At most 45."
    )
    default_tags: ClusterTag | None = Field(default=None, description="Tags that Databricks sets.")
    docker_image: DockerImage | None = Field(default=None, description="Image that the nodes run.")
    driver: SparkNode | None = Field(default=None, description="The driver.")
    driver_node_type_id: str | None = Field(
        default=None, description="Kind of machine of the driver; that of the workers by default."
    )
    enable_elastic_disk: bool | None = Field(
        default=None, description="Whether the cluster gets more disk when its workers run low on it."
    )
    executors: list[SparkNode] | None = Field(default=None, description="The workers.")
    init_scripts: list[InitScriptInfo] | None = Field(
        default=None, description="Scripts that run on each node when the cluster starts, in order. At most 10."
    )
    instance_pool_id: str | None = Field(default=None, description="ID of the pool that the nodes come from.")
    jdbc_port: int | None = Field(default=None, description="Port on which the driver takes JDBC.")
    last_activity_time: int | None = Field(
        default=None, description="When something last ran, in milliseconds since the epoch."
    )
    last_state_loss_time: int | None = Field(
        default=None, description="When the driver last lost its state, in milliseconds since the epoch."
    )
    node_type_id: str | None = Field(
        default=None, description="Kind of machine of the workers, and of the driver when it has none of its own."
    )
    num_workers: int | None = Field(
        default=None,
        description="Number of workers beside the driver. A resized cluster shows the size that was asked for.",
    )
    spark_conf: SparkConfPair | None = Field(default=None, description="Spark's configuration properties.")
    spark_context_id: int | None = Field(
        default=None, description="ID of the Spark context, which is another after a restart."
    )
    spark_env_vars: SparkEnvPair | None = Field(
        default=None,
        description=(
            "Environment variables of driver and workers. `SPARK_DAEMON_JAVA_OPTS` is best extended, not replaced."
        ),
    )
    spark_version: str | None = Field(default=None, description="Runtime of the cluster, such as `15.4.x-scala2.12`.")
    ssh_public_keys: list[str] | None = Field(
        default=None, description="SSH keys that may log in to each node as `ubuntu` on port 2200. At most 10."
    )
    start_time: int | None = Field(
        default=None, description="When the cluster was asked for, in milliseconds since the epoch."
    )
    state: ClusterState | None = Field(default=None, description="How far it is.")
    state_message: str | None = Field(default=None, description="What Databricks says of that.")
    terminated_time: int | None = Field(default=None, description="When it ended, in milliseconds since the epoch.")
    termination_reason: TerminationReason | None = Field(default=None, description="Why it ended.")


class ClusterLibraryStatuses(Model):
    """How far the libraries of a cluster are."""

    cluster_id: str | None = Field(default=None, description="ID of the cluster, which stays the same over restarts.")
    library_statuses: list[LibraryFullStatus] | None = Field(default=None, description="How far each is.")


class ClusterSpec(Model):
    """The cluster of a run: a running one, or a new one."""

    existing_cluster_id: str | None = Field(
        default=None,
        description="ID of a running all-purpose cluster that the work shares. New clusters isolate it better.",
    )
    libraries: list[Library] | None = Field(
        default=None, description="Libraries to install on the cluster before the work starts."
    )
    new_cluster: NewCluster | None = Field(default=None, description="Cluster that is made for this and ends with it.")
    job_cluster_key: str | None = Field(default=None, description="Key of the job cluster that is used.")


class EventDetails(Model):
    """What more is known of an event."""

    attributes: AwsAttributes | None = Field(default=None, description="Attributes of the cluster, when they were set.")
    cause: ResizeCause | None = Field(default=None, description="Why the size changed.")
    cluster_size: ClusterSize | None = Field(default=None, description="Size of the cluster, when it was set.")
    current_num_workers: int | None = Field(default=None, description="Workers at the time.")
    previous_attributes: AwsAttributes | None = Field(default=None, description="Attributes before they were changed.")
    previous_cluster_size: ClusterSize | None = Field(default=None, description="Size before it was changed.")
    reason: TerminationReason | None = Field(
        default=None, description="Why the cluster ended, or why nodes are missing."
    )
    target_num_workers: int | None = Field(default=None, description="Workers that there shall be.")
    user: str | None = Field(default=None, description="Who asked for it; none for Databricks itself.")


class JobCluster(Model):
    """A cluster that tasks of a job share."""

    job_cluster_key: TaskKeyStr = Field(
        description="Key by which tasks name the cluster: 1 to 100 letters, digits, `-` and `_`."
    )
    new_cluster: NewCluster | None = Field(default=None, description="The cluster.")


class JobTask(Model):
    """What a task does. One of the kinds is given."""

    dbt_task: DbtTask | None = Field(
        default=None, description="dbt commands to run, with dbt and the project on the cluster."
    )
    notebook_task: NotebookTask | None = Field(default=None, description="A notebook to run.")
    pipeline_task: PipelineTask | None = Field(default=None, description="A pipeline to update.")
    python_wheel_task: PythonWheelTask | None = Field(default=None, description="An entry point of a wheel to run.")
    spark_jar_task: SparkJarTask | None = Field(default=None, description="A class of a JAR to run.")
    spark_python_task: SparkPythonTask | None = Field(default=None, description="A Python file to run.")
    spark_submit_task: SparkSubmitTask | None = Field(
        default=None, description="A `spark-submit` command to run, on a new cluster only."
    )
    sql_task: SqlTask | None = Field(
        default=None, description="A query, dashboard, alert or SQL file to run on a SQL warehouse."
    )


class JobsHealthRule(Model):
    """A limit that leads to a warning."""

    metric: Open[
        Literal[
            "RUN_DURATION_SECONDS",
            "STREAMING_BACKLOG_BYTES",
            "STREAMING_BACKLOG_FILES",
            "STREAMING_BACKLOG_RECORDS",
            "STREAMING_BACKLOG_SECONDS",
        ]
    ] = Field(description="What is measured.")
    op: Open[Literal["GREATER_THAN"]] = Field(description="How it is compared.")
    value: int = Field(description="The limit.")


class JobsHealthRules(Model):
    """Limits that lead to a warning."""

    rules: list[JobsHealthRule] | None = Field(default=None, description="The limits.")


class TaskNotificationSettings(Model):
    """Which notifications on a task are left out."""

    alert_on_last_attempt: bool | None = Field(
        default=None, description="Those on failures that are followed by a retry."
    )
    no_alert_for_canceled_runs: bool | None = Field(default=None, description="Those on runs that were cancelled.")
    no_alert_for_skipped_runs: bool | None = Field(default=None, description="Those on runs that were skipped.")


class ConditionTask(Model):
    """A comparison of two values. Tasks after it name the `outcome` that they want."""

    op: Open[
        Literal["EQUAL_TO", "NOT_EQUAL", "GREATER_THAN", "GREATER_THAN_OR_EQUAL", "LESS_THAN", "LESS_THAN_OR_EQUAL"]
    ] = Field(description="How they are compared: as text for `EQUAL_TO` and `NOT_EQUAL`, else as numbers.")
    left: str = Field(description="The one on the left, which may be a reference such as `{{job.parameters.name}}`.")
    right: str = Field(description="The one on the right, which may be a reference.")
    outcome: str | None = Field(default=None, description="`true` or `false`; on runs only.")


class ForEachStats(Model):
    """How the runs of a for-each task went."""

    error_message_stats: list[dict[str, Any]] | None = Field(
        default=None, description="Messages of failures, and how often each was seen."
    )
    task_run_stats: dict[str, Any] | None = Field(
        default=None, description="Numbers of iterations: active, completed, failed, scheduled, succeeded, total."
    )


class ForEachTask(Model):
    """A task to run once for each of several inputs."""

    inputs: str = Field(description="Inputs as a JSON array, or a reference to one.")
    task: "JobTaskSettings" = Field(description="The task. It gets its input by `{{input}}`.")
    concurrency: int | None = Field(
        default=None, description="Runs that may be active together: up to 100, 20 by default."
    )
    stats: ForEachStats | None = Field(default=None, description="How its runs went; on runs only.")


class RunJobTask(Model):
    """Another job to run."""

    job_id: int = Field(description="ID of the job.")
    job_parameters: dict[str, Any] | None = Field(default=None, description="Parameters of the job, by name.")
    dbt_commands: list[str] | None = Field(default=None, description="Commands of dbt, for dbt tasks.")
    jar_params: list[str] | None = Field(default=None, description="Parameters of the main function, for JAR tasks.")
    notebook_params: dict[str, Any] | None = Field(default=None, description="Parameters by name, for notebook tasks.")
    pipeline_params: PipelineParams | None = Field(default=None, description="What changes of a pipeline's update.")
    python_named_params: dict[str, Any] | None = Field(default=None, description="Parameters by name, for wheel tasks.")
    python_params: list[str] | None = Field(
        default=None, description="Parameters of the command line, for Python tasks."
    )
    spark_submit_params: list[str] | None = Field(
        default=None, description="Parameters of the command line, for `spark-submit` tasks."
    )
    sql_params: dict[str, Any] | None = Field(default=None, description="Parameters by name, for SQL tasks.")


class SubscriptionSubscriber(Model):
    """Somebody who is sent a dashboard."""

    destination_id: str | None = Field(default=None, description="ID of a destination. Either this or `user_name`.")
    user_name: str | None = Field(default=None, description="Address of a user. Either this or `destination_id`.")


class Subscription(Model):
    """Who is sent a dashboard."""

    custom_subject: str | None = Field(default=None, description="Subject of the mail.")
    paused: bool | None = Field(default=None, description="Whether nobody is sent anything.")
    subscribers: list[SubscriptionSubscriber] | None = Field(default=None, description="Who is sent a picture of it.")


class DashboardTask(Model):
    """A dashboard to refresh."""

    dashboard_id: str | None = Field(default=None, description="ID of the dashboard.")
    filters: dict[str, Any] | None = Field(default=None, description="Values of its filters, by name.")
    subscription: Subscription | None = Field(default=None, description="Who is sent a picture of it.")
    warehouse_id: str | None = Field(
        default=None, description="ID of the SQL warehouse; that of the dashboard by default."
    )


class PowerBiModel(Model):
    """A semantic model of Power BI."""

    authentication_method: str | None = Field(
        default=None, description="How it logs in to Databricks: `OAUTH` or `PAT`."
    )
    model_name: str | None = Field(default=None, description="Name of the model.")
    overwrite_existing: bool | None = Field(default=None, description="Whether a model of that name is replaced.")
    storage_mode: Open[Literal["DIRECT_QUERY", "DUAL", "IMPORT"]] | None = Field(
        default=None, description="How it holds its data."
    )
    workspace_name: str | None = Field(default=None, description="Name of the workspace in Power BI.")


class PowerBiTable(Model):
    """A table of a semantic model of Power BI."""

    catalog: str | None = Field(default=None, description="Catalog of the table.")
    name: str | None = Field(default=None, description="Name of the table.")
    schema_: str | None = Field(default=None, alias="schema", description="Schema of the table.")
    storage_mode: Open[Literal["DIRECT_QUERY", "DUAL", "IMPORT"]] | None = Field(
        default=None, description="How it holds its data."
    )


class PowerBiTask(Model):
    """A semantic model of Power BI to publish."""

    connection_resource_name: str | None = Field(default=None, description="Name of the connection to Power BI.")
    power_bi_model: PowerBiModel | None = Field(default=None, description="The model.")
    refresh_after_update: bool | None = Field(default=None, description="Whether the model is refreshed then.")
    tables: list[PowerBiTable] | None = Field(default=None, description="Tables that it is made of.")
    warehouse_id: str | None = Field(default=None, description="ID of the SQL warehouse that it asks.")


class AlertTask(Model):
    """A SQL alert to evaluate."""

    alert_id: str | None = Field(default=None, description="ID of the alert.")
    subscribers: list[SqlTaskSubscription] | None = Field(default=None, description="Who is told.")
    warehouse_id: str | None = Field(default=None, description="ID of the SQL warehouse; that of the alert by default.")
    workspace_path: str | None = Field(default=None, description="Where the alert is in the workspace.")


class CleanRoomsNotebookTask(Model):
    """A notebook of a clean room."""

    clean_room_name: str = Field(description="Name of the clean room.")
    notebook_name: str = Field(description="Name of the notebook.")
    etag: str | None = Field(default=None, description="Checksum that the notebook must have.")
    notebook_base_parameters: dict[str, Any] | None = Field(default=None, description="Parameters by name.")


class DbtCloudTask(Model):
    """A job of dbt Cloud."""

    connection_resource_name: str | None = Field(default=None, description="Name of the connection to dbt Cloud.")
    dbt_cloud_job_id: int | None = Field(default=None, description="ID of the job.")


class DbtPlatformTask(Model):
    """A job of the dbt platform."""

    connection_resource_name: str | None = Field(
        default=None, description="Name of the connection to the dbt platform."
    )
    dbt_platform_job_id: str | None = Field(default=None, description="ID of the job.")


class ComputeConfig(Model):
    """The GPUs of a training."""

    num_gpus: int = Field(description="Number of GPUs.")
    gpu_node_pool_id: str | None = Field(default=None, description="ID of the pool that they come from.")
    gpu_type: str | None = Field(default=None, description="Kind of the GPUs.")


class GenAiComputeTask(Model):
    """A training script on GPUs."""

    dl_runtime_image: str = Field(description="Image that it runs in.")
    command: str | None = Field(default=None, description="Command to start it.")
    compute: ComputeConfig | None = Field(default=None, description="Its GPUs.")
    mlflow_experiment_name: str | None = Field(default=None, description="Name of the experiment in MLflow.")
    source: Open[Literal["WORKSPACE", "GIT"]] | None = Field(
        default=None, description="Where the script is: in the workspace, or in `git_source`."
    )
    training_script_path: str | None = Field(default=None, description="Where the script is.")
    yaml_parameters: str | None = Field(default=None, description="Parameters, as YAML of at most 1 MB.")
    yaml_parameters_file_path: str | None = Field(default=None, description="Where parameters are, when they are more.")


class PythonOperatorTask(Model):
    """A function of an operator."""

    main: str | None = Field(default=None, description="Name of the function, with its module.")
    parameters: list[dict[str, Any]] | None = Field(default=None, description="Parameters: `name` and `value` of each.")


class Compute(Model):
    """Compute of a task."""

    hardware_accelerator: str | None = Field(default=None, description="Kind of GPU, such as `GPU_1xA10`.")


class JobTaskSettings(Model):
    """A task of a job: what it does, on which cluster, and after which others."""

    dbt_task: DbtTask | None = Field(
        default=None, description="dbt commands to run, with dbt and the project on the cluster."
    )
    depends_on: TaskDependencies | None = Field(
        default=None, description="Tasks that must have ended before this one starts."
    )
    description: TaskDescription | None = Field(default=None, description="What it is for.")
    email_notifications: JobEmailNotifications | None = Field(
        default=None, description="Addresses that are told of starts, successes and failures. None by default."
    )
    existing_cluster_id: str | None = Field(
        default=None,
        description="ID of a running all-purpose cluster that the work shares. New clusters isolate it better.",
    )
    job_cluster_key: TaskKeyStr | None = Field(
        default=None, description="Key of the job cluster to use: 1 to 100 letters, digits, `-` and `_`."
    )
    libraries: list[Library] | None = Field(
        default=None, description="Libraries to install on the cluster before the work starts."
    )
    max_retries: int | None = Field(
        default=None, description="How often a failed run is repeated: -1 for ever, 0 never."
    )
    min_retry_interval_millis: int | None = Field(
        default=None, description="Milliseconds between the start of a failed run and its repetition."
    )
    new_cluster: NewCluster | None = Field(default=None, description="Cluster that is made for this and ends with it.")
    notebook_task: NotebookTask | None = Field(default=None, description="A notebook to run.")
    pipeline_task: PipelineTask | None = Field(default=None, description="A pipeline to update.")
    python_wheel_task: PythonWheelTask | None = Field(default=None, description="An entry point of a wheel to run.")
    retry_on_timeout: bool | None = Field(default=None, description="Whether a run that timed out is repeated.")
    spark_jar_task: SparkJarTask | None = Field(default=None, description="A class of a JAR to run.")
    spark_python_task: SparkPythonTask | None = Field(default=None, description="A Python file to run.")
    spark_submit_task: SparkSubmitTask | None = Field(
        default=None, description="A `spark-submit` command to run, on a new cluster only."
    )
    sql_task: SqlTask | None = Field(
        default=None, description="A query, dashboard, alert or SQL file to run on a SQL warehouse."
    )
    task_key: TaskKey = Field(description="Name of the task, unique in the job: 1 to 100 letters, digits, `-` and `_`.")
    timeout_seconds: int | None = Field(
        default=None, description="Seconds after which a run is stopped; 0 and unset mean no limit."
    )
    webhook_notifications: WebhookNotifications | None = Field(
        default=None,
        description="System destinations that are told of starts, successes and failures. None by default.",
    )
    run_if: (
        Open[
            Literal[
                "ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"
            ]
        ]
        | None
    ) = Field(default=None, description="When the task runs, by how those before it ended; `ALL_SUCCESS` by default.")
    environment_key: str | None = Field(
        default=None, description="Key of the serverless environment that the task runs in."
    )
    disable_auto_optimization: bool | None = Field(
        default=None, description="Whether serverless compute may not repeat the task by itself."
    )
    disabled: bool | None = Field(default=None, description="Whether the task is skipped.")
    health: JobsHealthRules | None = Field(
        default=None, description="Limits on duration and backlog that lead to a warning."
    )
    notification_settings: TaskNotificationSettings | None = Field(
        default=None, description="Which notifications are left out."
    )
    condition_task: ConditionTask | None = Field(default=None, description="A comparison that other tasks depend on.")
    for_each_task: ForEachTask | None = Field(
        default=None, description="A task to run once for each of several inputs."
    )
    run_job_task: RunJobTask | None = Field(default=None, description="Another job to run.")
    dashboard_task: DashboardTask | None = Field(default=None, description="A dashboard to refresh.")
    power_bi_task: PowerBiTask | None = Field(default=None, description="A Power BI model to publish.")
    alert_task: AlertTask | None = Field(default=None, description="A SQL alert to evaluate.")
    clean_rooms_notebook_task: CleanRoomsNotebookTask | None = Field(
        default=None, description="A notebook of a clean room to run."
    )
    dbt_cloud_task: DbtCloudTask | None = Field(default=None, description="A job of dbt Cloud to run.")
    dbt_platform_task: DbtPlatformTask | None = Field(default=None, description="A job of the dbt platform to run.")
    gen_ai_compute_task: GenAiComputeTask | None = Field(default=None, description="A training script to run on GPUs.")
    python_operator_task: PythonOperatorTask | None = Field(
        default=None, description="A function of an operator to run."
    )
    compute: Compute | None = Field(default=None, description="What compute the task gets.")


class RepairHistory(Model):
    """The repairs of a run."""

    repair_history: list[RepairHistoryItem] | None = Field(
        default=None, description="The run and its repairs, oldest first."
    )


class RunSubmitTaskSettings(Model):
    """A task of a run without a job: what it does, on which cluster, and after which others."""

    dbt_task: DbtTask | None = Field(
        default=None, description="dbt commands to run, with dbt and the project on the cluster."
    )
    depends_on: TaskDependencies | None = Field(
        default=None, description="Tasks that must have ended before this one starts."
    )
    existing_cluster_id: str | None = Field(
        default=None,
        description="ID of a running all-purpose cluster that the work shares. New clusters isolate it better.",
    )
    libraries: list[Library] | None = Field(
        default=None, description="Libraries to install on the cluster before the work starts."
    )
    new_cluster: NewCluster | None = Field(default=None, description="Cluster that is made for this and ends with it.")
    notebook_task: NotebookTask | None = Field(default=None, description="A notebook to run.")
    pipeline_task: PipelineTask | None = Field(default=None, description="A pipeline to update.")
    python_wheel_task: PythonWheelTask | None = Field(default=None, description="An entry point of a wheel to run.")
    spark_jar_task: SparkJarTask | None = Field(default=None, description="A class of a JAR to run.")
    spark_python_task: SparkPythonTask | None = Field(default=None, description="A Python file to run.")
    spark_submit_task: SparkSubmitTask | None = Field(
        default=None, description="A `spark-submit` command to run, on a new cluster only."
    )
    sql_task: SqlTask | None = Field(
        default=None, description="A query, dashboard, alert or SQL file to run on a SQL warehouse."
    )
    task_key: TaskKey = Field(description="Name of the task, unique in the job: 1 to 100 letters, digits, `-` and `_`.")
    timeout_seconds: int | None = Field(
        default=None, description="Seconds after which a run is stopped; 0 and unset mean no limit."
    )
    description: str | None = Field(default=None, description="What it is for.")
    email_notifications: JobEmailNotifications | None = Field(
        default=None, description="Addresses that are told of starts, successes and failures. None by default."
    )
    webhook_notifications: WebhookNotifications | None = Field(
        default=None,
        description="System destinations that are told of starts, successes and failures. None by default.",
    )
    max_retries: int | None = Field(
        default=None, description="How often a failed run is repeated: -1 for ever, 0 never."
    )
    min_retry_interval_millis: int | None = Field(
        default=None, description="Milliseconds between the start of a failed run and its repetition."
    )
    retry_on_timeout: bool | None = Field(default=None, description="Whether a run that timed out is repeated.")
    run_if: (
        Open[
            Literal[
                "ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"
            ]
        ]
        | None
    ) = Field(default=None, description="When the task runs, by how those before it ended; `ALL_SUCCESS` by default.")
    environment_key: str | None = Field(
        default=None, description="Key of the serverless environment that the task runs in."
    )
    disable_auto_optimization: bool | None = Field(
        default=None, description="Whether serverless compute may not repeat the task by itself."
    )
    disabled: bool | None = Field(default=None, description="Whether the task is skipped.")
    health: JobsHealthRules | None = Field(
        default=None, description="Limits on duration and backlog that lead to a warning."
    )
    notification_settings: TaskNotificationSettings | None = Field(
        default=None, description="Which notifications are left out."
    )
    condition_task: ConditionTask | None = Field(default=None, description="A comparison that other tasks depend on.")
    for_each_task: ForEachTask | None = Field(
        default=None, description="A task to run once for each of several inputs."
    )
    run_job_task: RunJobTask | None = Field(default=None, description="Another job to run.")
    dashboard_task: DashboardTask | None = Field(default=None, description="A dashboard to refresh.")
    power_bi_task: PowerBiTask | None = Field(default=None, description="A Power BI model to publish.")
    alert_task: AlertTask | None = Field(default=None, description="A SQL alert to evaluate.")
    clean_rooms_notebook_task: CleanRoomsNotebookTask | None = Field(
        default=None, description="A notebook of a clean room to run."
    )
    dbt_cloud_task: DbtCloudTask | None = Field(default=None, description="A job of dbt Cloud to run.")
    dbt_platform_task: DbtPlatformTask | None = Field(default=None, description="A job of the dbt platform to run.")
    gen_ai_compute_task: GenAiComputeTask | None = Field(default=None, description="A training script to run on GPUs.")
    python_operator_task: PythonOperatorTask | None = Field(
        default=None, description="A function of an operator to run."
    )
    compute: Compute | None = Field(default=None, description="What compute the task gets.")


class QueueDetails(Model):
    """Why a run waits in the queue."""

    code: str | None = Field(
        default=None, description="What there is too much of, such as `MAX_CONCURRENT_RUNS_REACHED`."
    )
    message: str | None = Field(default=None, description="Text for people.")


class TerminationDetails(Model):
    """How a run ended."""

    code: str | None = Field(default=None, description="What happened, such as `SUCCESS` or `RUN_EXECUTION_ERROR`.")
    message: str | None = Field(default=None, description="Text for people.")
    type: str | None = Field(
        default=None, description="Whose fault it was: `SUCCESS`, `CLIENT_ERROR`, `INTERNAL_ERROR` or `CLOUD_FAILURE`."
    )


class RunStatus(Model):
    """How far a run is, and how it ended."""

    queue_details: QueueDetails | None = Field(default=None, description="Why it waits.")
    state: Open[Literal["BLOCKED", "PENDING", "QUEUED", "RUNNING", "TERMINATED", "TERMINATING", "WAITING"]] | None = (
        Field(default=None, description="How far it is.")
    )
    termination_details: TerminationDetails | None = Field(default=None, description="How it ended.")


class RunTask(Model):
    """A task of a run: what it does, and how far it is."""

    attempt_number: int | None = Field(default=None, description="0 for the first attempt; each retry counts one more.")
    cleanup_duration: int | None = Field(
        default=None, description="Milliseconds that ending the cluster and storing artifacts took."
    )
    cluster_instance: ClusterInstance | None = Field(
        default=None, description="Cluster that the run uses. Not there before the cluster is."
    )
    dbt_task: DbtTask | None = Field(
        default=None, description="dbt commands to run, with dbt and the project on the cluster."
    )
    depends_on: TaskDependencies | None = Field(
        default=None, description="Tasks that must have ended before this one starts."
    )
    description: TaskDescription | None = Field(default=None, description="What it is for.")
    end_time: int | None = Field(
        default=None, description="When it ended, in milliseconds since the epoch, UTC; 0 while it runs."
    )
    execution_duration: int | None = Field(
        default=None, description="Milliseconds that the work itself took, until it ended or was stopped."
    )
    existing_cluster_id: str | None = Field(
        default=None,
        description="ID of a running all-purpose cluster that the work shares. New clusters isolate it better.",
    )
    git_source: GitSource1 | None = Field(
        default=None, description="Remote repository that holds the code of the tasks."
    )
    libraries: list[Library] | None = Field(
        default=None, description="Libraries to install on the cluster before the work starts."
    )
    new_cluster: NewCluster | None = Field(default=None, description="Cluster that is made for this and ends with it.")
    notebook_task: NotebookTask | None = Field(default=None, description="A notebook to run.")
    pipeline_task: PipelineTask | None = Field(default=None, description="A pipeline to update.")
    python_wheel_task: PythonWheelTask | None = Field(default=None, description="An entry point of a wheel to run.")
    run_id: int | None = Field(default=None, description="ID of the run, unique among all runs of all jobs.")
    setup_duration: int | None = Field(
        default=None, description="Milliseconds spent on the cluster before the work started: creation, libraries."
    )
    spark_jar_task: SparkJarTask | None = Field(default=None, description="A class of a JAR to run.")
    spark_python_task: SparkPythonTask | None = Field(default=None, description="A Python file to run.")
    spark_submit_task: SparkSubmitTask | None = Field(
        default=None, description="A `spark-submit` command to run, on a new cluster only."
    )
    sql_task: SqlTask | None = Field(
        default=None, description="A query, dashboard, alert or SQL file to run on a SQL warehouse."
    )
    start_time: int | None = Field(default=None, description="When it started, in milliseconds since the epoch, UTC.")
    state: RunState | None = Field(default=None, description="How far it is, and how it ended.")
    task_key: TaskKey | None = Field(
        default=None, description="Name of the task, unique in the job: 1 to 100 letters, digits, `-` and `_`."
    )
    job_cluster_key: TaskKeyStr | None = Field(default=None, description="Key of the job cluster that is used.")
    resolved_values: dict[str, Any] | None = Field(
        default=None, description="Parameters with what stood for variables in them."
    )
    run_page_url: str | None = Field(default=None, description="Address of the page on it.")
    queue_duration: int | None = Field(default=None, description="Milliseconds spent in the queue.")
    run_duration: int | None = Field(default=None, description="Milliseconds from the start to the end.")
    status: RunStatus | None = Field(
        default=None, description="How far it is, and how it ended, in the newer form of `state`."
    )
    effective_performance_target: Open[Literal["PERFORMANCE_OPTIMIZED", "STANDARD"]] | None = Field(
        default=None, description="How fast serverless compute was."
    )
    timeout_seconds: int | None = Field(default=None, description="Seconds after which it is stopped.")
    run_if: (
        Open[
            Literal[
                "ALL_SUCCESS", "AT_LEAST_ONE_SUCCESS", "NONE_FAILED", "ALL_DONE", "AT_LEAST_ONE_FAILED", "ALL_FAILED"
            ]
        ]
        | None
    ) = Field(default=None, description="When the task runs, by how those before it ended; `ALL_SUCCESS` by default.")
    environment_key: str | None = Field(
        default=None, description="Key of the serverless environment that the task runs in."
    )
    disable_auto_optimization: bool | None = Field(
        default=None, description="Whether serverless compute may not repeat the task by itself."
    )
    disabled: bool | None = Field(default=None, description="Whether the task is skipped.")
    notification_settings: TaskNotificationSettings | None = Field(
        default=None, description="Which notifications are left out."
    )
    condition_task: ConditionTask | None = Field(default=None, description="A comparison that other tasks depend on.")
    for_each_task: ForEachTask | None = Field(
        default=None, description="A task to run once for each of several inputs."
    )
    run_job_task: RunJobTask | None = Field(default=None, description="Another job to run.")
    dashboard_task: DashboardTask | None = Field(default=None, description="A dashboard to refresh.")
    power_bi_task: PowerBiTask | None = Field(default=None, description="A Power BI model to publish.")
    alert_task: AlertTask | None = Field(default=None, description="A SQL alert to evaluate.")
    clean_rooms_notebook_task: CleanRoomsNotebookTask | None = Field(
        default=None, description="A notebook of a clean room to run."
    )
    dbt_cloud_task: DbtCloudTask | None = Field(default=None, description="A job of dbt Cloud to run.")
    dbt_platform_task: DbtPlatformTask | None = Field(default=None, description="A job of the dbt platform to run.")
    gen_ai_compute_task: GenAiComputeTask | None = Field(default=None, description="A training script to run on GPUs.")
    python_operator_task: PythonOperatorTask | None = Field(
        default=None, description="A function of an operator to run."
    )
    compute: Compute | None = Field(default=None, description="What compute the task gets.")


class SqlDashboardOutput(Model):
    """What a dashboard showed."""

    widgets: SqlDashboardWidgetOutput | None = Field(default=None, description="What its parts showed.")
    warehouse_id: str | None = Field(default=None, description="ID of the SQL warehouse.")


class SqlOutput(Model):
    """What a SQL task found. That of its kind is given."""

    alert_output: SqlAlertOutput | None = Field(default=None, description="What an alert found.")
    dashboard_output: SqlDashboardOutput | None = Field(default=None, description="What a dashboard showed.")
    query_output: SqlQueryOutput | None = Field(default=None, description="What a query found.")


class AccessControlList(Model):
    """Permissions."""

    access_control_list: list[AccessControlRequest] | None = Field(
        default=None, description="One for each user, group or service principal."
    )


class ClusterEvent(Model):
    """Something that happened to a cluster."""

    cluster_id: str = Field(description="ID of the cluster, which stays the same over restarts.")
    details: EventDetails = Field(description="What more is known.")
    timestamp: int | None = Field(default=None, description="When it happened, in milliseconds since the epoch.")
    type: ClusterEventType = Field(description="What happened.")


class JobParameter(Model):
    """A parameter of a job."""

    name: str | None = Field(default=None, description="Name of it.")
    default: str | None = Field(default=None, description="Value unless a run sets another.")


class Continuous(Model):
    """Keeps one run of a job going at all times."""

    pause_status: Open[Literal["PAUSED", "UNPAUSED"]] | None = Field(default=None, description="Whether it is paused.")
    task_retry_mode: str | None = Field(
        default=None, description="Whether failed tasks are repeated: `NEVER` or `ON_FAILURE`."
    )


class JobDeployment(Model):
    """Who deploys a job, when it is not a person."""

    kind: str = Field(description="What deploys it: `BUNDLE`.")
    metadata_file_path: str | None = Field(default=None, description="Where the bundle's metadata is in the workspace.")


class Environment(Model):
    """A serverless environment."""

    client: str | None = Field(
        default=None, deprecated=True, description="Databricks advises against this: use `environment_version`."
    )
    dependencies: list[str] | None = Field(
        default=None, description="What to install, each as in a `requirements.txt`."
    )
    environment_version: str | None = Field(default=None, description="Version of the environment, such as `2`.")
    base_environment: str | None = Field(default=None, description="Where an environment to start from is.")
    java_dependencies: list[str] | None = Field(default=None, description="JARs to install.")


class JobEnvironment(Model):
    """A serverless environment that tasks name by key."""

    environment_key: str = Field(description="Its key.")
    spec: Environment | None = Field(default=None, description="The environment.")


class JobNotificationSettings(Model):
    """Which notifications on a job are left out."""

    no_alert_for_canceled_runs: bool | None = Field(default=None, description="Those on runs that were cancelled.")
    no_alert_for_skipped_runs: bool | None = Field(default=None, description="Those on runs that were skipped.")


class QueueSettings(Model):
    """Whether runs wait when there is no room."""

    enabled: bool = Field(description="Whether they wait.")


class JobRunAs(Model):
    """Who runs act as. One of them is given."""

    service_principal_name: str | None = Field(default=None, description="Application ID of a service principal.")
    user_name: str | None = Field(default=None, description="Address of a user.")
    group_name: str | None = Field(default=None, description="Name of a group.")


class FileArrivalTriggerConfiguration(Model):
    """Files that start a run when they arrive."""

    url: str = Field(description="Where files arrive: a folder of a volume or of an external location.")
    min_time_between_triggers_seconds: int | None = Field(
        default=None, description="Seconds between two runs. At least 60."
    )
    wait_after_last_change_seconds: int | None = Field(
        default=None, description="Seconds without a new file, after which the run starts. At least 60."
    )


class PeriodicTriggerConfiguration(Model):
    """An interval after which a run starts."""

    interval: int = Field(description="Length of the interval, in units.")
    unit: Open[Literal["MINUTES", "HOURS", "DAYS", "WEEKS"]] = Field(description="The unit.")


class TableUpdateTriggerConfiguration(Model):
    """Tables that start a run when they change."""

    table_names: list[str] = Field(description="Tables by their full names.")
    condition: Open[Literal["ANY_UPDATED", "ALL_UPDATED"]] | None = Field(
        default=None, description="Whether one must have changed, or all."
    )
    min_time_between_triggers_seconds: int | None = Field(
        default=None, description="Seconds between two runs. At least 60."
    )
    wait_after_last_change_seconds: int | None = Field(
        default=None, description="Seconds without a change, after which the run starts. At least 60."
    )


class TriggerSettings(Model):
    """What starts a run of a job, beside a schedule."""

    file_arrival: FileArrivalTriggerConfiguration | None = Field(default=None, description="Files that arrive.")
    pause_status: Open[Literal["PAUSED", "UNPAUSED"]] | None = Field(default=None, description="Whether it is paused.")
    periodic: PeriodicTriggerConfiguration | None = Field(default=None, description="An interval.")
    table_update: TableUpdateTriggerConfiguration | None = Field(default=None, description="Tables that change.")


class JobSettings(Model):
    """The settings of a job."""

    email_notifications: JobEmailNotifications | None = Field(
        default=None, description="Addresses that are told of starts, successes and failures. None by default."
    )
    format: Open[Literal["SINGLE_TASK", "MULTI_TASK"]] | None = Field(
        default=None,
        description="How the tasks are written. Databricks ignores it in requests; in answers it is `MULTI_TASK`.",
    )
    git_source: GitSource1 | None = Field(
        default=None, description="Remote repository that holds the code of the tasks."
    )
    job_clusters: list[JobCluster] | None = Field(
        default=None,
        max_length=100,
        description="Clusters that tasks of the job share. At most 100. Their libraries are declared by the tasks.",
    )
    max_concurrent_runs: int | None = Field(
        default=None,
        description="Runs that may be active together: at most 1000, 0 for none, 1 by default. Others are skipped.",
    )
    name: str | None = Field(default="Untitled", description="Name of the job. At most 4096 bytes.")
    schedule: CronSchedule | None = Field(
        default=None, description="When runs start by themselves; by default only when asked for."
    )
    tags: dict[str, Any] | None = Field(
        default_factory=dict[str, Any], description="Tags of the job, which its clusters get as well. At most 25."
    )
    tasks: list[JobTaskSettings] | None = Field(
        default=None, max_length=1000, description="Tasks of the job. At most 100, or 1000 with version 2.2 of the API."
    )
    timeout_seconds: int | None = Field(
        default=None, description="Seconds after which a run is stopped; 0 and unset mean no limit."
    )
    webhook_notifications: WebhookNotifications | None = Field(
        default=None,
        description="System destinations that are told of starts, successes and failures. None by default.",
    )
    parameters: list[JobParameter] | None = Field(
        default=None, description="Parameters of the job, with their defaults."
    )
    description: str | None = Field(default=None, description="What the job is for. At most 27,700 characters.")
    budget_policy_id: str | None = Field(default=None, description="ID of the budget policy that the cost belongs to.")
    usage_policy_id: str | None = Field(default=None, description="ID of the usage policy that the cost belongs to.")
    continuous: Continuous | None = Field(
        default=None, description="Keeps one run going at all times. Not together with `schedule`."
    )
    deployment: JobDeployment | None = Field(default=None, description="Who deploys the job, when it is not a person.")
    edit_mode: Open[Literal["UI_LOCKED", "EDITABLE"]] | None = Field(
        default=None, description="Whether the job may be changed in the workspace."
    )
    environments: list[JobEnvironment] | None = Field(
        default=None, description="Serverless environments that tasks name by key."
    )
    health: JobsHealthRules | None = Field(
        default=None, description="Limits on duration and backlog that lead to a warning."
    )
    notification_settings: JobNotificationSettings | None = Field(
        default=None, description="Which notifications are left out."
    )
    performance_target: Open[Literal["PERFORMANCE_OPTIMIZED", "STANDARD"]] | None = Field(
        default=None, description="How fast serverless compute shall be."
    )
    queue: QueueSettings | None = Field(
        default=None, description="Whether runs wait when there is no room, rather than being skipped."
    )
    run_as: JobRunAs | None = Field(default=None, description="Who the runs act as; who made the job by default.")
    trigger: TriggerSettings | None = Field(default=None, description="What starts a run, beside a schedule.")


class RunJobParameter(Model):
    """A parameter of a job, in one of its runs."""

    name: str | None = Field(default=None, description="Name of it.")
    default: str | None = Field(default=None, description="Value unless a run sets another.")
    value: str | None = Field(default=None, description="Value in the run, when it is not the default.")


class TriggerInfo(Model):
    """What more is known of what started a run."""

    run_id: int | None = Field(default=None, description="ID of the run whose task started it.")


class Run(Model):
    """A run of a job, or one without a job."""

    attempt_number: int | None = Field(default=None, description="0 for the first attempt; each retry counts one more.")
    cleanup_duration: int | None = Field(
        default=None, description="Milliseconds that ending the cluster and storing artifacts took."
    )
    cluster_instance: ClusterInstance | None = Field(
        default=None, description="Cluster that the run uses. Not there before the cluster is."
    )
    cluster_spec: ClusterSpec | None = Field(default=None, description="The cluster, as it was when the run was made.")
    creator_user_name: str | None = Field(default=None, description="Who made it; empty when that user is gone.")
    end_time: int | None = Field(
        default=None, description="When it ended, in milliseconds since the epoch, UTC; 0 while it runs."
    )
    execution_duration: int | None = Field(
        default=None, description="Milliseconds that the work itself took, until it ended or was stopped."
    )
    git_source: GitSource1 | None = Field(
        default=None, description="Remote repository that holds the code of the tasks."
    )
    job_clusters: list[JobCluster] | None = Field(
        default=None,
        max_length=100,
        description="Clusters that tasks of the job share. At most 100. Their libraries are declared by the tasks.",
    )
    job_id: int | None = Field(
        default=None, description="ID of the job. A run without a job has one, too, that leads nowhere."
    )
    number_in_job: int | None = Field(
        default=None, deprecated=True, description="Databricks advises against this: it is the same as `run_id`."
    )
    original_attempt_run_id: int | None = Field(
        default=None, description="ID of the first attempt; that of the run itself, when it is no retry."
    )
    overriding_parameters: RunParameters | None = Field(default=None, description="Parameters that the run was given.")
    run_id: int | None = Field(default=None, description="ID of the run, unique among all runs of all jobs.")
    run_name: str | None = Field(default="Untitled", description="Name of the run. At most 4096 bytes.")
    run_page_url: str | None = Field(default=None, description="Address of the page on the run.")
    run_type: RunType | None = Field(default=None, description="What kind of run it is.")
    schedule: CronSchedule | None = Field(default=None, description="Schedule that started the run.")
    setup_duration: int | None = Field(
        default=None, description="Milliseconds spent on the cluster before the work started: creation, libraries."
    )
    start_time: int | None = Field(default=None, description="When it started, in milliseconds since the epoch, UTC.")
    state: RunState | None = Field(default=None, description="How far it is, and how it ended.")
    tasks: list[RunTask] | None = Field(
        default=None, max_length=1000, description="Tasks of the run. At most 100 in an answer."
    )
    trigger: TriggerType | None = Field(default=None, description="What started the run.")
    job_parameters: list[RunJobParameter] | None = Field(
        default=None, description="Parameters of the job, with their values."
    )
    description: str | None = Field(default=None, description="What the run is for.")
    effective_performance_target: Open[Literal["PERFORMANCE_OPTIMIZED", "STANDARD"]] | None = Field(
        default=None, description="How fast serverless compute was."
    )
    has_more: bool | None = Field(default=None, description="Whether there are more tasks than the answer holds.")
    next_page_token: str | None = Field(
        default=None, description="Token that asks for the next page; none on the last."
    )
    iterations: list[RunTask] | None = Field(default=None, description="Runs of a for-each task, one for each input.")
    job_run_id: int | None = Field(default=None, description="ID of the run of the job that it belongs to.")
    queue_duration: int | None = Field(default=None, description="Milliseconds spent in the queue.")
    run_duration: int | None = Field(
        default=None, description="Milliseconds from the start of the run to its end, over all repairs."
    )
    repair_history: list[RepairHistoryItem] | None = Field(
        default=None, description="The run and its repairs, oldest first."
    )
    status: RunStatus | None = Field(
        default=None, description="How far it is, and how it ended, in the newer form of `state`."
    )
    trigger_info: TriggerInfo | None = Field(default=None, description="What more is known of what started it.")


class RunSubmitSettings(Model):
    """A run without a job."""

    git_source: GitSource1 | None = Field(
        default=None, description="Remote repository that holds the code of the tasks."
    )
    idempotency_token: str | None = Field(
        default=None,
        description="Token of at most 64 characters: a second request with it finds the first run, and starts none.",
    )
    run_name: str | None = Field(default=None, description="Name of the run; `Untitled` by default.")
    tasks: list[RunSubmitTaskSettings] | None = Field(
        default=None, max_length=1000, description="Tasks of the run. At most 100."
    )
    timeout_seconds: int | None = Field(
        default=None, description="Seconds after which a run is stopped; 0 and unset mean no limit."
    )
    webhook_notifications: WebhookNotifications | None = Field(
        default=None,
        description="System destinations that are told of starts, successes and failures. None by default.",
    )
    access_control_list: list[AccessControlRequest] | None = Field(
        default=None, description="Who may see and manage the run."
    )
    budget_policy_id: str | None = Field(default=None, description="ID of the budget policy that the cost belongs to.")
    usage_policy_id: str | None = Field(default=None, description="ID of the usage policy that the cost belongs to.")
    email_notifications: JobEmailNotifications | None = Field(
        default=None, description="Addresses that are told of starts, successes and failures. None by default."
    )
    environments: list[JobEnvironment] | None = Field(
        default=None, description="Serverless environments that tasks name by key."
    )
    health: JobsHealthRules | None = Field(
        default=None, description="Limits on duration and backlog that lead to a warning."
    )
    notification_settings: JobNotificationSettings | None = Field(
        default=None, description="Which notifications are left out."
    )
    performance_target: Open[Literal["PERFORMANCE_OPTIMIZED", "STANDARD"]] | None = Field(
        default=None, description="How fast serverless compute shall be."
    )
    queue: QueueSettings | None = Field(default=None, description="Whether the run waits when there is no room.")
    run_as: JobRunAs | None = Field(default=None, description="Who the run acts as.")


class Job(Model):
    """A job."""

    created_time: int | None = Field(default=None, description="When it was made, in milliseconds since the epoch.")
    creator_user_name: str | None = Field(default=None, description="Who made it; empty when that user is gone.")
    job_id: int | None = Field(default=None, description="ID of the job.")
    settings: JobSettings | None = Field(default=None, description="Its settings.")
    run_as_user_name: str | None = Field(default=None, description="Who its runs act as.")
    has_more: bool | None = Field(default=None, description="Whether there are more tasks than the answer holds.")
    next_page_token: str | None = Field(
        default=None, description="Token that asks for the next page; none on the last."
    )
    effective_budget_policy_id: str | None = Field(default=None, description="ID of the budget policy that holds.")
