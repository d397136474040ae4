"""Reads samples of GPUs and pods. The only folder that speaks to Prometheus."""
