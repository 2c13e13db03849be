"""What the local git host is made of."""
