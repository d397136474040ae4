"""Teams that a provisioner makes, on the real cluster."""
