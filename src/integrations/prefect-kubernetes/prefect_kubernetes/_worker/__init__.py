"""How flow runs become jobs of a cluster."""
