"""Who may answer at an endpoint beside chat: whoever has it, and for embeddings one model only."""

import pytest

from gateway.core.passed import PASSED, EndpointName
from gateway.core.provider_failures import UnsupportedByTarget
from gateway.routing.endpoint_routes import EndpointRoutes
from gateway.routing.router import Route, Target

ROUTES = EndpointRoutes({"all": dict.fromkeys(PASSED, ""), "both": {"embeddings": "", "rerank": ""}, "none": {}})


def route(*targets: str, same_vectors: bool = False) -> Route:
    pairs = [target.split("/", 1) for target in targets]
    return Route("best", tuple(Target(*pair) for pair in pairs), "next", same_vectors=same_vectors)


@pytest.mark.parametrize(
    ("targets", "endpoint", "answering"),
    [
        (["none/m", "all/m"], "completions", ["all/m"]),
        (["both/m", "all/m"], "moderations", ["all/m"]),
        (["all/a", "both/b"], "rerank", ["all/a", "both/b"]),
        (["all/openai/e", "both/e", "all/other"], "embeddings", ["all/openai/e", "both/e"]),
        (["none/x", "both/e", "all/models/e"], "embeddings", ["both/e", "all/models/e"]),
    ],
)
def test_targets_that_may_answer(targets: list[str], endpoint: EndpointName, answering: list[str]) -> None:
    narrowed = ROUTES.narrowed(route(*targets), endpoint)
    assert [str(target) for target in narrowed.route.targets] == answering
    assert {str(each.target) for each in narrowed.left_out} == set(targets) - set(answering)
    assert all(each.why for each in narrowed.left_out)


def test_an_alias_that_says_so_mixes_models() -> None:
    assert len(ROUTES.candidates(route("all/a", "both/b", same_vectors=True), "embeddings").targets) == 2


def test_nobody_is_an_error_that_names_the_endpoint_the_model_and_the_providers() -> None:
    with pytest.raises(UnsupportedByTarget, match=r"`best` has /v1/rerank: none, gone"):
        ROUTES.candidates(route("none/a", "none/b", "gone/c"), "rerank")
