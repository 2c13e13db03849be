"""Measurements against the published packages; run them as `python -m benches`."""
