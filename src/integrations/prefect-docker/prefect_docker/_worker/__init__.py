"""How the Docker worker does its work."""
