"""Azure Container Apps: jobs that workers make for runs, and jobs that exist."""
