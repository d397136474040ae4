"""The REST API. A handler parses, makes one call, and answers."""
