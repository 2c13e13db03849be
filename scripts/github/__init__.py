"""What prefect-github is made of that follows from GitHub's GraphQL schema: `python -m scripts.github` writes it anew.

`schemas/` holds the schema as GitHub publishes it, in two versions: today's, and the one of 2022, which still has what
GitHub has removed since. `tasks.txt` holds the tasks that prefect-github promises. From these follow the modules of
tasks, the fields that they return by default, the types of `prefect_github.schemas` and the schemas that the local
GitHub of prefect-integration-tests validates documents against.
"""
