"""Where one process serves alone, whoever asks its siblings needs no case of its own for that."""

from gateway.workers.siblings import NoSiblings


def test_nobody_else_answers() -> None:
    alone = NoSiblings()
    alone.answer("calls", lambda body: body)
    assert alone.ask("calls", b"?", within=1) == {}
    assert alone.ask_one(1, "calls", b"?", within=1) is None
    assert (alone.number, alone.count) == (0, 1)


def test_of_a_kept_topic_the_own_answer_is_the_only_one() -> None:
    alone = NoSiblings()
    alone.answer("metrics", lambda body: b"mine " + body)
    alone.keep("metrics", b"+".join)
    assert alone.ask("metrics", b"now", within=1) == {0: b"mine now"}
