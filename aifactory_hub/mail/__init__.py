"""The only folder that speaks to a mail server."""
