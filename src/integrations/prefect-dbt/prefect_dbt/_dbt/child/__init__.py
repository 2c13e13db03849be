"""What runs in the child: the standard library and dbt, nothing of Prefect.

`__main__` loads this folder as a package of its own name, so that neither `prefect_dbt` nor Prefect is imported there.
The parent imports `frames` and `records` from here, since both ends must agree on them.
"""
