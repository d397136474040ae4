"""The authenticator: what the identity provider says of a user, in JupyterHub's terms."""

from .authenticator import AIFactoryAuthenticator

__all__ = ["AIFactoryAuthenticator"]
