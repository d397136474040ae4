"""A restart of every part of the site, one after the other, while people work."""
