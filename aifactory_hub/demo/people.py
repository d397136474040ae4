"""Who can sign in to the demo."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One account of the demo's identity provider. ``groups`` are what tenants.yaml's rules match.

    ``platform_admin``: an administrator of the hub itself.
    """

    name: str
    full_name: str
    groups: tuple[str, ...]
    about: str
    platform_admin: bool = False

    def claims(self) -> dict[str, object]:
        """What the provider says of them, besides the token's own claims."""
        return {
            "sub": f"demo-{self.name}",
            "preferred_username": self.name,
            "name": self.full_name,
            "email": f"{self.name}@demo.invalid",
            "groups": list(self.groups),
        }


PEOPLE = (
    DemoPerson("ada", "Ada Laurent", ("teams/nlp", "teams/audio"), "Member of Language"),
    DemoPerson("noor", "Noor Haddad", ("teams/nlp", "teams/nlp/admins"), "Admin of Language"),
    DemoPerson("kai", "Kai Lindqvist", ("teams/vision",), "Member of Vision"),
    DemoPerson("mika", "Mika Okafor", ("teams/nlp", "teams/vision"), "Member of Language and of Vision"),
    DemoPerson("iris", "Iris Brandt", ("corp/security",), "Approver of the group security, in no team"),
    DemoPerson("rene", "Rene Abara", (), "Administrator of the platform, in no team", platform_admin=True),
    DemoPerson("sam", "Sam Novak", (), "In no team: is told so, in words"),
)
