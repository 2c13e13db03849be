"""Data models of Google Cloud's services."""
