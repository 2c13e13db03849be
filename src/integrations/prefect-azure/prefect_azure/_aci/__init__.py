"""What the Container Instances worker is made of."""
