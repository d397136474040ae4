"""Thin: parse, one call, answer."""
