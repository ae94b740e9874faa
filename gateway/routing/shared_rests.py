"""The board of rests (rest_board.py) of the workers of one machine: a table in a file that all of them map.

Who touches what: the rows belong to whoever holds the file's lock, and every change counts the version up in the same
step. A reader looks at the version alone, without the lock: one store of eight bytes, which is never seen in part.
Where it is another than the one that this process has copied the rows at, it copies them again, under the lock. So a
read before a turn takes no lock while nothing changes, and a version that was seen in the middle of a step, or of one
that was undone, costs one lock more and nothing else.

Times are microseconds of the monotonic clock, which all processes of a machine share; keys are hashes, so the file
holds no name. A worker that dies with a probe leaves its number in the row: the next worker of that number ends it.
"""

from collections.abc import Collection, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from gateway.routing.rest_board import ENTRIES, PROBE_SECONDS, Rest, RestReason, lifted, rested
from gateway.routing.router import Target
from gateway.sharing.words import Words

LAYOUT: Final = "rests 1: version, used, 8 words of head; rows of key, provider, until, why, times, serial, owner, till"
WHYS: Final[tuple[RestReason, ...]] = (
    "rate_limited",
    "quota",
    "model_missing",
    "key_refused",
    "failures",
    "opened",
)
HEAD: Final = 8
ROW: Final = 8
MOST_KEYS: Final = 4 * ENTRIES
"""Targets whose hashes are remembered; callers may name `provider/anything`."""
_VERSION, _USED = 0, 1
_KEY, _PROVIDER, _UNTIL, _WHY, _TIMES, _SERIAL, _OWNER, _PROBED = range(ROW)
_MICROS: Final = 1e6


class SharedRests:
    """The board. Safe to use from many threads. Its name in the run directory is the caller's choice.

    Args:
        path: the file.
        number: of this worker; probes that its predecessor has left are over.
        size: rows.

    Raises:
        OSError: the file cannot be made or mapped.
    """

    def __init__(self, path: Path, number: int, size: int = ENTRIES) -> None:
        self._size = size
        self._owner = number + 1
        self._keys: dict[Target, int] = {}
        self._copy: tuple[int, Mapping[int, tuple[int, Rest]]] = (-1, {})  # the version, and row and rest by key
        self._words = Words(path, layout=LAYOUT, size=HEAD + ROW * size, entries=size + ROW + 2)
        with self._words:
            self._read()
            for row in range(self._words.ints[_USED]):
                if self._words.ints[_at(row) + _OWNER] == self._owner:
                    self._words.put(_at(row) + _OWNER, 0)
            self._changed()

    def find(self, target: Target) -> Rest | None:
        version, rows = self._copy
        if self._words.ints[_VERSION] != version:
            with self._words:
                rows = self._read()
        if not rows:
            return None
        found = rows.get(self._key(target))
        return found and found[1]

    def rest(self, target: Target, rest: Rest, now: float) -> Rest:
        key = self._key(target)
        with self._words:
            row, before = self._read().get(key, (-1, None))
            after = rested(before, rest, self._words.ints[_VERSION] + 1, now)
            self._write(row if row >= 0 else self._free(), key, target.provider, after)
            return after

    def lift(self, target: Target) -> Rest | None:
        key = self._key(target)
        with self._words:
            row, before = self._read().get(key, (-1, None))
            if before is None:
                return None
            after = lifted(before, self._words.ints[_VERSION] + 1)
            self._write(row, key, target.provider, after)
            return after

    def probe(self, target: Target, now: float) -> bool:
        with self._words:
            row, found = self._read().get(self._key(target), (-1, None))
            if found is None or not found.needs_probe(now) or found.due(now) > 0:
                return False
            self._words.put(_at(row) + _PROBED, round((now + PROBE_SECONDS) * _MICROS))
            self._words.put(_at(row) + _OWNER, self._owner)
            self._changed()
            return True

    def release(self, target: Target) -> None:
        with self._words:
            row, _ = self._read().get(self._key(target), (-1, None))
            if row >= 0 and self._words.ints[_at(row) + _OWNER] == self._owner:
                self._words.put(_at(row) + _OWNER, 0)
                self._changed()

    def forget(self, providers: Collection[str]) -> None:
        gone = {_hash(each) for each in providers}
        with self._words:
            ints = self._words.ints
            rows = [row for row in range(ints[_USED]) if ints[_at(row) + _KEY] and ints[_at(row) + _PROVIDER] in gone]
            for row in rows:
                self._words.put(_at(row) + _KEY, 0)
            if rows:
                self._changed()

    def close(self) -> None:
        """Close the file. Idempotent."""
        self._words.close()

    # In a step ------------------------------------------------------------------------------------------------------

    def _read(self) -> Mapping[int, tuple[int, Rest]]:
        """The rows as they are now."""
        ints = self._words.ints
        version, rows = self._copy
        if ints[_VERSION] != version:
            used = ints[HEAD : _at(ints[_USED])].tolist()
            rows = {
                fields[_KEY]: (row, _rest(fields))
                for row in range(len(used) // ROW)
                if (fields := used[row * ROW : (row + 1) * ROW])[_KEY]
            }
            self._copy = ints[_VERSION], rows
        return rows

    def _write(self, row: int, key: int, provider: str, rest: Rest) -> None:
        values = (
            key,
            _hash(provider),
            round(rest.until * _MICROS),
            WHYS.index(rest.why),
            rest.times,
            rest.serial,
            0,
            0,
        )
        for place, value in enumerate(values, start=_at(row)):
            self._words.put(place, value)
        self._changed()

    def _free(self) -> int:
        """A row for another key: one that is free, a new one, or the one that has not changed for longest."""
        taken = {row: rest.serial for row, rest in self._read().values()}
        used: int = self._words.ints[_USED]
        free = next((row for row in range(used) if row not in taken), used) if len(taken) < used else used
        if free < self._size:
            if free == used:
                self._words.put(_USED, used + 1)
            return free
        return min(taken, key=taken.__getitem__)

    def _changed(self) -> None:
        self._words.put(_VERSION, self._words.ints[_VERSION] + 1)

    # Any thread -----------------------------------------------------------------------------------------------------

    def _key(self, target: Target) -> int:
        key = self._keys.get(target)
        if key is None:
            if len(self._keys) >= MOST_KEYS:
                self._keys = {}
            key = self._keys[target] = _hash(target.provider, target.model, target.account)
        return key


def _at(row: int) -> int:
    return HEAD + row * ROW


def _rest(fields: list[int]) -> Rest:
    probed = fields[_PROBED] / _MICROS if fields[_OWNER] else 0.0
    return Rest(fields[_UNTIL] / _MICROS, WHYS[fields[_WHY]], fields[_TIMES], fields[_SERIAL], probed)


def _hash(*texts: str) -> int:
    """A number for texts, never 0."""
    text = "\n".join(texts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big", signed=True) or 1
