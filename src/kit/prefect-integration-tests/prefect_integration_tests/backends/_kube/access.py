"""Who may do what on a played Kubernetes API server: tokens, users and role rules."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from .json import Json, at
from .resources import Resource
from .status import forbidden, unauthorized

Rule = Mapping[str, Sequence[str]]
"""As in a Role: `apiGroups`, `resources`, `verbs` and perhaps `resourceNames`; `*` stands for all."""

ANONYMOUS = "system:anonymous"
_ALL: Rule = {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}
_BASIC: Rule = {
    "apiGroups": ["authorization.k8s.io"],
    "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
    "verbs": ["create"],
}
"""Every user may ask what they may do (ClusterRole `system:basic-user`)."""


class Attempt(NamedTuple):
    """What somebody wants to do."""

    verb: str
    group: str
    resource: str
    """Plural, with its subresource: `pods/log`."""

    namespace: str
    name: str


@dataclass
class _User:
    everywhere: list[Rule] = field(default_factory=lambda: [_BASIC])
    by_namespace: dict[str, list[Rule]] = field(default_factory=dict)


class Access:
    """Tokens, their users, and the rules of these. Every method may be called from any thread."""

    def __init__(self) -> None:
        """Start with one token, that may do everything."""
        self.admin_token = f"admin-{secrets.token_hex(8)}"
        self._lock = threading.Lock()
        self._users: dict[str, _User] = {}
        self._tokens: dict[str, str] = {}
        self.reset()

    def reset(self) -> None:
        """Forget all users but the administrator."""
        with self._lock:
            self._users = {"admin": _User([_ALL, _BASIC])}
            self._tokens = {self.admin_token: "admin"}

    def add_user(self, name: str, rules: Iterable[Rule] = (), *, namespace: str | None = None) -> str:
        """Add a user, or rules to one, and give it one more token.

        Args:
            name: Name, such as `system:serviceaccount:default:prefect-worker`.
            rules: As in a Role.
            namespace: Where they hold; everywhere by default, as by a ClusterRole.

        Returns:
            A token for the user.
        """
        self.grant(name, rules, namespace=namespace)
        return self.new_token(name)

    def grant(self, name: str, rules: Iterable[Rule], *, namespace: str | None = None) -> None:
        """Give a user rules, beside those that it has."""
        with self._lock:
            user = self._users.setdefault(name, _User())
            known = user.everywhere if namespace is None else user.by_namespace.setdefault(namespace, [])
            known.extend(rules)

    def revoke(self, name: str, verb: str, resource: str) -> None:
        """Take one verb on one resource from a user, wherever it has it.

        Args:
            name: The user.
            verb: Such as `create`.
            resource: Plural, such as `pods` or `pods/log`.
        """
        with self._lock:
            user = self._users[name]
            for known in (user.everywhere, *user.by_namespace.values()):
                known[:] = [each for rule in known for each in _without(rule, verb, resource)]

    def new_token(self, name: str) -> str:
        """Give a user one more token; older ones stay good."""
        token = f"token-{secrets.token_hex(8)}"
        with self._lock:
            self._users.setdefault(name, _User())
            self._tokens[token] = name
        return token

    def expire(self, token: str) -> None:
        """Let a token be refused with 401 from now on."""
        with self._lock:
            self._tokens.pop(token, None)

    def user_of(self, authorization: str) -> str:
        """Find who sends a request.

        Args:
            authorization: The header; empty for anonymous requests.

        Raises:
            Refusal: 401, if the token is not known.
        """
        kind, _, token = authorization.partition(" ")
        if not kind:
            return ANONYMOUS
        with self._lock:
            name = self._tokens.get(token.strip())
        if kind.lower() != "bearer" or name is None:
            raise unauthorized()
        return name

    def is_allowed(self, user: str, attempt: Attempt) -> bool:
        """Does any rule allow it?"""
        with self._lock:
            return any(_covers(rule, attempt) for rule in self._rules(user, attempt.namespace))

    def check(self, user: str, attempt: Attempt, resource: Resource) -> None:
        """Refuse what no rule allows.

        Raises:
            Refusal: 403, which names the verb, the resource and the place.
        """
        if not self.is_allowed(user, attempt):
            place = f'in the namespace "{attempt.namespace}"' if attempt.namespace else "at the cluster scope"
            what = f'cannot {attempt.verb} resource "{attempt.resource}" in API group "{attempt.group}"'
            raise forbidden(resource, attempt.name, f'User "{user}" {what} {place}')

    def review(self, user: str, body: Json) -> Json:
        """Answer a SelfSubjectAccessReview."""
        asked: Json = at(body, "spec", "resourceAttributes")
        resource = asked.get("resource", "")
        if asked.get("subresource"):
            resource = f"{resource}/{asked['subresource']}"
        attempt = Attempt(
            asked.get("verb", ""), asked.get("group", ""), resource, asked.get("namespace", ""), asked.get("name", "")
        )
        status: Json = {"allowed": self.is_allowed(user, attempt)}
        if status["allowed"]:
            status["reason"] = f'RBAC: allowed by RoleBinding "{user}" of Role "{user}"'
        return {
            "kind": "SelfSubjectAccessReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": at(body, "spec"),
            "status": status,
        }

    def review_rules(self, user: str, body: Json) -> Json:
        """Answer a SelfSubjectRulesReview."""
        namespace = at(body, "spec").get("namespace", "")
        with self._lock:
            rules = [{key: list(values) for key, values in rule.items()} for rule in self._rules(user, namespace)]
        return {
            "kind": "SelfSubjectRulesReview",
            "apiVersion": "authorization.k8s.io/v1",
            "metadata": {"creationTimestamp": None},
            "spec": {},
            "status": {"resourceRules": rules, "nonResourceRules": [], "incomplete": False},
        }

    def _rules(self, name: str, namespace: str) -> list[Rule]:
        user = self._users.get(name)
        if user is None:
            return []
        return [*user.everywhere, *(user.by_namespace.get(namespace, []) if namespace else [])]


def _has(values: Sequence[str], wanted: str) -> bool:
    return "*" in values or wanted in values


def _covers(rule: Rule, attempt: Attempt) -> bool:
    if not (_has(rule["verbs"], attempt.verb) and _has(rule.get("apiGroups", [""]), attempt.group)):
        return False
    subresource = attempt.resource.partition("/")[2]
    if not _has(rule["resources"], attempt.resource) and not (subresource and f"*/{subresource}" in rule["resources"]):
        return False
    names = rule.get("resourceNames")
    return not names or attempt.name in names


def _without(rule: Rule, verb: str, resource: str) -> list[Rule]:
    if not (_has(rule["verbs"], verb) and _has(rule["resources"], resource)):
        return [rule]
    verbs = [each for each in _spelled_out(rule["verbs"], _VERBS) if each != verb]
    resources = [each for each in rule["resources"] if each != resource]
    kept: list[Rule] = [{**rule, "resources": resources}] if resources else []
    return [*kept, {**rule, "resources": [resource], "verbs": verbs}] if verbs else kept


_VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")


def _spelled_out(values: Sequence[str], known: Sequence[str]) -> Sequence[str]:
    return known if "*" in values else values
