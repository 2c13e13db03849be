"""How images are built and pushed: what the deployment steps do, without their published faces."""
