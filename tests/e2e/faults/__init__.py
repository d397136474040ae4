"""What can go wrong around a running server, done to the real test cluster: ``python -m tests.e2e.faults``."""
