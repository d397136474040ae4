"""Rules and approvals on the real cluster: what is refused, what is held, and who lets it go."""
