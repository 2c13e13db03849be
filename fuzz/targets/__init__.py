"""Targets, a module for each package."""
