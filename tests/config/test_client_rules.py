"""The rules of `clients`: what is wrong is told with its place, before anybody is served."""

import pytest

from gateway.config.faults import ConfigError
from gateway.config.loader import Loaded, parse
from gateway.core.client_key import key_hash
from gateway.core.secrets import Secret

KEY = "a-key-of-30-characters-or-more"
HASH = key_hash(Secret(KEY))
OTHER = "sha256:" + "0" * 64


def read(clients: str, more: str = "") -> Loaded:
    return parse(f"clients: [{clients}]\nproviders: {{demo: {{}}}}\n{more}".encode(), "c.yaml", env={})


def fault(clients: str, more: str = "") -> str:
    with pytest.raises(ConfigError) as refused:
        read(clients, more)
    return str(refused.value)


@pytest.mark.parametrize(
    ("clients", "told"),
    [
        ("{name: a}", "c.yaml:1:11 clients[0]: has no key"),
        (f"{{name: a, keyHash: {OTHER}, key: {KEY}}}", "key and keyHash are both given"),
        (f"{{name: a, keyHash: {OTHER}}}, {{name: a, key: {KEY}}}", 'the client "a" is given twice; first at line 1'),
        (f'{{name: a, keyHash: "{HASH}"}}, {{name: b, key: {KEY}}}', "has a key that is given already"),
        ("{name: a, keyHash: 5f4dcc3b5aa765d61d8327deb882cf99}", "clients[0].keyHash: expected text that matches"),
        (f"{{name: a b, keyHash: {OTHER}}}", "clients[0].name"),
        (f'{{name: a, keyHash: "{OTHER}", models: ["a*b*"]}}', "clients[0].models[0]: has more than one *"),
        (f'{{name: a, keyHash: "{OTHER}", expires: 2027-02-30}}', "clients[0].expires: is no day"),
        (f'{{name: a, keyHash: "{OTHER}", expires: 9999-12-31}}', "clients[0].expires: is no day"),
        (f'{{name: a, keyHash: "{OTHER}", requestsPerMinute: 0}}', "clients[0].requestsPerMinute"),
        (f'{{name: a, keyHash: "{OTHER}", budget: {{usd: 5}}}}', "per"),
        (f'{{name: a, keyHash: "{OTHER}", budget: {{usd: 0, per: day}}}}', "clients[0].budget.usd"),
        (f'{{name: a, keyHash: "{OTHER}", budget: {{usd: 1, per: year}}}}', "clients[0].budget.per"),
    ],
)
def test_what_is_wrong_is_told(clients: str, told: str) -> None:
    said = fault(clients)
    assert told in said
    assert KEY not in said


def test_a_key_of_apikeys_is_no_clients_key() -> None:
    assert "has a key that is given already; first at line 3" in fault(
        f"{{name: a, key: {KEY}}}", f"gateway: {{apiKeys: [{KEY}]}}"
    )


def test_a_budget_needs_a_ledger() -> None:
    client = f'{{name: a, keyHash: "{OTHER}", budget: {{usd: 1, per: day}}}}'
    assert "clients[0].budget: needs the ledger" in fault(client, "ledger: {enabled: false}")


def test_a_short_key_is_a_warning() -> None:
    (warning,) = read("{name: a, key: short}").warnings
    assert warning.path == "clients[0].key"
    assert "less than 20 characters" in warning.message and "short" not in warning.message.replace("shortest", "")
    assert read(f"{{name: a, key: {KEY}}}").warnings == ()


@pytest.mark.parametrize("day", ["2027-01-31", '"2027-01-31"'])
def test_a_day_needs_no_quotes(day: str) -> None:
    (client,) = read(f'{{name: a, keyHash: "{OTHER}", expires: {day}}}').config.clients
    assert client.expires == "2027-01-31"


def test_a_client_is_a_key_for_an_address_that_others_reach() -> None:
    exposed = "gateway: {host: 0.0.0.0, exposed: true}"
    assert read(f'{{name: a, keyHash: "{OTHER}"}}', exposed).config.gateway.exposed
    assert "must have a key" in fault("", exposed)
