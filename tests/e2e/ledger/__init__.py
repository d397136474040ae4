"""The ledger against etcd's own history: every second that a pod held its devices, and none besides."""
