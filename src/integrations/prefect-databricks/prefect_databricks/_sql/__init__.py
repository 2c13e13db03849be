"""Statements of SQL: values bound, results in chunks, ended when nobody waits."""
