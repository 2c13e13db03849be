"""Run-time code that Prefect integrations share.

Import the module that you need (`from prefect_integration_kit.paths import object_key`); this package itself
loads nothing, so that importing an integration stays cheap.
"""
