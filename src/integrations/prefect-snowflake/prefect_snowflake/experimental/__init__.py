"""What may still change between two minor versions."""
