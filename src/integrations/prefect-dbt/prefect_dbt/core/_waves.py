"""In which order nodes are built: parents first, tests before what builds on the tested, in waves or one by one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from enum import Enum

__all__ = ["Order", "TestStrategy", "nearest", "plan", "waves"]

_TEST_TYPES = frozenset({"test", "unit_test"})


class TestStrategy(str, Enum):
    """When tests run."""

    __test__ = False  # a name that starts with "Test" is no test class

    IMMEDIATE = "immediate"
    """As in `dbt build`: a test as soon as what it tests is built, and before what builds on that; a failed test skips
    what lies downstream. Unit tests run before their model."""
    DEFERRED = "deferred"
    """After everything else is built. A failed test skips nothing."""
    SKIP = "skip"
    """Not at all."""


class Order:
    """A set of nodes and, for each, the nodes that must be done before.

    Attributes:
        parents: For each node to execute, the nodes that must be done before; they may belong to an earlier order.
    """

    def __init__(self, parents: Mapping[str, Collection[str]]) -> None:
        self.parents: dict[str, frozenset[str]] = {node: frozenset(of) for node, of in parents.items()}

    def __len__(self) -> int:
        return len(self.parents)

    def children(self) -> dict[str, list[str]]:
        """For each node, the nodes that wait for it."""
        children: dict[str, list[str]] = {node: [] for node in self.parents}
        for node, parents in self.parents.items():
            for parent in parents & self.parents.keys():
                children[parent].append(node)
        return children

    def waves(self, resource_types: Mapping[str, str]) -> list[list[str]]:
        """Split into waves, each for one `dbt build`.

        What is built is in the first wave after its parents. Tests are in the wave of what they test, since `dbt build`
        keeps the order of those itself.

        Args:
            resource_types: The type of each node.
        """
        levels: dict[str, int] = {}
        inner = {node: parents & self.parents.keys() for node, parents in self.parents.items()}
        for node in (node for level in waves(inner) for node in level):
            joins = resource_types[node] == "test"
            levels[node] = max(
                (levels[parent] + (not joins and resource_types[parent] != "unit_test") for parent in inner[node]),
                default=0,
            )
        found: list[list[str]] = [[] for _ in range(max(levels.values(), default=-1) + 1)]
        for node in sorted(levels):
            found[levels[node]].append(node)
        return found


def waves(parents: Mapping[str, Collection[str]]) -> list[list[str]]:
    """Split a graph into topological levels.

    Args:
        parents: For each node, the nodes that come before; all of them are keys too.

    Raises:
        ValueError: If nodes depend on each other in a circle.
    """
    levels: list[list[str]] = []
    missing = {node: len(set(of)) for node, of in parents.items()}
    children: dict[str, list[str]] = {node: [] for node in parents}
    for node, of in parents.items():
        for parent in set(of):
            children[parent].append(node)
    ready = sorted(node for node, count in missing.items() if count == 0)
    while ready:
        levels.append(ready)
        following: list[str] = []
        for node in ready:
            del missing[node]
            for child in children[node]:
                missing[child] -= 1
                if missing[child] == 0:
                    following.append(child)
        ready = sorted(following)
    if missing:
        raise ValueError(f"These nodes depend on each other in a circle: {', '.join(sorted(missing))}.")
    return levels


def nearest(depends_on: Mapping[str, Collection[str]], chosen: Collection[str]) -> dict[str, frozenset[str]]:
    """For each chosen node, the chosen nodes that it depends on, directly or through nodes that are not chosen.

    Args:
        depends_on: What each node of the project depends on; ids that are no key have no dependencies.
        chosen: The nodes that are executed.
    """
    found: dict[str, frozenset[str]] = {}
    chosen = frozenset(chosen)
    for node in _parents_first(depends_on):
        of: set[str] = set()
        for parent in depends_on.get(node, ()):
            of.update({parent} if parent in chosen else found.get(parent, ()))
        found[node] = frozenset(of)
    return {node: found.get(node, frozenset()) for node in chosen}


def plan(
    depends_on: Mapping[str, Collection[str]],
    resource_types: Mapping[str, str],
    chosen: Collection[str],
    strategy: TestStrategy,
) -> list[Order]:
    """Say in which order the chosen nodes are executed.

    Args:
        depends_on: What each node of the project depends on: models, sources, tests, all of them.
        resource_types: The type of each chosen node.
        chosen: The nodes to execute.
        strategy: When tests run.

    Returns:
        One or two graphs, to be executed one after the other.
    """
    tests = [node for node in chosen if resource_types[node] in _TEST_TYPES]
    builds = [node for node in chosen if resource_types[node] not in _TEST_TYPES]
    if strategy is TestStrategy.SKIP:
        return [Order(nearest(depends_on, builds))]
    if strategy is TestStrategy.DEFERRED:
        built, late = frozenset(builds), frozenset(tests)
        orders = [Order(nearest(depends_on, builds))]
        return [
            *orders,
            Order({test: found & built for test, found in nearest(depends_on, chosen).items() if test in late}),
        ]
    unit_tests = frozenset(test for test in tests if resource_types[test] == "unit_test")
    graph = _with_unit_tests_first(depends_on, unit_tests)
    parents = {node: set(of) for node, of in nearest(graph, chosen).items()}
    data_tests = [test for test in tests if test not in unit_tests]
    for test, node in _test_edges(depends_on, data_tests, builds):
        parents[node].add(test)
    return [Order(parents)]


def _with_unit_tests_first(
    depends_on: Mapping[str, Collection[str]], unit_tests: Collection[str]
) -> Mapping[str, Collection[str]]:
    """Turn the edge from a unit test to its model: it needs what the model reads, and the model waits for it."""
    if not unit_tests:
        return depends_on
    graph = {node: set(of) for node, of in depends_on.items()}
    for test in unit_tests:
        models = graph[test]
        graph[test] = {parent for model in models for parent in depends_on.get(model, ())}
        for model in models:
            graph.setdefault(model, set()).add(test)
    return graph


def _test_edges(
    depends_on: Mapping[str, Collection[str]], tests: Sequence[str], builds: Collection[str]
) -> Iterable[tuple[str, str]]:
    """Pairs of a test and a node that must wait for it.

    The rule is dbt's own: a node waits for a test when everything that the test reads lies upstream of the node, so
    that no circle can come of it. Only the first such nodes on each path get an edge; the others wait for those.
    """
    order = _parents_first(depends_on)
    bit = {node: 1 << index for index, node in enumerate(order)}
    upstream: dict[str, int] = {}
    for node in order:
        mask = 0
        for parent in depends_on.get(node, ()):
            mask |= upstream[parent] | bit[parent]
        upstream[node] = mask
    needs: dict[int, list[str]] = {}
    for test in tests:
        mask = 0
        for parent in depends_on.get(test, ()):
            mask |= bit[parent]
        if mask:
            needs.setdefault(mask, []).append(test)
    waiting = frozenset(builds)
    parents = nearest(depends_on, builds)
    for node in waiting:
        for mask, blocking in needs.items():
            if mask & ~upstream[node]:
                continue
            if any(not mask & ~upstream[parent] for parent in parents[node]):
                continue
            for test in blocking:
                yield test, node


def _parents_first(depends_on: Mapping[str, Collection[str]]) -> list[str]:
    every = set(depends_on)
    for of in depends_on.values():
        every.update(of)
    return [node for level in waves({node: depends_on.get(node, ()) for node in every}) for node in level]
