"""What Azure's services on this machine are made of."""
