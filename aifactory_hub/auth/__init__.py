"""Who somebody is and which tenants they belong to: the identity provider's word, made into JupyterHub's terms."""

from .authenticator import AIFactoryAuthenticator

__all__ = ["AIFactoryAuthenticator"]
