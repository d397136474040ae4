"""Servers other than JupyterLab: ``python -m aifactory_hub.editors`` starts VS Code, marimo or a command, behind the
hub's sign-in, and tells the job service whether it is used. It runs in the server's pod, and imports nothing heavy."""
