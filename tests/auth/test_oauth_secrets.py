"""A failed request to an authorization server leaks no secret: not in messages, tracebacks, logs or reprs.

Canaries stand for the secrets, the server repeats them in each form it could, and all logging is on.
"""

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from urllib.parse import quote, quote_plus, urlencode

import pytest

from gateway.auth.oauth.client import OAuthClient
from gateway.auth.oauth.errors import OAuthError
from gateway.auth.oauth.settings import AuthMethod, OAuthSettings
from gateway.core.secrets import Secret
from tests.support.auth_server import AuthServer
from tests.support.auth_sockets import Fault, Raw

REDIRECT = "http://127.0.0.1:7777/callback"
FORM = "application/x-www-form-urlencoded"
CANARIES = {
    "client": "canary-client/:+%&=ü 31415926",
    "refresh": "canary-refresh/:+%&=ü 27182818",
    "code": "canary-code/:+%&=ü 16180339",
    "verifier": "canary-verifier-14142135",
    "device": "canary-device/:+%&=ü 17320508",
    "token": "canary-token/:+%&=ü 22360679",
}
TOLD = "canary-told-24494897"  # a token in an answer

SENT: Mapping[str, tuple[str, ...]] = {
    "start": ("client",),
    "poll": ("client", "device", "verifier"),
    "exchange": ("client", "code", "verifier"),
    "refresh": ("client", "refresh"),
    "revoke": ("client", "token"),
}
ASKS: Mapping[str, Callable[[OAuthClient], object]] = {
    "start": lambda client: client.start_device(),
    "poll": lambda client: client.poll_device(Secret(CANARIES["device"]), Secret(CANARIES["verifier"])),
    "exchange": lambda client: client.exchange(Secret(CANARIES["code"]), REDIRECT, Secret(CANARIES["verifier"])),
    "refresh": lambda client: client.refresh(Secret(CANARIES["refresh"])),
    "revoke": lambda client: client.revoke(Secret(CANARIES["token"]), "access_token"),
}


def every_form(secret: str) -> set[str]:
    whole = base64.b64encode(f"client-1:{quote_plus(secret)}".encode()).decode()
    return {secret, quote_plus(secret), quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1], whole}


def json_of(value: object, status: int = 200) -> Raw:
    return Raw(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


def echo(ask: str) -> bytes:
    """A refusal that repeats every secret of the request in every form, and contains a token besides."""
    sent = [CANARIES[name] for name in SENT[ask]]
    basic = base64.b64encode(f"client-1:{quote_plus(CANARIES['client'])}".encode()).decode()
    said = " ".join([*sent, *map(quote_plus, sent), *map(quote, sent), basic, TOLD])
    words = {"error": f"no {said}", "error_description": f"no {said} " * 3, "access_token": TOLD}
    return json.dumps(words).encode()


def answer_that_fails(failure: str, ask: str) -> Fault:
    body = echo(ask)
    words = json.loads(body)
    answers: Mapping[str, Fault] = {
        "refused": Raw(400, {"Content-Type": "application/json"}, body),
        "refused as 200": Raw(200, {"Content-Type": "application/json"}, body),
        "object": json_of({**words, "error": {"code": words["error"], "message": words["error_description"]}}, 400),
        "form": Raw(400, {"Content-Type": FORM}, urlencode(words).encode()),
        "broken": Raw(500, {"Content-Type": "text/html"}, body),
        "html": Raw(200, {"Content-Type": "text/html"}, b"<p>" + body),
        "redirect": Raw(307, {"Location": f"http://127.0.0.1:1/?t={quote(CANARIES['refresh'])}"}, body),
        "bad length": Raw(200, {"Content-Length": "100000"}, body),
        "bad encoding": Raw(200, {"Content-Encoding": "gzip"}, body),
        "cut": "cut",
        "lost": "lost",
        "large": Raw(200, {}, body * 1000),
        "unusable": json_of({"access_token": f"{TOLD} {TOLD}", "device_code": TOLD, "user_code": f"{TOLD}\x1b"}),
        "mac": json_of({"access_token": TOLD, "token_type": TOLD}),
    }
    return answers[failure]


REFUSALS = ["refused", "refused as 200", "object", "form", "mac"]
NO_ANSWERS = [
    "broken",
    "html",
    "redirect",
    "bad length",
    "bad encoding",
    "cut",
    "lost",
    "large",
    "unusable",
    "no server",
]


class Everything(logging.Handler):
    """Keeps every record of every logger, formatted as a program would that turns all logging on."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{self.format(record)} {record.args!r} {record.exc_info!r}")


@pytest.fixture
def everything_logged() -> Iterator[list[str]]:
    handler = Everything()
    loggers = [logging.getLogger(name) for name in ("", "urllib3", "requests", "gateway")]
    levels = [logger.level for logger in loggers]
    loggers[0].addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield handler.lines
    loggers[0].removeHandler(handler)
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


def chain(fault: BaseException | None) -> Iterator[BaseException]:
    while fault is not None:
        yield fault
        fault = fault.__cause__ or fault.__context__


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize("ask", ASKS)
@pytest.mark.parametrize("failure", [*REFUSALS, *NO_ANSWERS])
def test_no_secret_is_told_however_it_fails(
    method: AuthMethod, ask: str, failure: str, everything_logged: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    with AuthServer(client_secret=CANARIES["client"]) as server:
        settings = server.settings(method)
        if failure != "no server":
            fault = answer_that_fails(failure, ask)
            server.next_token_answers, server.next_device_answers, server.next_revoke_answers = (
                [fault],
                [fault],
                [fault],
            )
            seen = failing(settings, ask)
    if failure == "no server":
        seen = failing(settings, ask)
    printed = capfd.readouterr()
    assert any("urllib3" in line or "127.0.0.1" in line for line in everything_logged), "nothing was captured"
    told = "\n".join([*seen, *everything_logged, printed.out, printed.err])
    for secret in (*CANARIES.values(), TOLD):
        for form in every_form(secret):
            assert form not in told
    assert "canary" not in told


def failing(settings: OAuthSettings, ask: str) -> list[str]:
    """Everything that can be read of a failure."""
    with closing(OAuthClient(settings, {})) as client:
        try:
            result = ASKS[ask](client)
        except OAuthError as fault:
            links = list(chain(fault))
            assert all(isinstance(link, OAuthError) for link in links), f"a library's exception is chained: {links}"
            return [traceback.format_exc(), *map(str, links), *map(repr, links), repr(vars(fault)), repr(client)]
        return [repr(result), repr(client), repr(settings)]
