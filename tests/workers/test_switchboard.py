"""Questions among workers, as transcripts: who is asked, what is answered, and what is kept of the dead."""

from collections.abc import Iterable

from gateway.workers.messages import ALL, Message, unfolded
from gateway.workers.switchboard import MAX_OPEN, Switchboard

ALL_THREE = (0, 1, 2)


def said(messages: Iterable[tuple[int, Message]]) -> list[tuple[object, ...]]:
    """Messages in short: to whom, what, from whom, which body."""
    return [(to, each.kind, each.worker, each.body) for to, each in messages]


def ask(board: Switchboard, asker: int = 0, topic: str = "calls", to: int = ALL) -> list[tuple[int, Message]]:
    return list(board.ask(asker, Message("ask", 7, topic, to, 0.3, b"?"), ALL_THREE, now=0.0))


def test_everybody_else_is_asked_and_each_answer_goes_to_the_asker_at_once() -> None:
    board = Switchboard()
    asked = ask(board)
    assert said(asked) == [(1, "question", 0, b"?"), (2, "question", 0, b"?")]
    id = asked[0][1].id
    assert said(board.answer(2, Message("answer", id, body=b"two"), ALL_THREE)) == [(0, "reply", 2, b"two")]
    last = said(board.answer(1, Message("answer", id, body=b"one"), ALL_THREE))
    assert last == [(0, "reply", 1, b"one"), (0, "done", ALL, b"")]
    assert board.next_deadline is None


def test_the_asker_knows_its_question_by_its_own_number() -> None:
    board = Switchboard()
    [(_, question)] = ask(board, to=2)
    assert [each.id for _, each in board.answer(2, Message("answer", question.id), ALL_THREE)] == [7, 7]


def test_one_who_is_not_there_or_has_no_answer_keeps_nobody_waiting() -> None:
    board = Switchboard()
    assert said(ask(board, to=5)) == [(0, "done", ALL, b"")]
    assert said(ask(board, to=0)) == [(0, "done", ALL, b"")], "nobody asks itself"
    [(_, question)] = ask(board, to=1)
    assert said(board.answer(1, Message("unanswered", question.id), ALL_THREE)) == [(0, "done", ALL, b"")]
    [(_, question)] = ask(board, to=1)
    assert said(board.gone(1, (0, 2))) == [(0, "done", ALL, b"")]


def test_what_comes_too_late_or_twice_is_for_nobody() -> None:
    board = Switchboard()
    [(_, question)] = ask(board, to=1)
    assert said(board.expire(0.29)) == []
    assert said(board.expire(0.3)) == [(0, "done", ALL, b"")]
    assert said(board.answer(1, Message("answer", question.id, body=b"late"), ALL_THREE)) == []


def test_of_a_kept_topic_the_last_answer_stands_for_one_that_is_silent() -> None:
    board = Switchboard()
    board.keep("calls")
    board.own(1, "calls", b"one")
    board.own(0, "calls", b"mine")
    id = ask(board)[0][1].id
    assert said(board.answer(2, Message("answer", id, body=b"two"), ALL_THREE)) == [(0, "reply", 2, b"two")]
    assert said(board.expire(1.0)) == [(0, "reply", 1, b"one"), (0, "done", ALL, b"")]


def test_of_another_topic_nothing_is_kept() -> None:
    board = Switchboard()
    board.own(1, "calls", b"one")
    ask(board)
    assert said(board.expire(1.0)) == [(0, "done", ALL, b"")]


def test_a_dead_worker_is_told_apart_from_the_one_in_its_place() -> None:
    board = Switchboard()
    board.keep("calls")
    board.own(1, "calls", b"before")
    assert said(board.gone(1, (0, 2))) == []
    id = ask(board)[0][1].id
    list(board.answer(2, Message("answer", id, body=b"two"), ALL_THREE))
    last = said(board.answer(1, Message("answer", id, body=b"anew"), ALL_THREE))
    assert last == [(0, "reply", 1, b"anew"), (0, "reply", -1, b"before"), (0, "done", ALL, b"")]


def test_a_worker_that_dies_while_it_is_asked_counts_with_its_last_answer() -> None:
    board = Switchboard()
    board.keep("calls")
    board.own(1, "calls", b"one")
    id = ask(board)[0][1].id
    list(board.answer(2, Message("answer", id, body=b"two"), ALL_THREE))
    assert said(board.gone(1, (0, 2))) == [(0, "reply", -1, b"one"), (0, "done", ALL, b"")]


def test_a_worker_that_dies_when_it_has_answered_counts_once() -> None:
    board = Switchboard()
    board.keep("calls")
    id = ask(board)[0][1].id
    assert said(board.answer(1, Message("answer", id, body=b"one"), ALL_THREE)) == [(0, "reply", 1, b"one")]
    assert said(board.gone(1, (0, 2))) == []
    last = said(board.answer(2, Message("answer", id, body=b"two"), (0, 2)))
    assert last == [(0, "reply", 2, b"two"), (0, "done", ALL, b"")]
    ask(board)
    assert said(board.expire(1.0)) == [(0, "reply", -1, b"one"), (0, "reply", 2, b"two"), (0, "done", ALL, b"")]


def test_answers_of_the_dead_are_not_made_one_while_a_question_knows_one_of_them() -> None:
    board = Switchboard()
    board.keep("calls")
    board.own(1, "calls", b"1")
    list(board.gone(1, (0, 2)))
    id = ask(board)[0][1].id
    list(board.answer(1, Message("answer", id, body=b"2"), ALL_THREE))
    [(folder, fold)] = board.gone(1, (0, 2))
    assert said(board.answer(folder, Message("answer", fold.id, body=b"3"), (0, 2))) == []
    assert said(board.expire(1.0)) == [(0, "reply", -1, b"1"), (0, "done", ALL, b"")]
    ask(board)
    assert sorted(each.body for _, each in board.expire(9.0) if each.kind == "reply") == [b"1", b"2"]


def test_of_one_that_has_no_answer_now_the_last_one_stands() -> None:
    board = Switchboard()
    board.keep("calls")
    board.own(1, "calls", b"one")
    id = ask(board)[0][1].id
    list(board.answer(2, Message("unanswered", id), ALL_THREE))
    assert said(board.answer(1, Message("unanswered", id), ALL_THREE)) == [
        (0, "reply", 1, b"one"),
        (0, "done", ALL, b""),
    ]


def test_however_many_die_few_answers_are_kept_and_nothing_is_lost() -> None:
    board = Switchboard()
    board.keep("calls")
    for death in range(20):
        board.own(1, "calls", b"1")
        todo = list(board.gone(1, (0, 2)))
        for to, fold in todo:
            assert (to, fold.kind) == (0, "fold")
            bodies = unfolded(fold.body)
            assert len(bodies) == 2
            total = str(sum(map(int, bodies))).encode()
            assert said(board.answer(to, Message("answer", fold.id, body=total), (0, 2))) == []
        ask(board)
        replies = [each for _, each in board.expire(1.0) if each.kind == "reply"]
        assert [each.body for each in replies] == [str(death + 1).encode()]
        assert all(each.worker < 0 for each in replies)


def test_a_worker_that_dies_while_it_folds_loses_none_of_the_two() -> None:
    board = Switchboard()
    board.keep("calls")
    for body in (b"1", b"2"):
        board.own(1, "calls", body)
        todo = list(board.gone(1, (0, 2)))
    [(folder, lost)] = todo
    again = [(to, each.kind) for to, each in board.gone(folder, (2,))]
    assert again == [(2, "fold")]
    assert said(board.answer(folder, Message("answer", lost.id, body=b"3"), (2,))) == [], "it is dead"
    ask(board, asker=2)
    assert sorted(each.body for _, each in board.expire(1.0) if each.kind == "reply") == [b"1", b"2"]


def test_there_is_an_end_to_the_questions_that_are_open() -> None:
    board = Switchboard()
    for _ in range(MAX_OPEN):
        assert len(ask(board)) == 2
    assert said(ask(board)) == [(0, "done", ALL, b"")]
