"""The files of generated dbt projects."""

from __future__ import annotations

import json
import re
from importlib.metadata import version
from typing import Any

_CONFIG = re.compile(r"^\s*\{\{\s*config\(.*?\)\s*\}\}\s*", re.DOTALL)


def body(sql: str) -> str:
    """A model's query, without its config."""
    return _CONFIG.sub("", sql).strip().rstrip(";")


def files(shape: str, name: str, models: int, seeds: int, tests: int, materialized: str, schema: str) -> dict[str, str]:
    """Text by file name, relative to the project.

    Raises:
        ValueError: If the shape is not known.
    """
    project: dict[str, Any] = {
        "name": name,
        "version": "1.0",
        "profile": name,
        "flags": {"send_anonymous_usage_stats": False, "use_colors": False},
        "models": {name: {"+materialized": materialized}},
    }
    if shape == "odd":
        project["flags"] |= {"require_resource_names_without_spaces": False}
    made = {"dbt_project.yml": json.dumps(project, indent=1)}
    if shape == "small":
        return made | _small(models, seeds, tests)
    if shape == "shop":
        return made | _shop(schema)
    if shape == "odd":
        return made | _odd()
    if shape == "empty":
        return made
    raise ValueError(f"There is no shape {shape!r}; there are small, shop, odd and empty.")


def _small(models: int, seeds: int, tests: int) -> dict[str, str]:
    """Layers of ten models; each model reads two of the layer before."""
    made = {
        f"seeds/seed_{i}.csv": "id,amount\n" + "".join(f"{n},{n * 10}\n" for n in range(1, 4)) for i in range(seeds)
    }
    for i in range(models):
        if i < 2:
            source = f"{{{{ ref('seed_{i % seeds}') }}}}" if seeds else "(select 1 as id) as t"
            sql = f"select id from {source}"
        else:
            first, second = _parents(i)
            sql = f"select a.id from {{{{ ref('model_{first}') }}}} as a"
            if second != first:
                sql += f" inner join {{{{ ref('model_{second}') }}}} as b on a.id = b.id"
        made[f"models/model_{i}.sql"] = sql + "\n"
    described = [
        {
            "name": f"model_{i}",
            "description": f"Model number {i}.",
            "config": {"meta": {"owner": "team-data"}} if i == 0 else {},
            "columns": [{"name": "id", "description": "Key.", "data_tests": list(_tests(i, tests))}],
        }
        for i in range(min(models, 1000))
    ]
    if described:
        made["models/schema.yml"] = json.dumps({"models": described}, indent=1)
    return made


def _parents(i: int) -> tuple[int, int]:
    """Two models that model `i` reads. Behind the first ten, four layers of ten follow each other, then it begins anew.

    Deeper chains would measure the database: a view of views is planned as often as there are ways down to a seed.
    """
    if i < 10:
        return i - 2, i - 1 if i % 2 else i - 2
    layer = i // 10
    if layer % 4 == 1:
        return i % 2, i % 2
    below = (layer - 1) * 10
    return below + i % 10, below + (i + 3) % 10


def _tests(i: int, tests: int) -> list[str]:
    """Kinds; the names that dbt makes of them are `not_null_model_0_id` and so on."""
    return [kind for kind, number in (("not_null", 2 * i), ("unique", 2 * i + 1)) if number < tests]


def installed_release(distribution: str = "dbt-core") -> tuple[int, int]:
    """Major and minor number of the installed dbt, or of another distribution, such as an adapter's."""
    major, minor = version(distribution).split(".")[:2]
    return int(major), int(minor)


def _arguments(**given: Any) -> dict[str, Any]:
    """Arguments of a generic test, as the installed dbt takes them: from 1.10 on under a key of their own."""
    return {"arguments": given} if installed_release() >= (1, 10) else given


def _source_config(**given: Any) -> dict[str, Any]:
    """What is said of a source, where the installed dbt looks for it: from 1.10 on in `config`."""
    return {"config": given} if installed_release() >= (1, 10) else given


def _shop(schema: str) -> dict[str, str]:
    """Seeds, a source with freshness, every kind of model, a snapshot, every kind of test, an exposure."""
    sources = {
        "name": "raw",
        "schema": schema,
        "tables": [
            {
                "name": "raw_orders",
                "description": "Orders as they come.",
                **_source_config(
                    loaded_at_field="cast(loaded_at as timestamp)",
                    freshness={"warn_after": {"count": 1, "period": "day"}},
                    meta={"owner": "intake"},
                ),
            }
        ],
    }
    models = [
        {
            "name": "stg_customers",
            "description": "One row for each customer.",
            "columns": [{"name": "customer_id", "description": "Key.", "data_tests": ["not_null", "unique"]}],
        },
        {"name": "stg_orders", "description": "Orders, cleaned; ephemeral."},
        {
            "name": "orders",
            "description": "One row for each order.",
            "config": {"meta": {"owner": "kevin-g"}, "tags": ["daily"]},
            "columns": [
                {
                    "name": "status",
                    "description": "Where the order is.",
                    "data_tests": [
                        {
                            "accepted_values": {
                                **_arguments(values=["placed", "shipped"]),
                                "config": {"severity": "warn"},
                            }
                        }
                    ],
                },
                {
                    "name": "customer_id",
                    "data_tests": [
                        {"relationships": _arguments(to="ref('stg_customers')", field="customer_id")},
                    ],
                },
            ],
        },
        {"name": "customers", "description": "Customers with what they spent."},
        {"name": "daily_totals", "description": "Sums by day."},
    ]
    unit_tests = [
        {
            "name": "test_customers_sum",
            "model": "customers",
            "given": [
                {"input": "ref('stg_customers')", "rows": [{"customer_id": 1, "name": "Ada"}]},
                {
                    "input": "ref('orders')",
                    "rows": [{"customer_id": 1, "amount": 2}, {"customer_id": 1, "amount": 3}],
                },
            ],
            "expect": {"rows": [{"customer_id": 1, "name": "Ada", "spent": 5}]},
        }
    ]
    exposures = [
        {
            "name": "board",
            "type": "dashboard",
            "owner": {"name": "Board", "email": "board@example.com"},
            "depends_on": ["ref('customers')"],
        }
    ]
    return {
        "seeds/raw_customers.csv": "customer_id,name\n1,Ada\n2,Grace\n3,Edsger\n",
        "seeds/raw_orders.csv": (
            "order_id,customer_id,amount,status,day,loaded_at\n"
            "1,1,20,placed,2024-01-01,2024-01-01 10:00:00\n"
            "2,1,30,shipped,2024-01-02,2024-01-02 10:00:00\n"
            "3,2,5,returned,2024-01-02,2024-01-02 10:00:00\n"
        ),
        "models/staging/stg_customers.sql": "select customer_id, name from {{ ref('raw_customers') }}\n",
        "models/staging/stg_orders.sql": (
            "{{ config(materialized='ephemeral') }}\n"
            "-- depends_on: {{ ref('raw_orders') }}\n"
            "select order_id, customer_id, amount, status, day from {{ source('raw', 'raw_orders') }}\n"
        ),
        "models/marts/orders.sql": "{{ config(materialized='table') }}\nselect * from {{ ref('stg_orders') }}\n",
        "models/marts/customers.sql": (
            "{{ config(materialized='table') }}\n"
            "select c.customer_id, c.name, sum(o.amount) as spent from {{ ref('stg_customers') }} as c "
            "left join {{ ref('orders') }} as o on o.customer_id = c.customer_id group by 1, 2\n"
        ),
        "models/marts/daily_totals.sql": (
            "{{ config(materialized='incremental', unique_key='day') }}\n"
            "select day, sum(amount) as amount from {{ ref('orders') }}\n"
            "{% if is_incremental() %}where day >= (select max(day) from {{ this }}){% endif %}\n"
            "group by 1\n"
        ),
        "models/marts/retired.sql": "{{ config(enabled=false) }}\nselect 1 as id\n",
        "models/schema.yml": json.dumps(
            {"models": models, "sources": [sources], "unit_tests": unit_tests, "exposures": exposures}, indent=1
        ),
        "snapshots/orders_snapshot.sql": (
            "{% snapshot orders_snapshot %}\n"
            "{{ config(target_schema=target.schema, unique_key='order_id', strategy='check', "
            "check_cols=['status']) }}\n"
            "select * from {{ ref('orders') }}\n{% endsnapshot %}\n"
        ),
        "tests/assert_positive_amounts.sql": "select * from {{ ref('orders') }} where amount < 0\n",
    }


def _odd() -> dict[str, str]:
    """Dots, spaces and unicode in names, long and odd texts, a model without columns, an alias, odd `meta`."""
    long_text = "Ein langer Text. " * 40
    models: list[dict[str, Any]] = [
        {"name": "dotted.name.v1", "description": long_text},
        {"name": "größe_модель", "description": "`code`, <b>tags</b>, {curly}, %s and \\ backslash\n\n* list"},
        {"name": "aliased", "config": {"alias": "other_name", "meta": {"owner": ["a", "b"], "when": "2024-01-01"}}},
        {"name": "bare", "columns": [{"name": "id", "data_tests": ["not_null"]}]},
        {"name": "on_ephemerals", "config": {"meta": {"nested": {"deep": [1, {"x": None}]}}}},
        {"name": "without_assets", "config": {"meta": {"prefect": {"enable_assets": False}}}},
    ]
    return {
        "seeds/seed with space.csv": "id\n1\n",
        "models/dotted.name.v1.sql": "select 1 as id\n",
        "models/größe_модель.sql": "select 1 as id\n",
        "models/aliased.sql": "{{ config(materialized='table') }}\nselect 1 as id\n",
        "models/bare.sql": "select id from {{ ref('dotted.name.v1') }}\n",
        "models/ephemeral_one.sql": "{{ config(materialized='ephemeral') }}\nselect id from {{ ref('aliased') }}\n",
        "models/ephemeral_two.sql": (
            "{{ config(materialized='ephemeral') }}\nselect id from {{ ref('ephemeral_one') }}\n"
        ),
        "models/on_ephemerals.sql": "select id from {{ ref('ephemeral_two') }}\n",
        "models/without_assets.sql": "select id from {{ ref('größe_модель') }}\n",
        "models/schema.yml": json.dumps({"models": models}, indent=1, ensure_ascii=False),
    }
