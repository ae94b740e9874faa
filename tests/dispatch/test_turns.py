"""The choice among accounts against a model: shares, rests, counts that move and counts that are given back."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from gateway.auth.sources import ApiKey
from gateway.core.provider_failures import Evidence, RateLimited
from gateway.core.secrets import Secret
from gateway.dispatch.turns import no_session
from gateway.routing.accounts import Account, AccountPool
from gateway.routing.router import Target
from tests.support.examples import examples
from tests.support.failover_scene import Scene, route

NAMES = ("k1", "k2", "k3")


class Choosing(RuleBasedStateMachine):
    """Calls come, some are sent and some are not; accounts rest and come back. The model counts by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = TemporaryDirectory()
        self.until: dict[str, float] = {}

    @initialize(weights=st.tuples(*[st.integers(0, 3)] * 3))
    def begin(self, weights: tuple[int, int, int]) -> None:
        self.weights = dict(zip(NAMES, weights, strict=True))
        self.credits = dict.fromkeys(NAMES, 0)
        accounts = [Account(name, 1, weight) for name, weight in self.weights.items()]
        sources = {f"a@{name}": ApiKey(Secret(name)) for name in NAMES}
        pools = {"a": AccountPool.of(accounts, "round-robin")}
        self.scene = Scene(Path(self.folder.name), sources=sources, pools=pools)

    def parts(self) -> dict[str, int]:
        now = self.scene.clock.monotonic()
        return {name: weight for name, weight in self.weights.items() if weight and self.until.get(name, 0.0) <= now}

    def move(self, chosen: str, parts: dict[str, int], times: int) -> None:
        for name, weight in parts.items():
            self.credits[name] += weight * times
        self.credits[chosen] -= sum(parts.values()) * times

    @rule(sent=st.sampled_from([None, *NAMES]))
    def call(self, sent: str | None) -> None:
        """A call, which may be sent by another account than the first, or not at all."""
        parts = self.parts()
        expected = sorted(parts, key=lambda name: -(self.credits[name] + parts[name]))
        turn = self.scene.turns.take(route("a"), no_session)
        order = [target.account for target in turn.targets]
        assert order[: len(expected)] == expected
        assert sorted(order) == sorted(NAMES), "each account once"
        if sent is not None:
            turn.sent(Target("a", "m", sent))
            turn.sent(Target("a", "m", sent))
            if sent in parts:
                self.move(sent, parts, 1)
        turn.close()
        turn.close()

    @rule(name=st.sampled_from(NAMES), seconds=st.integers(1, 100))
    def rests(self, name: str, seconds: int) -> None:
        ticket = self.scene.health.enter(Target("a", "m", name), forced=True)
        assert ticket is not None
        ticket.failed(RateLimited("too many", evidence=Evidence(429, None, seconds)))
        ended = self.scene.clock.monotonic() + seconds
        self.until[name] = ended

    @rule(seconds=st.integers(1, 100))
    def time_goes_by(self, seconds: int) -> None:
        self.scene.clock.advance(seconds)

    @invariant()
    def what_one_is_owed_another_has_had(self) -> None:
        if hasattr(self, "credits"):
            assert sum(self.credits.values()) == 0

    def teardown(self) -> None:
        self.folder.cleanup()


Choosing.TestCase.settings = settings(max_examples=examples(60), stateful_step_count=30, deadline=None)
TestChoosing = Choosing.TestCase
