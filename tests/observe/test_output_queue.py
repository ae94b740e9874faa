"""The queue in front of an output: nobody waits for its reader, and what is lost is counted."""

import io
import os
import threading
from pathlib import Path
from typing import Any

import pytest

from gateway.observe.logs import queue_for
from gateway.observe.output_queue import MAX_CHARACTERS, MAX_FILE_PIECE, MAX_PIECE, MAX_TEXTS, OutputQueue
from tests.support.fakes import FakeClock

HANG = 30.0


class Raw(io.RawIOBase):
    """An output below the buffers: it plays answers to `write` first, then takes everything, unless it is paused."""

    def __init__(self, *answers: int | OSError | None) -> None:
        super().__init__()
        self.written = b""
        self.sizes: list[int] = []
        self.reads = threading.Event()
        self.blocked = threading.Event()
        self.reads.set()
        self._answers = list(answers)

    def writable(self) -> bool:
        return True

    def write(self, content: Any, /) -> int | None:
        if not self.reads.is_set():
            self.blocked.set()
            self.reads.wait(HANG)
        self.sizes.append(len(content))
        answer = self._answers.pop(0) if self._answers else len(content)
        if isinstance(answer, OSError):
            raise answer
        self.written += bytes(content[: answer or 0])
        return answer


def stream(raw: Raw, encoding: str = "utf-8") -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding)


def queue(raw: Raw, encoding: str = "utf-8", max_piece: int | None = None) -> OutputQueue:
    return OutputQueue(stream(raw, encoding), lambda count: f"{count} dropped\n", FakeClock(), max_piece)


def paused(raw: Raw, max_piece: int | None = None) -> OutputQueue:
    """A queue whose thread waits for the reader with the text `first`."""
    raw.reads.clear()
    output = queue(raw, max_piece=max_piece)
    output.write("first\n")
    assert raw.blocked.wait(HANG)
    return output


def test_texts_are_written_in_their_order_and_all_of_them_before_the_end() -> None:
    raw = Raw()
    output = queue(raw)
    for number in range(MAX_TEXTS // 2):
        output.write(f"{number}\n")
    assert output.close(HANG)
    assert raw.written.decode().split() == [str(number) for number in range(MAX_TEXTS // 2)]


def test_where_the_reader_pauses_the_oldest_texts_go_and_one_line_counts_them() -> None:
    raw = Raw()
    output = paused(raw)
    for number in range(MAX_TEXTS + 3):
        output.write(f"{number}\n")
    raw.reads.set()
    assert output.close(HANG)
    first, notice, *rest = raw.written.decode().splitlines()
    assert (first, notice) == ("first", "3 dropped")
    assert rest == [str(number) for number in range(3, MAX_TEXTS + 3)]


def test_long_texts_are_bounded_too() -> None:
    raw = Raw()
    output = paused(raw)
    for letter in "abc":
        output.write(letter * (MAX_CHARACTERS // 2) + "\n")
    raw.reads.set()
    assert output.close(HANG)
    assert [line[:9] for line in raw.written.decode().splitlines()] == ["first", "2 dropped", "c" * 9]


def test_lines_are_written_whole_in_pieces_that_a_pipe_takes_in_one_step() -> None:
    raw = Raw()
    output = paused(raw)
    long, line = "l" * MAX_PIECE + "\n", "a" * 99 + "\n"
    for text in (line * 1, long, *[line] * 100):
        output.write(text)
    raw.reads.set()
    assert output.close(HANG)
    assert raw.written.decode() == "first\n" + line + long + line * 100
    assert [size for size in raw.sizes if size > MAX_PIECE] == [len(long)], "a longer line cannot be helped"
    assert len(raw.sizes) == 1 + 2 + 3


def test_what_waits_for_a_file_is_written_in_one_step(tmp_path: Path) -> None:
    raw = Raw()
    output = paused(raw, MAX_FILE_PIECE)
    for number in range(500):
        output.write(f"{number:03} of some hundred\n")
    raw.reads.set()
    assert output.close(HANG)
    assert len(raw.sizes) == 2 and raw.written.count(b"\n") == 501
    reading, writing = os.pipe()
    with open(tmp_path / "log", "w") as file, open(reading), open(writing, "w") as pipe:
        for stream, expected in ((file, MAX_FILE_PIECE), (pipe, MAX_PIECE)):
            output = OutputQueue(stream, str)
            assert vars(output)["_piece"] == expected
            assert output.close(HANG)


def test_of_what_a_full_disk_takes_in_part_the_rest_is_counted() -> None:
    raw = Raw(6, 8, OSError(28, "No space left on device"))  # "first", and a text and a half
    output = paused(raw)
    for letter in "abcd":
        output.write(f"{letter * 4}\n")
    raw.reads.set()
    assert output.close(HANG)
    assert raw.written == b"first\naaaa\nbbb"
    assert vars(output)["_dropped"] == 3


def test_the_end_does_not_wait_for_a_reader_that_pauses() -> None:
    raw = Raw()
    output = paused(raw)
    assert output.close(0.0) is False
    raw.reads.set()
    assert output.close(HANG)


@pytest.mark.parametrize("answers", [(2, 1), (None, 3, None)], ids=["a part at a time", "not now"])
def test_an_output_that_takes_a_part_gets_the_rest(answers: tuple[int | None, ...]) -> None:
    raw = Raw(*answers)
    output = queue(raw)
    output.write("whole\n")
    assert output.close(HANG)
    assert raw.written == b"whole\n"


def test_what_a_full_disk_does_not_take_is_counted() -> None:
    raw = Raw(OSError(28, "No space left on device"))
    raw.reads.clear()
    output = queue(raw)
    output.write("lost\n")
    assert raw.blocked.wait(HANG)
    output.write("kept\n")
    raw.reads.set()
    assert output.close(HANG)
    assert raw.written == b"1 dropped\nkept\n"


def test_letters_that_the_output_cannot_show_are_escaped_and_others_stay() -> None:
    for encoding, shown in (("cp1252", b"\\ubaa8 \xe9\n"), ("utf-8", "모 é\n".encode())):
        raw = Raw()
        output = queue(raw, encoding)
        output.write("모 é\n")
        assert output.close(HANG)
        assert raw.written == shown


def test_a_process_without_an_output_loses_nothing_but_its_lines() -> None:
    output = OutputQueue(None, lambda count: "never")
    assert output.write("text") == 4
    assert output.close(HANG)


@pytest.mark.parametrize(
    ("form", "line"),
    [
        ("pretty", "WARNING 3 log lines dropped: the reader of the log was too slow."),
        ("json", '"event":"3 log lines dropped: the reader of the log was too slow.","dropped_lines":3}'),
    ],
)
def test_the_line_that_counts_has_the_form_of_all_others(form: str, line: str) -> None:
    raw = Raw()
    raw.reads.clear()
    output = queue_for(stream(raw), "json" if form == "json" else "pretty")
    output.write("first\n")
    assert raw.blocked.wait(HANG)
    for _ in range(MAX_TEXTS + 3):
        output.write("x\n")
    raw.reads.set()
    assert output.close(HANG)
    assert raw.written.decode().splitlines()[1].endswith(line)
