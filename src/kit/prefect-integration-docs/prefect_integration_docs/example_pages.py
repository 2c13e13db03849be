"""Write the pages of examples, and the page that lists them, in Mintlify MDX."""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

import yaml

from prefect_integration_docs.example_bodies import Code
from prefect_integration_docs.examples import Example

_ADDRESS = "/v3/examples"
_COMMAND = "just docs-generate"

_INDEX = """\
---
title: Overview
description: Programs that show integrations at work, and run as they stand.
icon: bars
---

{/* This page is written by `just docs-generate`, from the front matter of the files in examples/. Change those. */}

Each example is one Python file that you can run offline, against servers that start by themselves. Do you have one to
share? See [contributing examples](/contribute/docs-contribute#contributing-examples).
"""

_SPAN = re.compile(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)")
_SPECIAL = re.compile(r"[\\`*{}\[<|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)")
_LIST_OR_HEADING = re.compile(r"^(\d+)(?=[.)]\s)|^(?=[#>+=-])")


def published(examples: Iterable[Example]) -> list[Example]:
    """Choose the examples that have a page, a card and an entry in the navigation, in the order given."""
    return [example for example in examples if not example.draft]


def render_example(example: Example, repository: str, branch: str, folder: str = "examples") -> str:
    """Write the page of an example.

    Args:
        example: The example.
        repository: Address of the repository, which the link to the source begins with.
        branch: Branch that the link leads to.
        folder: Folder of the examples, from the root of the repository.
    """
    name = example.path.name
    url = f"{repository.rstrip('/')}/blob/{quote(branch)}/{folder}/{name}"
    label = "View on GitHub"
    if example.github_url is not None:
        url, label = example.github_url, "View full project on GitHub"
    parts = [
        _front_matter(example),
        f"{{/* This page is written by `{_COMMAND}`, from {folder}/{name}. Change that file. */}}",
        f'<a href="{_attribute(url)}" target="_blank"><Icon icon="github" /> {label}</a>',
        *(_fenced(block.text) if isinstance(block, Code) else block.text for block in example.blocks),
    ]
    return "\n\n".join(parts) + "\n"


def render_index(examples: Iterable[Example]) -> str:
    """Write the page that lists the examples, with a card for each that is no draft."""
    cards = [_card(example) for example in published(examples)]
    if not cards:
        return _INDEX
    return "\n".join([_INDEX, "<CardGroup cols={3}>", *cards, "</CardGroup>", ""])


def _front_matter(example: Example) -> str:
    lines = [f"title: {_scalar(example.title)}", f"description: {_scalar(example.description)}"]
    if example.icon is not None:
        lines.append(f"icon: {_scalar(example.icon)}")
    if example.keywords:
        lines.append(f"keywords: [{', '.join(_scalar(keyword, in_list=True) for keyword in example.keywords)}]")
    return "\n".join(["---", *lines, "---"])


def _scalar(text: str, *, in_list: bool = False) -> str:
    """Write a text as YAML: bare where every reader takes it for this text, else in quotes.

    The site's reader takes more for a number than ours, so only what begins with a letter stays bare.

    Args:
        text: The text.
        in_list: Whether it will stand in a list in brackets, where a comma ends it.
    """
    if text[:1].isalpha():
        try:
            meant: object = yaml.safe_load(f"[{text}]" if in_list else f"key: {text}")
        except (yaml.YAMLError, ValueError):
            meant = None
        if meant == ([text] if in_list else {"key": text}):
            return text
    return yaml.safe_dump(text, default_style='"', allow_unicode=True, width=2**31).removesuffix("\n")


def _fenced(code: str) -> str:
    """Put code into a fence that is longer than any run of backticks in it."""
    longest = max((len(run) for run in re.findall(r"`+", code)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}python\n{code}\n{fence}"


def _card(example: Example) -> str:
    icon = "" if example.icon is None else f' icon="{_attribute(example.icon)}"'
    href = f"{_ADDRESS}/{example.slug}"
    opening = f'  <Card title="{_attribute(example.title)}"{icon} href="{href}">'
    return "\n".join([opening, f"    {_plain(example.description)}", "  </Card>"])


def _attribute(text: str) -> str:
    """Write a text as the value of a JSX attribute in double quotes, where `&` begins a character reference."""
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str) -> str:
    """Write a line of text as MDX that shows it as it is; code spans stay code."""
    parts: list[str] = []
    position = 0
    for span in _SPAN.finditer(text):
        parts += [_escaped(text[position : span.start()]), span[0]]
        position = span.end()
    parts.append(_escaped(text[position:]))
    return _LIST_OR_HEADING.sub(r"\1\\", "".join(parts))


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\g<0>", text)
