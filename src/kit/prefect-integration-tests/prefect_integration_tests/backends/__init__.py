"""Local servers that stand in for real services, each a module with session fixtures."""
