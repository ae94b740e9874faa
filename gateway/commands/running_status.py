"""What only the running gateway knows of the configuration that `status` shows: refused tokens, and what is used."""

from collections.abc import Mapping, Sequence

from gateway.commands.accounts import Accounts
from gateway.commands.running_gateway import ClientUsed, ask, ask_clients, ask_status
from gateway.config.limit_rules import row_name, row_text
from gateway.core.errors import ModelNotFound
from gateway.core.records import login_name, login_parts
from gateway.dispatch.explanation import CandidateView, CredentialView, Explanation
from gateway.limits.slots import RowStatus
from gateway.server.account_json import Remaining


class RunningStatus:
    """What the gateway that runs with this configuration says; nothing where none runs.

    Args:
        accounts: the configuration.
    """

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._answers = accounts.file is not None and accounts.gateway.port != 0
        self._asked: dict[tuple[str, str], Sequence[CandidateView]] = {}

    def remaining(self) -> Mapping[str, Sequence[Remaining]]:
        """What it has heard of providers' own limits, by credential."""
        said = ask_status(self._accounts.gateway) if self._answers else None
        if said is None or said.configuration.path != str(self._accounts.file):
            return {}
        return {login_name(each.provider, each.account): each.remaining for each in said.accounts}

    def credential(self, name: str) -> CredentialView | None:
        """What it says of a credential, `NAME` or `NAME@account`."""
        candidates = self._candidates(login_parts(name)[0], "any")
        return next((each.credential for each in candidates if each.login == name), None)

    def limits(self) -> Sequence[RowStatus]:
        """The rows of enabled providers, as they are there. A pattern of models is a name that it matches."""
        found: dict[str, RowStatus] = {}
        for limit in self._accounts.limits:
            settings = self._accounts.providers.get(limit.provider)
            if settings is None or not settings.enabled:
                continue
            candidates = self._candidates(limit.provider, limit.model or "any")
            names = (
                {row_name(limit)}
                if limit.account or not settings.accounts
                else {row_text(limit.provider, limit.model, each.name) for each in settings.accounts}
            )
            found |= {row.row: row for candidate in candidates for row in candidate.limits if row.row in names}
        return tuple(found.values())

    def clients(self) -> Sequence[ClientUsed]:
        """What clients have used, as it is there."""
        return ask_clients(self._accounts.gateway) if self._accounts.clients and self._answers else ()

    def _candidates(self, provider: str, model: str) -> Sequence[CandidateView]:
        """What it says of a target, by each account; nothing where it says nothing. It is asked once for each target:
        several accounts and rows are of one."""
        target = (provider, model)
        if target not in self._asked:
            self._asked[target] = self._ask(provider, model)
        return self._asked[target]

    def _ask(self, provider: str, model: str) -> Sequence[CandidateView]:
        if not self._answers:
            return ()
        try:
            answer = ask(f"{provider}/{model}", self._accounts.gateway)
        except ModelNotFound:
            return ()  # it was started before the provider was added
        if not isinstance(answer, Explanation) or answer.configuration != str(self._accounts.file):
            self._answers = False
            return ()
        return [each for each in answer.candidates if each.provider == provider]
