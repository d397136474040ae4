"""Engines that keep releases of deployments running: a Deployment in the team's vCluster, or processes here."""
