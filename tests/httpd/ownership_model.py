"""A model of who owns a connection: the loop, two workers, the relay and the caller, in every order of their steps.

The methods of `Protocol` are the product's functions of the same names, with one `yield` for each read or write of what
threads share. `explore` walks through all orders, breadth first, and tells the shortest way to a fault. A fault is:

- two threads read one connection, or one reads, hands over or closes what it does not own;
- the loop registers or peeks at a closed connection, or a request is read behind the last answer;
- the loop spins, or a caller leaves while who serves it wants to know, and nobody will see it;
- nothing moves any more, and a request waits, a FIN is not seen, a drained connection is open, or nobody owns it.

Not in the model: the output (`untaken`, `broken`), parts of requests, times, `abort`. It takes for granted that what a
thread writes is seen by the others at once, as under the interpreter's lock.

Who changes give_back, settle, interest or wait_for_next_request changes the model first.
"""

import enum
from collections.abc import Callable, Generator
from types import GeneratorType
from typing import Any, NamedTuple, TypeAlias

LOOP, WORKER, RELAY, CLOSED = "LOOP", "WORKER", "RELAY", "CLOSED"


class Planted(enum.Enum):
    """What a test makes wrong, to see that the model finds it."""

    NO_RECHECK = "settle does not look again after it wrote registered"
    NO_RECHECK_OF_OTHERS = "settle looks again only where the loop owns the connection"
    LOOK_BEFORE_GIVE_BACK = "give_back reads before it writes owner"
    CLOSE_WHOEVER_HAS_IT = "the loop closes a connection whose caller left, whoever owns it"
    DRAIN_NOT_LOOKED_AT = "give_back does not read draining"
    FLAG_FOR_PEEKED = "peeked is a flag, not the number of the call"
    PEEK_FOR_EVER = "interest does not read peeked"
    CLOSED_IS_SETTLED = "settle takes a closed connection for another's"
    CLOSED_IS_READY = "an event found before reaches a connection that is closed"
    CLOSING_IS_READ = "ready reads a connection that is closing"
    LATE_QUESTION = "a kept call begins with the watch_leaving of a question about the call before"
    GIVE_BACK_AS_WELL = "a worker that has submitted gives back as well"
    WAIT_AS_WELL = "a worker that has submitted waits for the next request as well"


class Variant(NamedTuple):
    """What may happen; nothing of it must."""

    requests: int
    fin: bool = False
    drain: bool = False
    relay: bool = False
    closing: bool = False  # an answer may be the connection's last


class Shared(NamedTuple):
    """What threads share: the connection, then the world around it, then what only the model knows."""

    unsent: int
    owner: str = LOOP
    registered: bool = True
    watch_leaving: bool = False
    peeked: int = 0
    calls: int = 0
    left: bool = False
    closing: bool = False
    draining: bool = False
    ahead: int = 0  # requests read, but not served yet

    socket: int = 0  # requests nobody has read
    fin: bool = False
    inbox: bool = False  # the loop is to look at the connection
    drain_asked: bool = False
    pool: int = 0
    relay: int = 0

    may_ask: bool = False  # this call, which a worker kept, may ask whether its caller left
    wanted: bool = False  # this call is to know whether its caller leaves
    unanswered: int = 0  # requests sent


Outcomes: TypeAlias = list[tuple[Any, Shared]]

MAY_HAPPEN, SERVES, MOVES, LOOP_MOVES = 0, 1, 1 << 4, 1 << 8
"""What a step weighs: it may come or not; it comes at last, but lasts as it likes; it comes soon; it is the loop's."""


class Step(NamedTuple):
    """One step of a thread: what it answers and what is shared after it. Where there is no outcome the thread waits."""

    words: str
    act: Callable[[Shared], Outcomes]
    weight: int = MOVES
    receives: bool = False


Run: TypeAlias = Generator[Step, Any, Any]


class Fault(Exception):
    """A step that must not be."""


def read(field: str) -> Step:
    return Step(f"reads {field}", lambda s: [(getattr(s, field), s)])


def write(by: str = "", **values: Any) -> Step:
    def act(s: Shared) -> Outcomes:
        if by and s.owner != by:
            raise Fault(f"{by} hands over or closes what is of {s.owner}")
        if values.get("registered") and s.owner == CLOSED:
            raise Fault("a closed connection is registered")
        return [("", s._replace(**values))]

    return Step(", ".join(f"{field} = {value}" for field, value in values.items()), act)


def take(field: str) -> Step:
    def act(s: Shared) -> Outcomes:
        return [("", s._replace(**{field: getattr(s, field) - 1}))] if getattr(s, field) else []

    return Step(f"takes from the {field}", act)


def receive(me: str, *uses: str) -> Step:
    """One request, or all there are. A worker may also have waited long enough."""

    def act(s: Shared) -> Outcomes:
        if s.owner != me:
            raise Fault(f"{me} reads what is of {s.owner}")
        if s.closing and s.socket:
            raise Fault("a request is read behind the last answer")
        taken = [s._replace(socket=s.socket - n, ahead=n - 1) for n in sorted({min(1, s.socket), s.socket}) if n]
        outcomes: Outcomes = [(use, new) for use in uses for new in taken] or [("end", s)] * s.fin
        return outcomes if me == LOOP and outcomes else [*outcomes, ("nothing", s)]

    return Step("recv", act, receives=True)


def peek(s: Shared) -> Outcomes:
    if s.owner == CLOSED:
        raise Fault("the loop peeks at a closed connection")
    return [("bytes" if s.socket else "end" if s.fin else "nothing", s)]


def select(s: Shared) -> Outcomes:
    """A look_at or a drain, an event, or both in one round: then the event may be old when its turn comes."""
    looks = [s._replace(inbox=False)] * s.inbox + [s._replace(drain_asked=False, draining=True)] * s.drain_asked
    event = s.registered and bool(s.socket or s.fin)
    return [("look", new) for new in looks] + [("look, event", new) for new in looks if event] + [("event", s)] * event


def count(s: Shared) -> Outcomes:
    """Only the owner writes calls, so that this is one step."""
    return [("", s._replace(calls=s.calls + 1, wanted=False))]


def ask(s: Shared) -> Outcomes:
    return [("", s._replace(may_ask=False, wanted=True))] if s.may_ask else []


KEPT = Step("watch_leaving = False", lambda s: [("", s._replace(watch_leaving=False, may_ask=True))])
KEPT_LATE = Step("begins to serve", lambda s: [("", s._replace(may_ask=True))])
WATCH = Step("watch_leaving = True", lambda s: [("", s._replace(watch_leaving=True, wanted=True))])
LOOK_AT = write(inbox=True)


class Protocol:
    """The threads. A local name is part of the state: it ends where it is needed no more."""

    def __init__(self, variant: Variant, planted: frozenset[Planted]) -> None:
        self.variant, self.planted = variant, planted

    def world(self) -> Run:
        while True:
            yield Step("", self.may_happen, weight=MAY_HAPPEN)

    def may_happen(self, s: Shared) -> Outcomes:
        if s.owner == CLOSED:
            return []
        sent = s._replace(unsent=s.unsent - 1, socket=s.socket + 1, unanswered=s.unanswered + 1)
        events: Outcomes = [("a request comes", sent)] if s.unsent else []
        if self.variant.fin and not (s.unsent or s.fin):
            events.append(("the caller's FIN comes", s._replace(fin=True)))
        if self.variant.drain and not (s.drain_asked or s.draining):
            events.append(("the loop is asked to drain", s._replace(drain_asked=True)))
        return events

    # the loop

    def loop(self) -> Run:
        while True:
            yield from self.round()

    def round(self) -> Run:
        task = yield Step("select", select)
        if task == "look, event":
            yield from self.settle()
            task = "event" if Planted.CLOSED_IS_READY in self.planted or (yield read("registered")) else "look"
        if task == "event":
            yield from self.ready()
        del task
        yield from self.settle()

    def ready(self) -> Run:
        if (yield read("owner")) == LOOP:
            if Planted.CLOSING_IS_READ in self.planted or not (yield read("closing")):
                yield from self.receive()
        elif (yield read("watch_leaving")):
            yield from self.peek()

    def receive(self) -> Run:
        got = yield receive(LOOP, "submit")
        if got == "submit":
            yield from self.submit(LOOP)
        elif got == "end":
            yield write(left=True)

    def peek(self) -> Run:
        call = yield read("calls")
        saw = yield Step("peeks", peek)
        if saw == "end":
            yield write(left=True)
        elif saw == "bytes":
            yield write(peeked=-1 if Planted.FLAG_FOR_PEEKED in self.planted else call)

    def settle(self) -> Run:
        if Planted.CLOSED_IS_SETTLED not in self.planted and (yield read("owner")) == CLOSED:
            return
        while True:
            if (yield from self.is_settled()):
                return

    def is_settled(self) -> Run:
        if (yield from self.is_over()):
            yield write(by=LOOP, owner=CLOSED)
            yield write(registered=False)
            return True
        events = yield from self.interest()
        yield write(registered=events)
        if Planted.NO_RECHECK in self.planted:
            return True
        if Planted.NO_RECHECK_OF_OTHERS in self.planted and (yield read("owner")) != LOOP:
            return True
        return events == (yield from self.interest())

    def is_over(self) -> Run:
        if Planted.CLOSE_WHOEVER_HAS_IT in self.planted and (yield read("left")):
            return True
        if (yield read("owner")) != LOOP:
            return False
        if (yield read("left")) or (yield read("closing")):
            return True
        return (yield read("draining")) and not (yield read("socket"))

    def interest(self) -> Run:
        if (yield read("owner")) == LOOP:
            return not (yield read("closing"))
        if not (yield read("watch_leaving")) or (yield read("left")):
            return False
        if Planted.PEEK_FOR_EVER in self.planted:
            return True
        return (yield Step("reads calls, is not peeked", lambda s: [(s.peeked not in (-1, s.calls), s)]))

    # a worker

    def worker(self) -> Run:
        while True:
            yield take("pool")
            yield from self.work()

    def work(self) -> Run:
        """Serve calls until the connection is to be another's, then give it away: that is the last thing."""
        way = "keep"
        while way == "keep":
            way = yield from self.serve()
        if way == "submit":
            yield from self.submit(WORKER)
            if Planted.GIVE_BACK_AS_WELL in self.planted:
                yield from self.give_back(WORKER)
            if Planted.WAIT_AS_WELL in self.planted:
                yield from self.wait_for_next_request()
        elif way == "detach":
            yield from self.detach()
        else:
            yield from self.give_back(WORKER)

    def serve(self) -> Run:
        way = yield Step("serves", self.ways_to_go_on, weight=SERVES)
        if way == "wait":
            way = yield from self.wait_for_next_request()
        elif way == "last":
            yield write(closing=True)
            way = "give back"
        return way

    def ways_to_go_on(self, s: Shared) -> Outcomes:
        answered = s._replace(unanswered=s.unanswered - 1, may_ask=False)
        next_one = answered._replace(ahead=s.ahead - 1)
        ways: Outcomes = [("submit", next_one)] if s.ahead else [("give back", answered), ("wait", answered)]
        ways += [("detach", s._replace(may_ask=False))] * self.variant.relay
        return ways + [("last", answered)] * self.variant.closing

    def wait_for_next_request(self) -> Run:
        yield write(watch_leaving=False)
        got = yield receive(WORKER, "keep", "submit")
        if got == "keep":
            yield from self.begin_call()
            yield KEPT_LATE if Planted.LATE_QUESTION in self.planted else KEPT
        elif got == "end":
            yield write(left=True)
        return got if got in ("keep", "submit") else "give back"

    def begin_call(self) -> Run:
        yield Step("calls += 1", count)
        if Planted.FLAG_FOR_PEEKED in self.planted:
            yield write(peeked=0)

    def submit(self, me: str) -> Run:
        yield from self.begin_call()
        yield WATCH
        if me != LOOP and not (yield read("registered")):
            yield LOOK_AT
        yield write(by=me, owner=WORKER)
        yield Step("puts it into the pool", lambda s: [("", s._replace(pool=s.pool + 1))])

    def detach(self) -> Run:
        yield WATCH
        yield write(by=WORKER, owner=RELAY)
        if not (yield read("registered")):
            yield LOOK_AT
        yield write(relay=1)

    def give_back(self, me: str) -> Run:
        look_first = Planted.LOOK_BEFORE_GIVE_BACK in self.planted
        must_look = look_first and (yield from self.loop_must_look())
        yield write(watch_leaving=True)
        yield write(by=me, owner=LOOP)
        if must_look or (not look_first and (yield from self.loop_must_look())):
            yield LOOK_AT

    def loop_must_look(self) -> Run:
        if not (yield read("registered")) or (yield read("left")) or (yield read("closing")):
            return True
        return Planted.DRAIN_NOT_LOOKED_AT not in self.planted and (yield read("draining"))

    # the others

    def relay(self) -> Run:
        while True:
            yield take("relay")
            way = yield Step("serves", lambda s: self.ways_to_go_on(s)[:1], weight=SERVES)
            yield from self.submit(RELAY) if way == "submit" else self.give_back(RELAY)
            del way

    def asker(self) -> Run:
        """caller_left, on a thread of the application; it may come late."""
        while True:
            yield Step("asks", ask, weight=MAY_HAPPEN)
            if not (yield read("watch_leaving")):
                yield write(watch_leaving=True)
                yield LOOK_AT


# A state is one integer: the place of each thread in a field of ten bits, and above them the number of what is shared.
# So a step is the difference of two states, found once for each place and each value of what is shared.
FIELD, TOP = 10, 60
PLACE = (1 << FIELD) - 1
RECEIVES = 1 << FIELD - 1  # the bit of a place at which a thread is about to receive
BOTH_WORKERS = (1 << 2 * FIELD) - 1


def place_of(run: Any) -> Any:
    """Where a generator stands, and its local names: what it does next follows from them.

    So no value may wait on the stack while a generator yields; a test sees to that.
    """
    where: list[Any] = []
    while isinstance(run, GeneratorType) and (frame := run.gi_frame):
        names = {name: value for name, value in frame.f_locals.items() if name != "self"}
        assert all(isinstance(value, str | int) for value in names.values()), names
        where.append((run.gi_code, frame.f_lasti, *names.items()))
        run = run.gi_yieldfrom
    return tuple(where)


class Thread:
    """A generator as a table of places, made as the walk gets there: the same answers lead there again."""

    def __init__(self, name: str, number: int, body: Callable[[], Run]) -> None:
        self.name, self.body, self.shift = name, body, number * FIELD
        self.mask = -1 << TOP | PLACE << self.shift  # what its steps depend on
        self.known: dict[int, tuple[int, list[int]]] = {}  # what its steps weigh, and the differences they make
        self.places: dict[Any, int] = {}
        self.at: dict[int, tuple[Step, tuple[Any, ...]]] = {}
        self.after: dict[tuple[int, Any], int] = {}
        self.arrive(())

    def arrive(self, answers: tuple[Any, ...]) -> int:
        run = self.body()
        step = next(run)
        for answer in answers:
            step = run.send(answer)
        place = self.places.setdefault(place_of(run), len(self.places) | step.receives * RECEIVES)
        self.at.setdefault(place, (step, answers))
        return place

    def go_on(self, place: int, answer: Any) -> int:
        if (place, answer) not in self.after:
            self.after[place, answer] = self.arrive((*self.at[place][1], answer))
        return self.after[place, answer]

    def step(self, state: int) -> Step:
        return self.at[state >> self.shift & PLACE][0]


class Result(NamedTuple):
    states: int
    fault: str | None
    path: list[str]

    def __str__(self) -> str:
        return "\n    ".join([f"{self.fault or 'no fault'}, {self.states} states", *self.path])


class Walk:
    """The states that were reached, each with the one it was reached from."""

    def __init__(self, variant: Variant, planted: frozenset[Planted]) -> None:
        p = Protocol(variant, planted)
        bodies = {"worker 1": p.worker, "worker 2": p.worker, "loop": p.loop}
        bodies |= {"relay": p.relay, "asker": p.asker, "world": p.world}
        self.threads = [Thread(name, number, body) for number, (name, body) in enumerate(bodies.items())]
        self.shared = [Shared(variant.requests)]
        self.numbers = {self.shared[0]: 0}
        self.parents = {0: 0}

    def steps(self, thread: Thread, state: int) -> list[tuple[str, int]]:
        """What the thread may do: in words, and as a difference."""
        step, place, number = thread.step(state), state >> thread.shift & PLACE, state >> TOP
        steps = []
        for answer, new in step.act(self.shared[number]):
            # In peeked, the number of an earlier call is as good as none.
            shared = new._replace(peeked=0) if 0 < new.peeked < new.calls else new
            if shared not in self.numbers:
                self.numbers[shared] = len(self.shared)
                self.shared.append(shared)
            moved = thread.go_on(place, answer) - place << thread.shift
            words = " -> ".join(str(part) for part in (step.words, answer) if part != "")
            steps.append((f"{thread.name}: {words}", moved + (self.numbers[shared] - number << TOP)))
        return steps

    def find(self, thread: Thread, state: int) -> tuple[int, list[int]]:
        changes = [change for _, change in self.steps(thread, state)]
        weight = LOOP_MOVES if thread.name == "loop" else thread.step(state).weight
        thread.known[state & thread.mask] = found = weight if changes else 0, changes
        return found

    def path(self, state: int) -> list[str]:
        path: list[str] = []
        while state:
            parent = self.parents[state]
            steps = [step for thread in self.threads for step in self.steps(thread, parent)]
            path.append(next(words for words, change in steps if parent + change == state))
            state = parent
        return path[::-1]

    def wrong(self, state: int, weight: int) -> str | None:
        """What is wrong where only the loop moves, or only who serves, or nobody."""
        s = self.shared[state >> TOP]
        if weight >= LOOP_MOVES:
            return "the loop spins" if self.spins(state) else None
        if s.owner in (WORKER, RELAY) and s.wanted and s.fin and not (s.socket or s.left):
            return "a caller leaves, and who serves it will not know"
        if weight:
            return None
        if s.owner not in (LOOP, CLOSED):
            return "nobody owns the connection"
        if s.unanswered > (s.ahead + s.socket if s.owner == CLOSED and (s.draining or s.closing) else 0):
            return "a request waits"
        if s.owner == LOOP and (s.fin or s.draining):
            return "a FIN is not seen" if s.fin else "a draining connection is open"
        return None

    def spins(self, state: int) -> bool:
        """Whether the loop alone gets back to where it was."""
        loop, walked = self.threads[2], set[int]()
        while state not in walked:
            walked.add(state)
            _, changes = loop.known.get(state & loop.mask, (0, []))
            if not changes:
                return False  # it waits, or it comes to what is new
            state += changes[0]
        return True


def explore(variant: Variant, faults: frozenset[Planted] = frozenset()) -> Result:
    """Walk through all orders of steps. The first fault that is met has the shortest path."""
    walk = Walk(variant, faults)
    parents, queue = walk.parents, [0]
    receivers = sum(RECEIVES << thread.shift for thread in walk.threads)
    tables = [(thread.known, thread.mask, thread) for thread in walk.threads]
    for state in queue:
        weight = 0
        # The workers are alike: where both are idle, it is the first that takes a call.
        for known, mask, thread in tables if state & BOTH_WORKERS else tables[:1] + tables[2:]:
            try:
                weighs, changes = known.get(state & mask) or walk.find(thread, state)
            except Fault as fault:
                path = [*walk.path(state), f"{thread.name}: {thread.step(state).words}"]
                return Result(len(parents), str(fault), path)
            weight += weighs
            for change in changes:
                new = state + change
                if new not in parents:
                    parents[new] = state
                    queue.append(new)
        wrong = walk.wrong(state, weight) if weight < MOVES or LOOP_MOVES <= weight < LOOP_MOVES + MOVES else None
        receiving = state & receivers
        if receiving & receiving - 1:
            wrong = "two threads read"
        if wrong:
            return Result(len(parents), wrong, walk.path(state))
    return Result(len(parents), None, [])
