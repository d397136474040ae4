"""What is kept of the provider's token response in JupyterHub's auth_state, beside what the provider sent."""

from __future__ import annotations

# The checked claims of the ID token. Each later userinfo answer is compared with the subject in them.
VERIFIED = "aifactory_id_token"
# True if the claims are of an earlier response: a renewal brought no ID token.
VERIFIED_BEFORE = "aifactory_id_token_is_old"
# What a renewal may leave out, and what then stays as it was.
STAYS = ("refresh_token", "id_token", VERIFIED)
