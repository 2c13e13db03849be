"""The part of Cosmos DB's SQL that tests use, as a tree. What is not known here is refused, never guessed.

Grammar: https://learn.microsoft.com/azure/cosmos-db/nosql/query/select. Not there: GROUP BY, subqueries, user-defined
functions, spatial, vector and full-text functions.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, NoReturn

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<number>\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)
      | (?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
      | (?P<parameter>@\w+)
      | (?P<name>[A-Za-z_]\w*)
      | (?P<sign><>|!=|<=|>=|\|\||\?\?|[=<>+\-*/%,.()\[\]{}:])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
_KEYWORDS = frozenset(
    [
        "select",
        "distinct",
        "top",
        "value",
        "from",
        "as",
        "in",
        "join",
        "where",
        "order",
        "by",
        "asc",
        "desc",
        "offset",
        "limit",
        "and",
        "or",
        "not",
        "between",
        "like",
        "escape",
        "true",
        "false",
        "null",
        "undefined",
        "group",
        "exists",
        "array",
        "udf",
    ]
)
_COMPARISONS = frozenset({"=", "!=", "<>", "<", "<=", ">", ">="})


class SqlRefused(Exception):
    """A query that Cosmos DB, or this part of it, does not take."""


@dataclass(frozen=True)
class Literal:
    """A value; `undefined` is in `cosmos_sql_values`."""

    value: Any
    is_undefined: bool = False


@dataclass(frozen=True)
class Parameter:
    """`@name`."""

    name: str


@dataclass(frozen=True)
class Name:
    """An alias of FROM or JOIN."""

    name: str


@dataclass(frozen=True)
class Member:
    """`of.key`, `of["key"]`, `of[0]`."""

    of: Any
    key: Any


@dataclass(frozen=True)
class ArrayOf:
    """`[a, b]`."""

    members: tuple[Any, ...]


@dataclass(frozen=True)
class ObjectOf:
    """`{"a": b}`."""

    members: tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Call:
    """`FUNCTION(a, b)`, also of operators, whose names are their signs."""

    function: str
    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Order:
    """One expression of ORDER BY."""

    by: Any
    is_descending: bool


@dataclass(frozen=True)
class Query:
    """A whole query.

    Attributes:
        columns: Names and expressions; `None` for `SELECT *` and for `SELECT VALUE`.
        value: The expression of `SELECT VALUE`.
        alias: What an item is called.
        source: The path below an item that FROM iterates, for `FROM x IN c.tags`; `None` for the item itself.
        joins: Aliases and the paths that they iterate.
    """

    columns: tuple[tuple[str, Any], ...] | None
    value: Any
    is_distinct: bool
    top: Any
    alias: str
    source: Any
    joins: tuple[tuple[str, Any], ...]
    where: Any
    orders: tuple[Order, ...]
    offset: Any
    limit: Any


def parse(text: str) -> Query:
    """Read a query.

    Raises:
        SqlRefused: If it is none, or has something that is not known here.
    """
    return _Parser(text).query()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    start: int

    @property
    def keyword(self) -> str:
        return self.text.lower() if self.kind == "name" else ""


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens: list[_Token] = []
        position = 0
        while text[position:].strip():
            found = _TOKEN.match(text, position)
            if found is None or found.lastgroup is None:
                rest = text[position:].strip()
                raise SqlRefused(f"Syntax error, invalid token '{rest[:10]}'.")
            self._tokens.append(_Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup)))
            position = found.end()
        self._tokens.append(_Token("end", "", len(text)))
        self._at = 0

    # Tokens

    @property
    def _next(self) -> _Token:
        return self._tokens[self._at]

    def _refuse(self, token: _Token | None = None) -> NoReturn:
        token = token or self._next
        raise SqlRefused(f"Syntax error, incorrect syntax near '{token.text or 'end of query'}'.")

    def _take(self) -> _Token:
        token = self._next
        self._at += 1
        return token

    def _took(self, *words: str) -> bool:
        """Take the words, if they all come next."""
        for ahead, word in enumerate(words):
            token = self._tokens[min(self._at + ahead, len(self._tokens) - 1)]
            if (token.keyword or token.text) != word or token.kind == "string":
                return False
        self._at += len(words)
        return True

    def _need(self, *words: str) -> None:
        if not self._took(*words):
            self._refuse()

    def _identifier(self) -> str:
        token = self._take()
        if token.kind != "name" or token.keyword in _KEYWORDS:
            self._refuse(token)
        return token.text

    # Clauses

    def query(self) -> Query:
        self._need("select")
        is_distinct = self._took("distinct")
        top = self._operand() if self._took("top") else None
        columns: tuple[tuple[str, Any], ...] | None = None
        value: Any = None
        if self._took("value"):
            value = self._expression()
        elif not self._took("*"):
            columns = self._columns()
        alias, source = "c", None
        joins: list[tuple[str, Any]] = []
        if self._took("from"):
            alias, source = self._from()
            while self._took("join"):
                name = self._identifier()
                self._need("in")
                joins.append((name, self._operand()))
        where = self._expression() if self._took("where") else None
        orders = self._orders() if self._took("order", "by") else ()
        offset = limit = None
        if self._took("offset"):
            offset = self._operand()
            self._need("limit")
            limit = self._operand()
        if self._next.kind != "end":
            self._refuse()
        return Query(columns, value, is_distinct, top, alias, source, tuple(joins), where, orders, offset, limit)

    def _columns(self) -> tuple[tuple[str, Any], ...]:
        columns: list[tuple[str, Any]] = []
        while True:
            expression = self._expression()
            if self._took("as") or (self._next.kind == "name" and self._next.keyword not in _KEYWORDS):
                name = self._identifier()
            elif isinstance(expression, Member) and isinstance(expression.key, str):
                name = expression.key
            elif isinstance(expression, Name):
                name = expression.name
            else:
                name = f"${len(columns) + 1}"
            columns.append((name, expression))
            if not self._took(","):
                return tuple(columns)

    def _from(self) -> tuple[str, Any]:
        name = self._identifier()
        if self._took("in"):
            self._identifier()  # whatever the container is called here
            path: Any = Name("root")
            return name, self._members(path)
        if self._next.text in (".", "["):
            self._refuse()
        if self._took("as"):
            return self._identifier(), None
        if self._next.kind == "name" and self._next.keyword not in _KEYWORDS:
            return self._identifier(), None
        return name, None

    def _orders(self) -> tuple[Order, ...]:
        orders: list[Order] = []
        while True:
            by = self._operand()
            is_descending = self._took("desc")
            if not is_descending:
                self._took("asc")
            orders.append(Order(by, is_descending))
            if not self._took(","):
                return tuple(orders)

    # Expressions, the loosest first

    def _expression(self) -> Any:
        left = self._conjunction()
        while self._took("or"):
            left = Call("or", (left, self._conjunction()))
        return left

    def _conjunction(self) -> Any:
        left = self._negation()
        while self._took("and"):
            left = Call("and", (left, self._negation()))
        return left

    def _negation(self) -> Any:
        if self._took("not"):
            return Call("not", (self._negation(),))
        return self._comparison()

    def _comparison(self) -> Any:
        left = self._sum()
        is_negated = self._took("not")
        if self._took("in"):
            self._need("(")
            found: Any = Call("in", (left, *self._list(")")))
        elif self._took("between"):
            lower = self._sum()
            self._need("and")
            found = Call("and", (Call(">=", (left, lower)), Call("<=", (left, self._sum()))))
        elif self._took("like"):
            found = Call("like", (left, self._sum()))
        elif is_negated:
            self._refuse()
        elif self._next.kind == "sign" and self._next.text in _COMPARISONS:
            sign = self._take().text
            return Call("!=" if sign == "<>" else sign, (left, self._sum()))
        else:
            return left
        return Call("not", (found,)) if is_negated else found

    def _sum(self) -> Any:
        left = self._product()
        while self._next.kind == "sign" and self._next.text in ("+", "-", "||", "??"):
            sign = self._take().text
            left = Call(sign, (left, self._product()))
        return left

    def _product(self) -> Any:
        left = self._operand()
        while self._next.kind == "sign" and self._next.text in ("*", "/", "%"):
            sign = self._take().text
            left = Call(sign, (left, self._operand()))
        return left

    def _operand(self) -> Any:
        if self._took("-"):
            return Call("-", (Literal(0), self._operand()))
        return self._members(self._primary())

    def _members(self, of: Any) -> Any:
        while True:
            if self._took("."):
                token = self._take()
                if token.kind != "name":
                    self._refuse(token)
                of = Member(of, token.text)
            elif self._took("["):
                key = self._expression()
                self._need("]")
                if not isinstance(key, Literal | Parameter):
                    self._refuse()
                of = Member(of, key.value if isinstance(key, Literal) else key)
            else:
                return of

    def _primary(self) -> Any:
        token = self._take()
        if token.kind == "number":
            number = float(token.text)
            return Literal(int(number) if number.is_integer() and "." not in token.text else number)
        if token.kind == "string":
            return Literal(_unescaped(token.text[1:-1]))
        if token.kind == "parameter":
            return Parameter(token.text)
        if token.text == "(":
            inner = self._expression()
            self._need(")")
            return inner
        if token.text == "[":
            return ArrayOf(tuple(self._list("]")))
        if token.text == "{":
            return self._object()
        if token.keyword in ("true", "false", "null", "undefined"):
            known: dict[str, Any] = {"true": True, "false": False}
            return Literal(known.get(token.keyword), is_undefined=token.keyword == "undefined")
        if token.kind == "name" and token.keyword not in _KEYWORDS:
            if self._took("("):
                return Call(token.text.upper(), tuple(self._list(")")))
            return Name(token.text)
        return self._refuse(token)

    def _object(self) -> ObjectOf:
        members: list[tuple[str, Any]] = []
        while not self._took("}"):
            if members:
                self._need(",")
            key = self._take()
            if key.kind not in ("name", "string"):
                self._refuse(key)
            self._need(":")
            name = key.text if key.kind == "name" else _unescaped(key.text[1:-1])
            members.append((name, self._expression()))
        return ObjectOf(tuple(members))

    def _list(self, end: str) -> list[Any]:
        members: list[Any] = []
        while not self._took(end):
            if members:
                self._need(",")
            members.append(self._expression())
        return members


def _unescaped(text: str) -> str:
    text = re.sub(r"\\u([0-9a-fA-F]{4})", lambda found: chr(int(found[1], 16)), text)
    return re.sub(r"\\(.)", lambda found: _ESCAPES.get(found[1], found[1]), text)
