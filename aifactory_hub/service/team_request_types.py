"""The forms of what is asked and answered of requests for teams. As in ``request_types`` and ``answer_types``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

from ..domain.provisioning import Stage
from ..domain.team_progress import ProgressState
from ..domain.team_wishes import RequestState, TeamChange, TeamWish, WishKind
from ..registry.scalars import read_tenant_name
from .answer_types import NeedAnswer
from .approval_types import When
from .request_types import MOST_AT_ONCE, Line
from .usage_request_types import Reason

_MOST_GROUPS = 20
_MOST_DEVICES = 50
# Teams that the provisioner tells of at once.
_MOST_TEAMS = 5000

Group = Annotated[Line, Field(min_length=1, max_length=255)]
Counted = Annotated[
    dict[Annotated[Line, Field(max_length=100)], Annotated[int, Field(ge=0, le=100_000)]],
    Field(max_length=_MOST_DEVICES, description="Devices by their name in tenants.yaml, and how many."),
]
Counts = dict[str, int]


class TeamWishRequest(BaseModel):
    """What somebody asks for: a new team, or more time or another size for one that was asked for.

    Of a change, what is left out stays as it is: devices that are not named, too. A count of 0 takes a device away.
    """

    model_config = ConfigDict(extra="forbid", strict=True)

    kind: Annotated[WishKind, Field(strict=False)] = WishKind.NEW
    name: Annotated[str, AfterValidator(read_tenant_name), Field(description="The team's name.")]
    template: Annotated[Line, Field(max_length=63, description="A template of the site.")] = ""
    display_name: Annotated[Line, Field(max_length=40, description="The name for people.")] = ""
    members: Annotated[
        list[Group], Field(max_length=_MOST_GROUPS, description="Groups at the identity provider: its members.")
    ] = []
    admins: Annotated[list[Group], Field(max_length=_MOST_GROUPS, description="And its administrators.")] = []
    quota: Counted = {}
    borrowing: Counted = {}
    expires: Annotated[
        str,
        Field(pattern=r"^([0-9]{4}-[0-9]{2}-[0-9]{2})?$", description="The last day; as long as may be when left out."),
    ] = ""
    reason: Reason

    def change(self) -> TeamChange:
        """What of a team is to be different."""
        said = self.model_fields_set
        return TeamChange(
            self.name,
            self.reason,
            display_name=self.display_name if "display_name" in said else None,
            members=tuple(dict.fromkeys(self.members)) if "members" in said else None,
            admins=tuple(dict.fromkeys(self.admins)) if "admins" in said else None,
            quota=self.quota,
            borrowing=self.borrowing,
        )

    def wish(self) -> TeamWish:
        """As a value; of a change see ``change``."""
        return TeamWish(
            name=self.name,
            template=self.template,
            display_name=self.display_name,
            members=tuple(dict.fromkeys(self.members)),
            admins=tuple(dict.fromkeys(self.admins)),
            quota={name: count for name, count in self.quota.items() if count},
            borrowing={name: count for name, count in self.borrowing.items() if count},
            expires=self.expires,
            reason=self.reason,
            kind=self.kind,
        )


class TeamRequestQuery(BaseModel):
    """Which requests."""

    model_config = ConfigDict(extra="forbid")

    everybody: Annotated[bool, Field(description="Of everybody: for the hub's administrators.")] = False
    limit: Annotated[int, Field(ge=1, le=MOST_AT_ONCE, description="How many at most.")] = 50


class TeamStateReport(BaseModel):
    """What the provisioner knows of one team; times in seconds since 1970."""

    model_config = ConfigDict(extra="forbid")

    stage: Stage
    since: float
    sentence: Annotated[Line, Field(max_length=1000)] = ""
    trouble: Annotated[Line, Field(max_length=1000)] = ""
    todo: Annotated[Line, Field(max_length=1000)] = ""
    begun: float = 0.0
    opened: float | None = None
    last_used: float = 0.0
    follows: Annotated[Line, Field(max_length=300)] = ""
    version: Annotated[Line, Field(max_length=300)] = ""
    healed: int = 0


class TeamStatesReport(BaseModel):
    """What the provisioner knows of all teams."""

    model_config = ConfigDict(extra="forbid")

    teams: Annotated[dict[Annotated[Line, Field(max_length=63)], TeamStateReport], Field(max_length=_MOST_TEAMS)] = {}


class GrantedTeamsAnswer(TypedDict):
    """The file of each team that was granted, and which were removed from those."""

    granted: dict[str, str]
    removed: list[str]


class ApprovalStepAnswer(TypedDict):
    """What is more than ``above`` needs these; an empty ``above`` means whatever is asked for."""

    above: Counts
    needs: list[NeedAnswer]


class DeviceRoom(TypedDict):
    """How many of a kind of device a team of the template may own and borrow, and how many are promised to nobody."""

    device: str
    most: int
    most_borrowed: int
    carved: int
    uncommitted: int


class TeamTemplateAnswer(TypedDict):
    """One template. ``lasts`` is in seconds, null: for ever. ``groups`` are patterns of groups that may be named.
    ``sizes`` says for people what each of the ``profiles`` is."""

    name: str
    description: str
    profiles: list[str]
    sizes: list[str]
    groups: list[str]
    devices: list[DeviceRoom]
    approval: list[ApprovalStepAnswer]
    lasts: float | None


class AskedForTeamAnswer(TypedDict):
    """A team that was asked for, as it is now, of those that the caller may change."""

    name: str
    display_name: str
    template: str
    members: list[str]
    admins: list[str]
    quota: Counts
    borrowing: Counts
    expires: str


class TeamTemplatesAnswer(TypedDict):
    """What may be asked for. ``why_not`` says why the caller may not ask for a new team; null: they may."""

    templates: list[TeamTemplateAnswer]
    teams: list[AskedForTeamAnswer]
    why_not: str | None
    simulated: bool


class DevicesLeftAnswer(TypedDict):
    """How it stands with one kind of device, in numbers and in a sentence."""

    device: str
    carved: int
    promised: int
    asked: int
    fits: int
    sentence: str


class EffectAnswer(TypedDict):
    """What another team would feel."""

    tenant: str
    device: str
    count: int
    sentence: str


class TeamDecisionAnswer(TypedDict):
    """What would be answered now. ``effects`` null: nobody can say it now. ``offer`` is the largest that fits."""

    outcome: Annotated[Literal["granted", "needs-approval", "refused"], Field(description="What would be answered.")]
    reason: str | None
    detail: str | None
    field: str | None
    needs: list[NeedAnswer]
    needs_text: str
    why: list[str]
    rooms: list[DevicesLeftAnswer]
    offer: Counts
    offer_borrowed: Counts
    effects: list[EffectAnswer] | None
    expires: str


class RequestStepAnswer(TypedDict):
    """One step of a request."""

    name: str
    state: ProgressState
    sentence: str


class RequestEntryAnswer(TypedDict):
    """One thing that happened to a request."""

    at: When
    who: str
    text: str


class TeamRequestAnswer(TypedDict):
    """One request. ``approval`` is the id of its last approval; ``file`` is the team's file, once it was granted."""

    id: str
    kind: WishKind
    name: str
    template: str
    display_name: str
    members: list[str]
    admins: list[str]
    quota: Counts
    borrowing: Counts
    expires: str
    reason: str
    asked_by: str
    asked_at: When
    changed_at: When
    state: RequestState
    why: str
    approval: str | None
    steps: list[RequestStepAnswer]
    todo: str
    journal: list[RequestEntryAnswer]
    file: str | None


class TeamRequestPage(TypedDict):
    """Requests, the newest first."""

    requests: list[TeamRequestAnswer]
    simulated: bool


class TeamStateAnswer(TypedDict):
    """What the provisioner said of a team; ``stage`` null: nothing. ``age`` and ``in_stage`` are in seconds."""

    tenant: str
    display_name: str
    asked_for: bool
    expires: When | None
    stage: Stage | None
    in_stage: float | None
    age: float | None
    sentence: str
    trouble: str
    todo: str
    version: str
    follows: str
    healed: int


class TeamStatesAnswer(TypedDict):
    """All teams. ``heard_at`` null: no provisioner has spoken since this service started."""

    heard_at: When | None
    teams: list[TeamStateAnswer]
    simulated: bool
