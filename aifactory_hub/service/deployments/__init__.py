"""Deployments of models: asked for, judged, kept running, and returned from."""
