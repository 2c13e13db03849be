"""Parts of the server in the shape of GitHub's API."""
