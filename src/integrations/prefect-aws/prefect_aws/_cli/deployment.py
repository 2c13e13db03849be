"""Bring a stack to what was asked for, and report how that went."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import typer

from .failures import CommandFailed
from .progress import Watch
from .stacks import Action, Stack, Stacks, plan, tags_of
from .templates import TemplateType, as_body, load_template

AUTHENTICATION = ("PrefectApiKeySecretArn", "PrefectApiKey", "PrefectAuthStringSecretArn", "PrefectAuthString")
_HIDDEN = ("PrefectApiKey", "PrefectAuthString")


@dataclass(frozen=True)
class Deployment:
    """A stack as it shall be.

    Attributes:
        name: Name of the stack.
        kind: Its template.
        pool: The work pool that it is for.
        parameters: Values of the template's parameters. Where all of `AUTHENTICATION` are empty, a stack that exists
            keeps what it has.
    """

    name: str
    kind: TemplateType
    pool: str
    parameters: Mapping[str, str] = field(repr=False)  # there may be a key among them

    @property
    def _signs_in(self) -> bool:
        return any(self.parameters.get(name) for name in AUTHENTICATION)

    def for_update(self, existing: Stack) -> dict[str, str | None]:
        """The parameters for a stack that exists; `None` keeps the value that it has.

        Args:
            existing: The stack. What no option sets, such as the topic of its alarms, stays as it is.
        """
        kept = () if self._signs_in else AUTHENTICATION
        own = [name for name in load_template(self.kind)["Parameters"] if name in existing.parameters]
        chosen = {name: None if name in kept else value for name, value in self.parameters.items()}
        return {**dict.fromkeys(own), **chosen}

    def preview(self, stacks: Stacks, existing: Stack | None) -> None:
        """Let CloudFormation look at the template, and print what would be done."""
        action = plan(existing, self.kind.value, self.name)
        template = load_template(self.kind)
        stacks.validate(as_body(template))
        verb = {Action.create: "created", Action.update: "updated", Action.renew: "deleted and created anew"}[action]
        typer.echo(f"The template is valid. Stack {self.name} in {stacks.region} would be {verb}, with:")
        shown: Mapping[str, str | None] = self.parameters
        if existing is not None and action is Action.update:
            shown = self.for_update(existing)
        width = max(map(len, shown))
        for name, value in shown.items():
            said = "(unchanged)" if value is None else "****" if value and name in _HIDDEN else value
            typer.echo(f"  {name:{width}}  {said}".rstrip())
        typer.echo("Resources:")
        for name, resource in template["Resources"].items():
            when = f" (if {resource['Condition']})" if "Condition" in resource else ""
            typer.echo(f"  {name} {resource['Type']}{when}")
        typer.echo("Nothing was changed.")

    def apply(self, stacks: Stacks, existing: Stack | None, *, wait: bool) -> None:
        """Create or update the stack.

        Raises:
            CommandFailed: If it ends in another state than success.
        """
        action = plan(existing, self.kind.value, self.name)
        body = as_body(load_template(self.kind))
        tags = tags_of(self.kind.value, self.pool)
        if existing is not None and action is Action.renew:
            typer.echo(f"Stack {self.name} is ROLLBACK_COMPLETE: it is deleted, to be created anew.")
            rest = Watch(stacks, existing.id)
            rest.skip_what_was()
            stacks.delete(existing)
            if (left := rest.until_done()) is not None:
                raise rest.failure(left)
            existing = None
        if existing is None:
            typer.echo(f"Creating stack {self.name} in {stacks.region}.")
            watch = Watch(stacks, stacks.create(self.name, body, self.parameters, tags))
        else:
            typer.echo(f"Updating stack {self.name} in {stacks.region}.")
            watch = Watch(stacks, existing.id)
            watch.skip_what_was()
            if not stacks.update(existing, body, self.for_update(existing), tags):
                typer.echo(f"Stack {self.name} is up to date.")
                print_outputs(existing)
                return
        if not wait:
            typer.echo(f"CloudFormation is at work. `prefect-aws ecs-worker status {self.name}` tells how it goes.")
            return
        stack = _follow(watch, self.name)
        if stack is None or stack.has_failed:
            raise watch.failure(stack) if stack else CommandFailed(f"Stack {self.name!r} was deleted meanwhile.")
        typer.echo(f"Stack {self.name} is {stack.status}.")
        print_outputs(stack)


def remove(stacks: Stacks, stack: Stack, *, wait: bool) -> None:
    """Delete a stack.

    Raises:
        CommandFailed: If some of it could not be deleted.
    """
    watch = Watch(stacks, stack.id)
    watch.skip_what_was()
    stacks.delete(stack)
    if not wait:
        typer.echo(f"CloudFormation deletes stack {stack.name}.")
        return
    left = _follow(watch, stack.name)
    if left is not None:
        raise watch.failure(left)
    typer.echo(f"Stack {stack.name} is deleted.")


def _follow(watch: Watch, name: str) -> Stack | None:
    try:
        return watch.until_done()
    except KeyboardInterrupt:
        typer.echo(f"CloudFormation goes on. `prefect-aws ecs-worker status {name}` tells how it goes.", err=True)
        raise typer.Exit(130) from None


def print_outputs(stack: Stack) -> None:
    """Print the outputs of a stack, one on a line."""
    width = max(map(len, stack.outputs), default=0)
    for name, value in stack.outputs.items():
        typer.echo(f"  {name:{width}}  {value}")


def describe_stack(stack: Stack) -> dict[str, str | None]:
    """What `list` tells of a stack."""
    return {
        "name": stack.name,
        "type": stack.type,
        "work_pool": stack.work_pool,
        "status": stack.status,
        "created": stack.created.isoformat() if stack.created else None,
        "updated": stack.updated.isoformat() if stack.updated else None,
    }


def print_stacks(stacks: list[Stack], form: str) -> None:
    """Print stacks as `table`, `json` or `yaml`."""
    rows = [describe_stack(stack) for stack in stacks]
    if form == "json":
        typer.echo(json.dumps(rows, indent=2))
    elif form == "yaml":
        import yaml

        typer.echo(yaml.safe_dump(rows, sort_keys=False), nl=False)
    elif not rows:
        typer.echo("No stacks of the ECS worker.")
    else:
        cells = [[name.upper().replace("_", " ") for name in rows[0]]]
        cells += [[value or "-" for value in row.values()] for row in rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        for line in cells:
            typer.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
