"""`python -m prefect_integration_docs`: the command `prefect-integration-docs`."""

from prefect_integration_docs.cli import main

raise SystemExit(main())
