"""Keys of our own in JupyterHub's auth_state, beside those of the provider's token response."""

from __future__ import annotations

# The checked claims of the ID token. Each later userinfo answer is compared with the subject in them.
VERIFIED = "aifactory_id_token"
# True if the claims are of an earlier response: a renewal brought no ID token.
VERIFIED_BEFORE = "aifactory_id_token_is_old"
# Keys that a renewal may leave out: their values then stay.
STAYS = ("refresh_token", "id_token", VERIFIED)
