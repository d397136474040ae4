"""A real Kubernetes with two vClusters on this machine, built from package registries; see README.md."""
