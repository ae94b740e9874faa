"""Logging and masking after a reload: no line is lost, and what was a secret stays one."""

import io
import json
import logging
from collections.abc import Iterator

import pytest

from gateway.core.secrets import Secret
from gateway.observe import logs, masking
from gateway.observe.masking import Masker

logger = logging.getLogger("gateway.test")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    level = logging.getLogger(logs.ROOT).level
    handler = logs.set_up("info", "pretty", [Secret("a-secret-of-mine")], stream)
    yield stream
    logging.getLogger().removeHandler(handler)
    logging.getLogger(logs.ROOT).setLevel(level)


def test_level_and_form_change_and_masking_stays(stream: io.StringIO) -> None:
    logger.debug("one")
    logger.info("two a-secret-of-mine")
    logs.change("debug", "json")
    logger.debug("three a-secret-of-mine")
    logs.change("error", "pretty")
    logger.warning("four")
    logger.error("five")
    two, three, five = stream.getvalue().splitlines()
    assert two.endswith("two ***")
    assert "three ***" in json.loads(three).values()
    assert five.endswith("five")


def test_without_our_log_nothing_is_changed() -> None:
    before = logging.getLogger(logs.ROOT).level
    logs.change("debug", "json")
    assert logging.getLogger(logs.ROOT).level == before


def secret(number: int) -> Secret:
    return Secret(f"a-secret-of-number-{number:04}")


def test_secrets_that_were_replaced_are_masked_on_for_a_while_and_those_that_stand_for_ever(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    most = 20
    monkeypatch.setattr(masking, "MAX_ADDED", most)  # each change makes a pattern of all of them
    masker = Masker()
    for number in range(most + 5):
        masker.keep([secret(9000), secret(number)])
    assert masker.mask(secret(9000).reveal()) == "***"
    assert masker.mask(secret(most + 4).reveal()) == "***"
    assert masker.mask(secret(most).reveal()) == "***", "of a configuration that was replaced"
    assert masker.mask(secret(0).reveal()) != "***", "the oldest are forgotten, or the pattern would grow for ever"
    for number in range(1000, 1000 + 2 * most):
        masker.add(secret(number))
    assert masker.mask(secret(9000).reveal()) == "***", "tokens that come do not push out what is configured"
