"""What Google's services on this machine are made of."""
