"""Cosmos DB: connections, names, requests that may be repeated, and the tasks made of them."""
