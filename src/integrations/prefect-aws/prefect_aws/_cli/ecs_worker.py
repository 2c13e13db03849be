"""`prefect-aws ecs-worker`: deploy ECS workers and what they need by CloudFormation, look after them, remove them."""

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from . import values
from .failures import CommandFailed, plain_errors
from .templates import TemplateFormat, TemplateType, as_text, load_template

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Deploy ECS workers, look after them, remove them.")

Region = Annotated[str | None, typer.Option("--region", help="AWS region; boto3's own sources when not given.")]
Profile = Annotated[str | None, typer.Option("--profile", help="Profile of AWS's configuration files.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Check everything and print what would be done, and change nothing.")
]
Wait = Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until CloudFormation is done.")]
WorkPoolName = Annotated[str, typer.Option("--work-pool-name", prompt=True, help="Name of the work pool.")]
StackName = Annotated[str, typer.Option("--stack-name", prompt=True, help="Name of the CloudFormation stack.")]
ExistingStack = Annotated[str, typer.Argument(help="Name of the stack.")]


class ListFormat(str, Enum):
    """How stacks are listed."""

    table = "table"
    json = "json"
    yaml = "yaml"


@app.command("deploy-service")
@plain_errors
def deploy_service(
    work_pool_name: WorkPoolName,
    stack_name: StackName,
    existing_cluster_identifier: Annotated[
        str, typer.Option("--existing-cluster-identifier", prompt=True, help="Name or ARN of the ECS cluster.")
    ],
    existing_vpc_id: Annotated[str, typer.Option("--existing-vpc-id", prompt=True, help="ID of the VPC.")],
    existing_subnet_ids: Annotated[
        str, typer.Option("--existing-subnet-ids", prompt=True, help="IDs of subnets of that VPC, separated by commas.")
    ],
    prefect_api_url: Annotated[str, typer.Option("--prefect-api-url", prompt=True, help="URL of the Prefect API.")],
    prefect_api_key_secret_arn: Annotated[
        str, typer.Option("--prefect-api-key-secret-arn", help="ARN of a secret that holds the Prefect API key.")
    ] = "",
    prefect_api_key: Annotated[
        str,
        typer.Option(
            "--prefect-api-key",
            show_default=False,
            help="Prefect API key; it is put into a secret of the stack. `-` asks for it, or reads it from stdin.",
        ),
    ] = "",
    prefect_auth_string_secret_arn: Annotated[
        str,
        typer.Option(
            "--prefect-auth-string-secret-arn",
            help="ARN of a secret that holds the authentication string of a Prefect server of your own.",
        ),
    ] = "",
    prefect_auth_string: Annotated[
        str,
        typer.Option(
            "--prefect-auth-string",
            show_default=False,
            help="Authentication string of a Prefect server; it is put into a secret of the stack. `-` asks for it, or "
            "reads it from stdin.",
        ),
    ] = "",
    docker_image: Annotated[
        str, typer.Option("--docker-image", help="Image of the worker, with prefect and prefect-aws in it.")
    ] = "prefecthq/prefect-aws:latest",
    work_queues: Annotated[
        str, typer.Option("--work-queues", help="Work queues to poll, separated by commas; all of the pool by default.")
    ] = "",
    desired_count: Annotated[int, typer.Option("--desired-count", help="How many workers to start with.")] = 1,
    min_capacity: Annotated[int, typer.Option("--min-capacity", help="Fewest workers.")] = 1,
    max_capacity: Annotated[
        int, typer.Option("--max-capacity", help="Most workers; nothing scales when it equals --min-capacity.")
    ] = 10,
    task_cpu: Annotated[int, typer.Option("--task-cpu", help="CPU units of a worker; 1024 are one vCPU.")] = 1024,
    task_memory: Annotated[int, typer.Option("--task-memory", help="Memory of a worker in MiB.")] = 2048,
    log_retention_days: Annotated[
        int, typer.Option("--log-retention-days", help="Days that the worker's logs are kept.")
    ] = 30,
    existing_log_group_name: Annotated[
        str, typer.Option("--existing-log-group-name", help="Log group to use; one is made by default.")
    ] = "",
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    wait: Wait = True,
) -> None:
    """Deploy a worker as a service on Fargate, and all that it needs, or update one.

    The cluster, the VPC and its subnets are there already. The stack brings the service with its roles, logs, alarms
    and scaling, and the queue of task events with its rule.
    """
    name = values.stack_name(stack_name)
    pool = values.work_pool_name(work_pool_name)
    url = values.api_url(prefect_api_url)
    vpc, subnets = values.vpc_id(existing_vpc_id), values.subnet_ids(existing_subnet_ids)
    image, queues = values.docker_image(docker_image), values.work_queues(work_queues)
    values.size(task_cpu, task_memory)
    values.capacity(min_capacity, desired_count, max_capacity)
    values.log_retention(log_retention_days)
    signing_in = values.Authentication(
        prefect_api_key_secret_arn.strip(),
        _ask("Prefect API key", prefect_api_key),
        prefect_auth_string_secret_arn.strip(),
        _ask("Prefect authentication string", prefect_auth_string),
    )

    from .account import Account
    from .deployment import Deployment
    from .stacks import Stacks, plan

    account = Account(region, profile)
    identifier = values.cluster_identifier(existing_cluster_identifier, region=account.region)
    stacks = Stacks(account)
    existing = stacks.find(name)
    action = plan(existing, TemplateType.service.value, name)
    signing_in = values.authentication(
        url, signing_in, region=account.region, keeps_old=existing is not None and action.value == "update"
    )
    cluster = account.cluster(identifier)
    account.check_network(vpc, subnets)
    if signing_in.api_key_secret_arn:
        account.check_secret("--prefect-api-key-secret-arn", signing_in.api_key_secret_arn)
    if signing_in.auth_string_secret_arn:
        account.check_secret("--prefect-auth-string-secret-arn", signing_in.auth_string_secret_arn)
    if existing_log_group_name:
        account.check_log_group(existing_log_group_name)

    deployment = Deployment(
        name,
        TemplateType.service,
        pool,
        {
            "WorkPoolName": pool,
            "WorkQueues": queues,
            "PrefectApiUrl": url,
            **signing_in.parameters(),
            "DockerImage": image,
            "ExistingClusterIdentifier": cluster.name,
            "ExistingVpcId": vpc,
            "ExistingSubnetIds": ",".join(subnets),
            "AssignPublicIp": "ENABLED" if account.needs_public_ip(vpc, subnets) else "DISABLED",
            "DesiredCount": str(desired_count),
            "MinCapacity": str(min_capacity),
            "MaxCapacity": str(max_capacity),
            "TaskCpu": str(task_cpu),
            "TaskMemory": str(task_memory),
            "LogRetentionDays": str(log_retention_days),
            "ExistingLogGroupName": existing_log_group_name,
            "EventsQueueName": values.events_queue_name(pool),
        },
    )
    if dry_run:
        deployment.preview(stacks, existing)
    else:
        deployment.apply(stacks, existing, wait=wait)


@app.command("deploy-events")
@plain_errors
def deploy_events(
    work_pool_name: WorkPoolName,
    stack_name: StackName,
    existing_cluster_arn: Annotated[
        str, typer.Option("--existing-cluster-arn", prompt=True, help="ARN of the ECS cluster of the flow runs.")
    ],
    region: Region = None,
    profile: Profile = None,
    dry_run: DryRun = False,
    wait: Wait = True,
) -> None:
    """Deploy only the queue of task events, for a worker that runs already, or update it.

    Set PREFECT_INTEGRATIONS_AWS_ECS_OBSERVER_SQS_QUEUE_NAME of the worker to the queue's name, and attach the policy
    to the worker's role; both are outputs of the stack.
    """
    name = values.stack_name(stack_name)
    pool = values.work_pool_name(work_pool_name)

    from .account import Account
    from .deployment import Deployment
    from .stacks import Stacks, plan

    account = Account(region, profile)
    cluster = account.cluster(values.cluster_arn(existing_cluster_arn, region=account.region))
    stacks = Stacks(account)
    existing = stacks.find(name)
    plan(existing, TemplateType.events_only.value, name)
    deployment = Deployment(
        name,
        TemplateType.events_only,
        pool,
        {
            "WorkPoolName": pool,
            "ExistingClusterArn": cluster.arn,
            "EventsQueueName": values.events_queue_name(pool),
        },
    )
    if dry_run:
        deployment.preview(stacks, existing)
    else:
        deployment.apply(stacks, existing, wait=wait)


@app.command("list")
@plain_errors
def list_stacks(
    region: Region = None,
    profile: Profile = None,
    form: Annotated[ListFormat, typer.Option("--format", help="How to print them.")] = ListFormat.table,
) -> None:
    """List the stacks that this command has deployed."""
    from .account import Account
    from .deployment import print_stacks
    from .stacks import Stacks

    print_stacks(Stacks(Account(region, profile)).ours(), form.value)


@app.command("status")
@plain_errors
def status(stack_name: ExistingStack, region: Region = None, profile: Profile = None) -> None:
    """Show the state of a stack, its outputs, and what went wrong. The exit code is 1 for a state of failure."""
    from .account import Account
    from .deployment import describe_stack, print_outputs
    from .progress import last_failure
    from .stacks import Stacks

    account = Account(region, profile)
    stacks = Stacks(account)
    stack = stacks.get(stack_name)
    for label, value in describe_stack(stack).items():
        if value:
            typer.echo(f"{label.replace('_', ' ').capitalize() + ':':11}{value}")
    if not stack.is_ours:
        typer.echo("It was not made by this command.")
    cluster, service = stack.outputs.get("ClusterArn"), stack.outputs.get("ServiceName")
    if stack.is_ours and cluster and service and (seen := account.running_workers(cluster, service)):
        typer.echo(f"{'Workers:':11}{seen.get('runningCount', 0)} of {seen.get('desiredCount', 0)} running")
        if seen.get("runningCount", 0) < seen.get("desiredCount", 0) and seen.get("events"):
            typer.echo(f"{'':11}{seen['events'][0].get('message', '')}")
    if stack.outputs:
        typer.echo("Outputs:")
        print_outputs(stack)
    if stack.has_failed or stack.advice:
        for line in (stack.reason, last_failure(stacks, stack) if stack.has_failed else "", stack.advice):
            if line:
                typer.echo(line)
    if stack.has_failed:
        raise typer.Exit(1)


@app.command("delete")
@plain_errors
def delete(
    stack_name: ExistingStack,
    region: Region = None,
    profile: Profile = None,
    force: Annotated[
        bool, typer.Option("--force", help="Do not ask, and delete a stack that this command has not made, too.")
    ] = False,
    wait: Wait = True,
) -> None:
    """Delete a stack with all that it has."""
    from .account import Account
    from .deployment import remove
    from .stacks import MADE_BY, Stacks

    stacks = Stacks(Account(region, profile))
    stack = stacks.get(stack_name)
    if not force:
        if not stack.is_ours:
            raise CommandFailed(
                f"Stack {stack.name!r} was not made by `prefect-aws ecs-worker`: it has no tag {MADE_BY}. "
                "--force deletes it all the same."
            )
        typer.confirm(
            f"Delete stack {stack.name} ({stack.type} of work pool {stack.work_pool!r}) in {stacks.region}, "
            "with its queues, roles and logs?",
            abort=True,
        )
    remove(stacks, stack, wait=wait)


@app.command("export-template")
@plain_errors
def export_template(
    template_type: Annotated[
        TemplateType, typer.Option("--template-type", prompt=True, help="Which template to write.")
    ],
    output_path: Annotated[Path, typer.Option("--output-path", prompt=True, help="File to write it to.")],
    form: Annotated[TemplateFormat, typer.Option("--format", help="How to write it.")] = TemplateFormat.json,
) -> None:
    """Write a CloudFormation template to a file, to change it or to deploy it by other means."""
    if output_path.is_dir():
        raise CommandFailed(f"--output-path is {output_path}, a folder; name a file in it.")
    if output_path.exists():
        typer.confirm(f"{output_path} exists. Overwrite it?", abort=True)
    try:
        output_path.parent.mkdir(parents=True, exist_ok=True)
        output_path.write_text(as_text(load_template(template_type), form), encoding="utf-8")
    except OSError as exc:
        raise CommandFailed(f"--output-path: {output_path} cannot be written: {exc.strerror}.") from exc
    typer.echo(f"Wrote {output_path}.")


@app.command("check")
@plain_errors
def check(
    work_pool: Annotated[str, typer.Argument(help="Name of the work pool.")],
    region: Region = None,
    profile: Profile = None,
    worker_role_arn: Annotated[
        str | None,
        typer.Option("--worker-role-arn", help="Role that the worker has; whose permissions are checked."),
    ] = None,
    events_queue_name: Annotated[
        str | None,
        typer.Option("--events-queue-name", help="Queue of task events; that of the settings when not given."),
    ] = None,
    check_image_registry: Annotated[
        bool, typer.Option("--check-image-registry", help="Ask registries other than ECR for the image, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
) -> None:
    """Check permissions, network, image and all else that the flow runs of a work pool need, before the first one.

    Nothing is started or changed. The exit code is 1 when a check has failed.
    """
    from prefect_integration_kit.findings import show

    from ..settings import EcsObserverSettings
    from .account import Account
    from .check import Inspection, read_configuration

    configuration = read_configuration(work_pool)
    inspection = Inspection(
        configuration,
        Account(region, profile, configuration.aws_credentials),
        queue_name=events_queue_name or EcsObserverSettings().sqs.queue_name,
        worker_role=worker_role_arn,
        ask_registries=check_image_registry,
    )
    if not show(inspection.findings(), typer.echo, as_json=as_json):
        raise typer.Exit(1)


def _ask(what: str, value: str) -> str:
    """Return a secret; `-` stands for one that is typed unseen, or comes by stdin."""
    if value != "-":
        return value.strip()
    typed = typer.prompt(what, hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline()
    if not typed.strip():
        raise CommandFailed(f"No {what} was given.")
    return typed.strip()
