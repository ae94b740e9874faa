"""The section `ledger`."""

from typing import Annotated

from msgspec import Meta, field

from gateway.config.setting_types import Struct, Text


class Ledger(Struct, frozen=True):
    """What is kept of calls: when, by whom, who answered, tokens, times and cost; never a prompt or an answer. Without
    a configuration file it is kept in memory."""

    enabled: Annotated[bool, Meta(description="Whether anything is kept.")] = True
    path: Annotated[
        Text, Meta(description="The file, relative to this one's folder; never on a network share: SQLite needs locks.")
    ] = "./usage.db"
    keep_days: Annotated[int, Meta(ge=1, le=3_650, description="After which single calls are forgotten.")] = 30
    keep_summary_days: Annotated[int, Meta(ge=1, le=36_500, description="After which the sums of a day are.")] = 800
    max_mib: Annotated[
        int, Meta(ge=1, le=1_048_576, description="Size of the file beyond which the oldest calls are forgotten.")
    ] = field(default=100, name="maxMiB")
