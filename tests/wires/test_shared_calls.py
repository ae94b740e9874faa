"""What workers tell each other of tool calls: everything that fits into the ring, in order, and nothing in pieces."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.core.strict_json import JsonObject
from gateway.wires.reasoning_memory import ReasoningMemory
from gateway.wires.shared_calls import MOST, SharedCalls

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="files are not shared between processes on Windows")
SIGNED: JsonObject = {"google": {"thought_signature": "c2ln"}}
CAPACITY = 512


def log(path: Path, capacity: int = CAPACITY) -> SharedCalls:
    return SharedCalls(path / "calls", capacity)


@pytest.fixture
def memories(tmp_path: Path) -> Iterator[list[ReasoningMemory]]:
    """Of two workers."""
    logs = [log(tmp_path, 1 << 20) for _ in range(2)]
    yield [ReasoningMemory(log=each) for each in logs]
    for each in logs:
        each.close()


def test_the_next_request_finds_the_call_at_another_worker(memories: list[ReasoningMemory]) -> None:
    one, other = memories
    assert other.find("call_1") == {}
    one.keep("call_1", SIGNED)
    assert other.find("call_1") == SIGNED
    other.keep("call_1", {"google": {"thought_signature": "bmV3"}})
    assert one.find("call_1") == {"google": {"thought_signature": "bmV3"}}


def test_what_is_too_large_is_known_to_its_own_worker(memories: list[ReasoningMemory]) -> None:
    one, other = memories
    large: JsonObject = {"google": {"thought_signature": "A" * MOST}}
    one.keep("call_1", large)
    assert one.find("call_1") == large
    assert other.find("call_1") == {}


def test_a_worker_that_begins_later_finds_what_is_still_there(tmp_path: Path) -> None:
    first = log(tmp_path)
    first.append("call_1", SIGNED)
    assert list(log(tmp_path).new()) == [("call_1", SIGNED)]


def test_own_entries_are_not_read_again(tmp_path: Path) -> None:
    one = log(tmp_path)
    one.append("call_1", SIGNED)
    assert list(one.new()) == []


steps = st.tuples(st.sampled_from(["one", "two"]), st.sampled_from(["append", "read"]), st.integers(0, 130))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(steps, max_size=60))
def test_each_reads_what_others_wrote_as_long_as_it_is_there(
    tmp_path: Path, changes: list[tuple[str, str, int]]
) -> None:
    """Against the list of all entries: none twice by its reader, none out of order, none of the latest missing."""
    (tmp_path / "calls").unlink(missing_ok=True)
    logs = {name: log(tmp_path) for name in ("one", "two")}
    written: list[tuple[str, str, JsonObject]] = []
    read = dict.fromkeys(logs, 0)
    for number, (name, step, size) in enumerate(changes):
        if step == "append":
            extra: JsonObject = {"v": "x" * size}
            logs[name].append(f"call_{number}", extra)
            written.append((name, f"call_{number}", extra))
            continue
        found = [(call_id, extra) for call_id, extra in logs[name].new()]
        unread = [(call_id, extra) for _, call_id, extra in written[read[name] :]]
        others = [(call_id, extra) for by, call_id, extra in written[read[name] :] if by != name]
        assert found == unread[len(unread) - len(found) :] or found == others[len(others) - len(found) :]
        held = [entry for entry in others if entry in found]
        assert others[len(others) - len(held) :] == held, "what is missing is older than what is there"
        latest = [(call_id, extra) for by, call_id, extra in written[max(read[name], len(written) - 2) :] if by != name]
        assert held[len(held) - len(latest) :] == latest, "the last two entries are always there"
        read[name] = len(written)
    for each in logs.values():
        each.close()
