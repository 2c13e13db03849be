"""Versions, changelogs and releases of the packages; `python -m scripts.releases --help` lists what it does.

Each change of a package brings a *fragment*, a file in the package's folder `news/`. A release gives the package a new
version and moves its fragments into `CHANGELOG.md`; a tag such as `prefect-aws-0.9.0` then publishes it.
"""
