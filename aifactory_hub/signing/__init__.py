"""Signed statements about files: what is signed, in which form, with which keys. It needs ``cryptography`` alone."""
