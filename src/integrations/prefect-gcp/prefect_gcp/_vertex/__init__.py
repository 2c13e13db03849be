"""What the Vertex AI worker is made of."""
