"""What a stream leaves behind: looking for cycles makes every other stream stand still, by 100 ms with a thousand."""

import gc

import pytest

from tests.support.running import alias, chat, provider, running
from tests.support.upstream_script import ScriptedUpstream, sse_answer


@pytest.mark.usefixtures("collected")
def test_a_stream_leaves_no_cycle_for_the_garbage_collector() -> None:
    with ScriptedUpstream() as up:
        config = {"providers": {"acme": provider(up.base_url)}, "modelAliases": [alias("best", "acme/m")]}
        with running(config) as gateway:

            def stream() -> None:
                up.plays(*sse_answer("one two three"))
                assert "[DONE]" in gateway.post(chat("best", stream=True)).text

            for _ in range(5):
                stream()
            gateway.settle()
            gc.collect()
            gc.disable()
            try:
                for _ in range(10):
                    stream()
                gateway.settle()
                left = gc.collect()
            finally:
                gc.enable()
    assert left < 10, "each stream has left something that only the garbage collector frees"
