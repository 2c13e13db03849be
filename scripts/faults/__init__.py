"""What is known of failures: each package's `tests/faults.toml`, its checks, and the page that shows them all."""
