"""What prefect-databricks is made of that follows from Databricks's API of jobs: `python -m scripts.databricks`.

The description of the API, `prefect_databricks/schemas/jobs-2.1-aws.yaml`, is ours and is edited by hand. From it
follow the models, the tasks and a description without keys of our own, for programs that read OpenAPI.
"""
