"""Who asks the service, and for which teams."""
