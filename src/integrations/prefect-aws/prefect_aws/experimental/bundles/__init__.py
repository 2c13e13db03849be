"""The former place of `prefect_aws.bundles`, which stored work pools still name."""
