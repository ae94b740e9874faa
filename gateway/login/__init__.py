"""The console side of login, logout and status: what a person is shown and asked, and what the exit code says.

It stands beside `serve` because it puts parts together as that does: the settings from the catalog, the flows and the
client from auth, the token store. A running gateway and these commands meet only in the store's file.
"""

from gateway.login.accounts import Accounts, LoginFault
from gateway.login.console import Console
from gateway.login.login import Login, Wish
from gateway.login.logout import logout
from gateway.login.status import as_json, as_text, overview

__all__ = ["Accounts", "Console", "Login", "LoginFault", "Wish", "as_json", "as_text", "logout", "overview"]
