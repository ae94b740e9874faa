"""What an explanation of a route says (gateway.dispatch.explain makes it).

The names of the attributes are keys in the JSON of `explain`; the command line makes text of them. They hold no secret
and nothing of any request.
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.core.records import login_name
from gateway.limits.slots import RowStatus
from gateway.routing.target_health import TargetStatus
from gateway.sharing.follower import SharingView

CHAT: Final = "chat"
"""The endpoint of every chat, whatever its wire."""
HowAsked = Literal["in order", "in line", "forced"]
"""How a candidate is asked: after those before it have failed; after them in the queue of its rate limit; although it
cools down, because no other target is left."""


@dataclass(frozen=True, slots=True)
class CredentialView:
    """The credential of a candidate.

    Attributes:
        kind: "api_key", "token" or "none".
        expires_at: wall seconds; None where it is not known.
        problem: what is wrong, in a sentence; None where no fault is known.
        remedy: the command that helps; None where no command does.
        source: what the provider authenticates with, for people; empty where an older gateway answered.
    """

    kind: str
    expires_at: float | None
    problem: str | None
    remedy: str | None
    source: str = ""


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """The requests a minute of a candidate, from before rows had other numbers.

    Attributes:
        requests: calls allowed in any window of `seconds`.
        seconds: the window's length.
        used: calls that count now.
        waiting: callers in the line of the row.
        wait: seconds that a caller would wait now.
    """

    requests: int
    seconds: float
    used: int
    waiting: int
    wait: float


@dataclass(frozen=True, slots=True)
class CandidateView:
    """One target.

    Attributes:
        place: its rank in the configuration, from 1.
        turn: how it is asked.
        health: its status; its time limits apply where `first_content` is "auto".
        first_content: seconds that it gets for its first content, or "auto".
        limit: the requests a minute of the first row that counts them; None where no row does.
        proxy: through which proxy its provider is asked; None where there is none.
        left_out: what it has refused by name and is not sent.
        wire: in which it is asked.
        passes: whether that is the caller's, so that requests and answers pass as they came; else they are translated.
        limits: all rows of `rateLimits` that fit it.
        account: of the provider; "" where that has one without a name.
        order: why it stands where it stands, where a strategy decides that; else "".
    """

    provider: str
    model: str
    place: int
    turn: HowAsked
    health: TargetStatus
    first_content: float | Literal["auto"]
    limit: LimitStatus | None
    credential: CredentialView
    proxy: str | None = None
    left_out: tuple[str, ...] = ()
    wire: str = ""
    passes: bool = False
    limits: tuple[RowStatus, ...] = ()
    account: str = ""
    order: str = ""

    @property
    def login(self) -> str:
        """`openai`, `openai@work`."""
        return login_name(self.provider, self.account)


@dataclass(frozen=True, slots=True)
class LeftOutView:
    """A target that is not asked at the endpoint. `why` goes on from its name."""

    provider: str
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """How a name would be routed.

    Attributes:
        configuration: the file's path; None where there is none.
        candidates: in the order of asking.
        endpoint: for what: an endpoint of chats, or one beside them.
        left_out: the alias's targets that cannot answer there.
        generation: counts the configurations that the gateway has served; None where none runs.
        strategy: of the alias, among targets of equal priority.
        clients: who may ask for it, of the section `clients`.
        sharing: what is shared with other gateways through a server; None where nothing is.
    """

    model: str
    when_limited: str
    stream_recovery: str
    configuration: str | None
    candidates: tuple[CandidateView, ...]
    endpoint: str = CHAT
    left_out: tuple[LeftOutView, ...] = ()
    generation: int | None = None
    strategy: str = "priority"
    clients: tuple[str, ...] = ()
    sharing: SharingView | None = None
