"""Witnesses of what the teams' pods hold: each watches the host, asks whose a pod is, and tells a ledger."""
