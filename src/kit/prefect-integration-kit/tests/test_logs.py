"""Lines reach the logs of a run from outside of it, in few entries of some size."""

from __future__ import annotations

import logging

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

from prefect_integration_kit.logs import joined, send_to_run


@flow(name="test-logs-of-a-run")
def watched_flow() -> None: ...


async def test_all_entries_reach_the_run_in_their_order(prefect_harness: None) -> None:
    async with get_client() as client:
        run = (await client.create_flow_run(watched_flow)).id
        entries = [(logging.WARNING if number % 2 else logging.ERROR, f"line {number}") for number in range(120)]
        await send_to_run(client, run, "prefect.acme.box", iter(entries))
        logs = await client.read_logs(LogFilter(flow_run_id=LogFilterFlowRunId(any_=[run])), limit=200)
    assert [(log.level, log.message) for log in sorted(logs, key=lambda log: log.timestamp)] == entries
    assert {log.name for log in logs} == {"prefect.acme.box"}


@pytest.mark.parametrize(
    ("lines", "sizes"),
    [
        pytest.param([], [], id="none"),
        pytest.param(["a"] * 100, [199], id="few"),
        pytest.param(["a" * 99] * 150, [9_999, 4_999], id="many"),
        pytest.param(["a", "b" * 20_000, "c"], [1, 10_000, 1], id="long"),
    ],
)
def test_lines_become_few_texts_of_some_size(lines: list[str], sizes: list[int]) -> None:
    texts = list(joined(lines))
    assert [len(text) for text in texts] == sizes
    assert [line[0] for text in texts for line in text.splitlines()] == [line[0] for line in lines]
