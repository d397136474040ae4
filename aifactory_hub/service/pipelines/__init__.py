"""Runs of pipelines: started, taken forward step by step, each step an ordinary job."""
