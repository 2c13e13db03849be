"""The parts of the played Kubernetes API server, `kube_api`."""
