"""What Key Vault blocks and tasks are made of."""
