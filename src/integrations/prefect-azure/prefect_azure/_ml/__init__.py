"""Azure Machine Learning: workspaces of either SDK, and their datastores."""
