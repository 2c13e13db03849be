"""CloudFormation templates of `prefect-aws`."""
