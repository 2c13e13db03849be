"""What both Azure workers share: calls, retries, bounded threads, names, tags."""
