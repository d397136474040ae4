"""Idle servers: what they say of themselves, what samples say of them, and what is done about them."""
