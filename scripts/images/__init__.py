"""Images of the workers: what they are called, what goes into them, and how they are built."""
