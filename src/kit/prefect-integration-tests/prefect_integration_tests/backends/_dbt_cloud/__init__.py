"""Rooms of the local server in the shape of dbt Cloud."""
