"""The whole hub on one machine, without a cluster: only the cluster is simulated, and every page says so."""
