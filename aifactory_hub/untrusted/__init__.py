"""Readers of what members send: packs, manifests, JSON bodies, texts. Standard library only.

Every reader has limits of size, count and depth, and refuses whatever is outside of them. None of them trusts a number
that the input gives.
"""
