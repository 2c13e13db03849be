"""What the workers of Google Cloud are made of."""
