"""The CloudFormation stacks of this command: find, create, update, delete them, and say what became of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from typing import Any
from uuid import uuid4

from .._ecs import tags as task_tags
from .._sdk_logs import silent_sdk
from ..errors import AwsError, aws_errors
from .account import Account
from .failures import CommandFailed

MADE_BY = "prefect.io/managed-by"
STACK_TYPE = "prefect.io/stack-type"
WORK_POOL = "prefect.io/work-pool-name"
"""Tags of our stacks. CloudFormation puts them on what it makes, too."""

_MAKER = "prefect-aws"
_CREATE_TIMEOUT_MINUTES = 30

ADVICE = {
    "CREATE_FAILED": "What was made before the failure is still there and may cost money. Run "
    "`prefect-aws ecs-worker delete {name}`, remove the cause, and deploy again.",
    "ROLLBACK_COMPLETE": "It was never completed, and nothing of it is left but its name. Remove the cause and deploy "
    "again, which replaces it, or run `prefect-aws ecs-worker delete {name}`.",
    "ROLLBACK_FAILED": "Some of what was made could not be removed again and may cost money. Run "
    "`prefect-aws ecs-worker delete {name}`.",
    "UPDATE_FAILED": "The last update stopped half-way. Remove the cause and deploy again.",
    "UPDATE_ROLLBACK_COMPLETE": "The last update failed and was taken back; what was there before runs on. Remove the "
    "cause and deploy again.",
    "UPDATE_ROLLBACK_FAILED": "The last update failed and could not be taken back. Remove the cause and run "
    "`aws cloudformation continue-update-rollback --stack-name {name}`, or `prefect-aws ecs-worker delete {name}`.",
    "DELETE_FAILED": "Some resources could not be deleted and may cost money. Remove what holds them and run "
    "`prefect-aws ecs-worker delete {name}` again.",
    "REVIEW_IN_PROGRESS": "It has a change set that nobody has executed, and nothing else. Execute the change set, or "
    "run `prefect-aws ecs-worker delete {name}`.",
    "IMPORT_ROLLBACK_COMPLETE": "An import of resources failed and was taken back. Remove the cause and deploy again.",
    "IMPORT_ROLLBACK_FAILED": "An import of resources failed and could not be taken back. See its events in the "
    "CloudFormation console.",
}
"""What to do about each state that is no success, by
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html"""

_UPDATABLE = (
    "CREATE_COMPLETE",
    "UPDATE_COMPLETE",
    "UPDATE_FAILED",
    "UPDATE_ROLLBACK_COMPLETE",
    "IMPORT_COMPLETE",
    "IMPORT_ROLLBACK_COMPLETE",
)


class Action(str, Enum):
    """What deploying would do."""

    create = "create"
    update = "update"
    renew = "renew"


@dataclass(frozen=True)
class Stack:
    """A stack, as DescribeStacks tells of it."""

    name: str
    id: str
    status: str
    reason: str = ""
    description: str = ""
    tags: Mapping[str, str] = field(default_factory=dict[str, str])
    outputs: Mapping[str, str] = field(default_factory=dict[str, str])
    parameters: frozenset[str] = frozenset()
    """Names only: the values may be secret."""

    created: datetime | None = None
    updated: datetime | None = None

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Stack:
        """Read a member of DescribeStacks' `Stacks`."""
        return cls(
            name=answer["StackName"],
            id=answer.get("StackId", answer["StackName"]),
            status=answer["StackStatus"],
            reason=answer.get("StackStatusReason") or "",
            description=answer.get("Description") or "",
            tags={tag["Key"]: tag["Value"] for tag in answer.get("Tags") or ()},
            outputs={output["OutputKey"]: output["OutputValue"] for output in answer.get("Outputs") or ()},
            parameters=frozenset(parameter["ParameterKey"] for parameter in answer.get("Parameters") or ()),
            created=answer.get("CreationTime"),
            updated=answer.get("LastUpdatedTime"),
        )

    @property
    def is_ours(self) -> bool:
        """Whether this command made it."""
        return self.tags.get(MADE_BY) == _MAKER

    @property
    def type(self) -> str:
        """Which template it was made from."""
        return self.tags.get(STACK_TYPE, "")

    @property
    def work_pool(self) -> str:
        """Which work pool it is for."""
        return self.tags.get(WORK_POOL, "")

    @property
    def is_under_way(self) -> bool:
        """Whether CloudFormation is at work on it."""
        return self.status.endswith("_IN_PROGRESS") and self.status != "REVIEW_IN_PROGRESS"

    @property
    def has_failed(self) -> bool:
        """Whether the last that was done with it was no success."""
        return "ROLLBACK" in self.status or not (self.is_under_way or self.status.endswith("_COMPLETE"))

    @property
    def advice(self) -> str:
        """What to do about its state; empty when all is well."""
        if self.is_under_way:
            return f"CloudFormation is at work on it. Look again by `prefect-aws ecs-worker status {self.name}`."
        return ADVICE.get(self.status, "").format(name=self.name)


@dataclass(frozen=True)
class Event:
    """Something that happened to a resource of a stack."""

    id: str
    at: datetime | None
    resource: str
    type: str
    status: str
    reason: str = ""

    @classmethod
    def read(cls, answer: Mapping[str, Any]) -> Event:
        """Read a member of DescribeStackEvents' `StackEvents`."""
        return cls(
            id=answer["EventId"],
            at=answer.get("Timestamp"),
            resource=answer.get("LogicalResourceId") or "",
            type=answer.get("ResourceType") or "",
            status=answer.get("ResourceStatus") or "",
            reason=answer.get("ResourceStatusReason") or "",
        )

    @property
    def is_of_stack(self) -> bool:
        """Whether it is about the stack itself."""
        return self.type == "AWS::CloudFormation::Stack"

    @property
    def has_failed(self) -> bool:
        """Whether it tells of a failure that has its cause here, and not in another resource's."""
        return self.status.endswith("_FAILED") and "cancelled" not in self.reason.lower()


def plan(stack: Stack | None, stack_type: str, name: str) -> Action:
    """Decide what deploying does to the stack that is there.

    Raises:
        CommandFailed: If it must be left alone.
    """
    if stack is None:
        return Action.create
    if not stack.is_ours:
        raise CommandFailed(
            f"Stack {name!r} exists ({stack.status}) and was not made by `prefect-aws ecs-worker`: it has no tag "
            f"{MADE_BY}. Choose another --stack-name."
        )
    if stack.type != stack_type:
        raise CommandFailed(
            f"Stack {name!r} was made from the template {stack.type!r}, not {stack_type!r}: this would delete what it "
            "has. Choose another --stack-name."
        )
    if stack.status in _UPDATABLE:
        return Action.update
    if stack.status == "ROLLBACK_COMPLETE":
        return Action.renew
    raise CommandFailed(f"Stack {name!r} is {stack.status} and cannot be deployed now. {stack.advice}")


class Stacks:
    """The stacks of one account and region."""

    def __init__(self, account: Account) -> None:
        """Open the client.

        Args:
            account: Where.
        """
        self._client = account.client("cloudformation")
        self.region = account.region

    def find(self, name: str) -> Stack | None:
        """Look a stack up by name or ID; `None` when there is none."""
        try:
            with aws_errors(f"Stack {name!r}"):
                found = self._client.describe_stacks(StackName=name)["Stacks"]
        except AwsError as exc:
            if _is_absent(exc):
                return None
            raise
        return Stack.read(found[0]) if found else None

    def get(self, name: str) -> Stack:
        """Look a stack up by name or ID.

        Raises:
            CommandFailed: If there is none.
        """
        if (stack := self.find(name)) is None:
            raise CommandFailed(
                f"There is no stack {name!r} in {self.region}. `prefect-aws ecs-worker list` shows those there are."
            )
        return stack

    def ours(self) -> list[Stack]:
        """All stacks that this command made, by name."""
        with aws_errors("CloudFormation stacks"):
            pages = self._client.get_paginator("describe_stacks").paginate()
            stacks = [Stack.read(answer) for page in pages for answer in page["Stacks"]]
        return sorted((stack for stack in stacks if stack.is_ours), key=lambda stack: stack.name)

    def validate(self, body: str) -> None:
        """Let CloudFormation look at a template."""
        with aws_errors("The template"):
            self._client.validate_template(TemplateBody=body)

    def create(self, name: str, body: str, parameters: Mapping[str, str], tags: Mapping[str, str]) -> str:
        """Begin to create a stack, and return its ID. What fails is rolled back."""
        with silent_sdk(), aws_errors(f"Stack {name!r}", secrets=_secrets(parameters)):
            answer = self._client.create_stack(
                **_request(name, body, parameters, tags),
                OnFailure="ROLLBACK",
                TimeoutInMinutes=_CREATE_TIMEOUT_MINUTES,
            )
        return answer["StackId"]

    def update(self, stack: Stack, body: str, parameters: Mapping[str, str | None], tags: Mapping[str, str]) -> bool:
        """Begin to update a stack.

        Args:
            stack: Which.
            body: Its template from now on.
            parameters: Values by name; `None` leaves what there is.
            tags: Its tags.

        Returns:
            Whether there was anything to change.
        """
        try:
            with silent_sdk(), aws_errors(f"Stack {stack.name!r}", secrets=_secrets(parameters)):
                self._client.update_stack(**_request(stack.name, body, parameters, tags))
        except AwsError as exc:
            if exc.code == "ValidationError" and "No updates are to be performed" in str(exc):
                return False
            raise
        return True

    def delete(self, stack: Stack) -> None:
        """Begin to delete a stack."""
        with aws_errors(f"Stack {stack.name!r}"):
            self._client.delete_stack(StackName=stack.name, ClientRequestToken=f"prefect-aws-{uuid4()}")

    def events(self, stack_id: str) -> Iterator[list[Event]]:
        """The events of a stack, newest first, in pages of about a hundred; none when there is no such stack."""
        try:
            with aws_errors(f"Events of stack {stack_id!r}"):
                for page in self._client.get_paginator("describe_stack_events").paginate(StackName=stack_id):
                    yield [Event.read(answer) for answer in page["StackEvents"]]
        except AwsError as exc:
            if not _is_absent(exc):
                raise

    def leftovers(self, stack_id: str) -> list[str]:
        """What of a stack is still there, as `type name`."""
        with aws_errors(f"Resources of stack {stack_id!r}"):
            pages = self._client.get_paginator("list_stack_resources").paginate(StackName=stack_id)
            found = [resource for page in pages for resource in page["StackResourceSummaries"]]
        return [
            f"{resource['ResourceType']} {resource.get('PhysicalResourceId') or resource['LogicalResourceId']}"
            for resource in found
            if resource.get("ResourceStatus") != "DELETE_COMPLETE" and resource.get("PhysicalResourceId")
        ]


def _is_absent(error: AwsError) -> bool:
    return error.code == "ValidationError" and "does not exist" in str(error)


def _request(name: str, body: str, parameters: Mapping[str, str | None], tags: Mapping[str, str]) -> dict[str, Any]:
    return {
        "StackName": name,
        "TemplateBody": body,
        "Parameters": [
            {"ParameterKey": key, "UsePreviousValue": True}
            if value is None
            else {"ParameterKey": key, "ParameterValue": value}
            for key, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": [{"Key": key, "Value": value} for key, value in tags.items()],
        "ClientRequestToken": f"prefect-aws-{uuid4()}",
    }


def _secrets(parameters: Mapping[str, str | None]) -> list[str]:
    return [value for name in ("PrefectApiKey", "PrefectAuthString") if (value := parameters.get(name))]


def tags_of(stack_type: str, pool: str) -> dict[str, str]:
    """The tags that mark a stack as ours."""
    return task_tags.as_dict(task_tags.as_list({MADE_BY: _MAKER, STACK_TYPE: stack_type, WORK_POOL: pool}))
