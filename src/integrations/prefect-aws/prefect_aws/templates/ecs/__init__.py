"""CloudFormation templates of the ECS worker: `service.json` and `events-only.json`.

`prefect-aws ecs-worker export-template` writes them to a file, to change them or to deploy them by other means.
"""
