"""PKCE pairs."""

import re

from gateway.auth.oauth.pkce import challenge_of, new_pkce
from gateway.core.secrets import Secret


def test_the_challenge_is_that_of_the_rfcs_own_example() -> None:
    """RFC 7636 appendix B."""
    verifier = Secret("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk")
    assert challenge_of(verifier) == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_a_verifier_has_64_characters_that_the_rfc_allows() -> None:
    assert re.fullmatch(r"[A-Za-z0-9._~-]{64}", new_pkce().verifier.reveal())


def test_the_challenge_belongs_to_the_verifier() -> None:
    pair = new_pkce()
    assert pair.challenge == challenge_of(pair.verifier)
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", pair.challenge)


def test_every_login_has_a_verifier_of_its_own_that_is_not_shown() -> None:
    pairs = [new_pkce() for _ in range(100)]
    assert len({pair.verifier.reveal() for pair in pairs}) == 100
    assert pairs[0].verifier.reveal() not in repr(pairs[0])
