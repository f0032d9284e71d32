"""The archive: every version as one object of S3 that nobody replaces, for the time after the table has let it go.

An object's key is the version's place and its body the stored version, so what is put twice is the same object twice:
``versions/<source>/<hash key value>/<range key value>/<number counted down>``, and ``+<position>`` behind it if the
version was recovered. Numbers count down because S3 lists upwards: the first key of an item is its newest version.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol, cast
from urllib.parse import quote, unquote

from botocore.exceptions import ClientError

from patterns.dynamodb.client import LEAN_CONFIG, shared_session
from patterns.historic.errors import ConfigurationError
from patterns.historic.images import canonical, from_stream
from patterns.historic.version import (
    COLLECTION,
    EXPIRES_AT_S,
    HIGHEST_NUMBER,
    VERSION_KEY,
    Version,
    place_of,
    read_version,
    version_key,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from patterns.historic.images import Image

PREFIX = "versions/"
"""What every object's key starts with; rights are for this prefix only."""

FEWEST_HOT_DAYS = 7
MOST_HOT_DAYS = 36_500

_LONGEST_PART = 250  # characters; three parts, a number and a position stay below the 1024 bytes of a key
_HASHED = "="  # never in a quoted part
_BEHIND_RECOVERED = "~"  # sorts behind a number alone and behind every position


class ObjectStore(Protocol):
    """The calls of an S3 client that the archive makes."""

    def put_object(self, *, Bucket: str, Key: str, Body: bytes, ContentType: str, IfNoneMatch: str) -> Any:  # noqa: N803 AWS's names
        """Put an object if there is none."""
        ...

    def get_object(self, *, Bucket: str, Key: str) -> Any:  # noqa: N803
        """Get an object."""
        ...

    def list_objects_v2(self, **request: Any) -> Any:
        """List keys in order."""
        ...


@cache
def s3_client() -> ObjectStore:
    """Return the process's one S3 client; like `patterns.dynamodb.client.dynamodb_client`, and of the same session."""
    return cast("ObjectStore", shared_session().create_client("s3", config=LEAN_CONFIG))  # pyright: ignore[reportUnknownMemberType]


@dataclass(frozen=True, slots=True)
class Archive:
    """The versions in a bucket.

    Parameters
    ----------
    client
        S3 client. Calls made: PutObject with ``If-None-Match: *`` (recorder), GetObject and ListObjectsV2. ListBucket
        is also what makes S3 answer that an object is not there, instead of refusing to say.
    bucket
        Name of the bucket.
    """

    client: ObjectStore
    bucket: str

    def put(self, stored: Image) -> bool:
        """Put a version under its place; whether the place was free.

        Parameters
        ----------
        stored
            As in the table. The time it leaves the table is left out: it is no part of the version.
        """
        body = canonical({name: value for name, value in stored.items() if name != EXPIRES_AT_S}).encode()
        try:
            self.client.put_object(
                Bucket=self.bucket,
                Key=_key(stored[COLLECTION]["S"], stored[VERSION_KEY]["S"]),
                Body=body,
                ContentType="application/json",
                IfNoneMatch="*",
            )
        except ClientError as error:
            if _code(error) == "PreconditionFailed":
                return False
            raise
        return True

    def read(self, collection: str, place: str) -> Version | None:
        """Return the version at a place, its ``version_key``; ``None`` if there is none."""
        try:
            answer = self.client.get_object(Bucket=self.bucket, Key=_key(collection, place))
        except ClientError as error:
            if _code(error) == "NoSuchKey":
                return None
            raise
        return read_version(from_stream(json.loads(answer["Body"].read())))

    def newest_number(self, collection: str, item: str) -> int:
        """Return the highest number of an item; 0 if none of its versions is here."""
        return self._newest_until(collection, item, HIGHEST_NUMBER)

    def first_number(self, collection: str, item: str, number: int) -> int | None:
        """Return the lowest number of an item from a number on, if any; at most 41 list calls: S3 lists downwards."""
        low, high = number, self.newest_number(collection, item)
        if high < low:
            return None
        # Always: `high` is here, and nothing from `number` on below `low` is.
        while low < high:
            middle = (low + high) // 2
            found = self._newest_until(collection, item, middle)
            low, high = (low, found) if found >= low else (middle + 1, high)
        return high

    def places(self, collection: str, item: str, after: str = "", until: str | None = None) -> list[str]:
        """Return the ``version_key`` of the versions of an item, in order; a list call for each 1,000.

        Parameters
        ----------
        collection, item
            Whose.
        after, until
            Only those behind the one ``version_key`` and up to the other, which need not exist.
        """
        prefix = _item_prefix(collection, item)
        start = {} if until is None else _listing_from(prefix, place_of(until)[1])
        lowest = place_of(after)[1] if after else 0
        found: list[str] = []
        for key in (key["Key"] for page in self._pages(Prefix=prefix, **start) for key in page.get("Contents", [])):
            number, recovered = _place(item, key.removeprefix(prefix))
            if number < lowest:
                break
            found.append(version_key(item, number, recovered))
        return sorted(place for place in found if after < place and (until is None or place <= until))

    def collections(self, source: str) -> Iterator[str]:
        """Yield every collection of a source, such as ``bids#ann``."""
        prefix = f"{PREFIX}{_part(source)}/"
        for name, folder in self._folders(prefix):
            yield f"{source}#{unquote(name)}" if name[0] != _HASHED else self._first(folder).collection

    def items(self, collection: str) -> Iterator[str]:
        """Yield every item of a collection."""
        for name, folder in self._folders(_collection_prefix(collection)):
            yield unquote(name) if name[0] != _HASHED else self._first(folder).item

    def _newest_until(self, collection: str, item: str, number: int) -> int:
        prefix = _item_prefix(collection, item)
        start: dict[str, Any] = _listing_from(prefix, number)
        answer = self.client.list_objects_v2(Bucket=self.bucket, Prefix=prefix, MaxKeys=1, **start)
        for found in answer.get("Contents", []):
            return _place(item, found["Key"].removeprefix(prefix))[0]
        return 0

    def _folders(self, prefix: str) -> Iterator[tuple[str, str]]:
        for page in self._pages(Prefix=prefix, Delimiter="/"):
            for folder in page.get("CommonPrefixes", []):
                yield folder["Prefix"].removeprefix(prefix).rstrip("/"), folder["Prefix"]

    def _first(self, folder: str) -> Version:
        """Any version in a folder that has one: it says what a hash in the folder's name stands for."""
        found = self.client.list_objects_v2(Bucket=self.bucket, Prefix=folder, MaxKeys=1)["Contents"][0]
        answer = self.client.get_object(Bucket=self.bucket, Key=found["Key"])
        return read_version(from_stream(json.loads(answer["Body"].read())))

    def _pages(self, **request: str) -> Iterator[Any]:
        more: dict[str, str] = {}
        while True:
            page = self.client.list_objects_v2(Bucket=self.bucket, **request, **more)
            yield page
            if not page.get("IsTruncated"):
                return
            more = {"ContinuationToken": page["NextContinuationToken"]}


@dataclass(frozen=True, slots=True)
class Retention:
    """How long the table keeps versions, and where they are for ever.

    Parameters
    ----------
    archive
        Gets every version before the table does.
    hot_days
        Days from a version's time until the table lets it go, 7..36500: more than a stream keeps what is still to be
        recorded.

    Raises
    ------
    ConfigurationError
        The days are out of range.
    """

    archive: Archive
    hot_days: int

    def __post_init__(self) -> None:
        if not FEWEST_HOT_DAYS <= self.hot_days <= MOST_HOT_DAYS:
            rule = f"must be {FEWEST_HOT_DAYS}..{MOST_HOT_DAYS}, got {self.hot_days}"
            raise ConfigurationError(f"hot_days {rule}")

    def expires_at_s(self, at_ms: int) -> int:
        """Return the epoch second after which the table may let a version of a time go."""
        return at_ms // 1000 + self.hot_days * 86_400


def _key(collection: str, place: str) -> str:
    item, number, recovered = place_of(place)
    suffix = f"+{quote(recovered, safe='')}" if recovered else ""
    return f"{_item_prefix(collection, item)}{HIGHEST_NUMBER - number:012d}{suffix}"


def _listing_from(prefix: str, number: int) -> dict[str, str]:
    """Where a listing starts that has no number above a number."""
    if number >= HIGHEST_NUMBER:
        return {}
    return {"StartAfter": f"{prefix}{HIGHEST_NUMBER - number - 1:012d}{_BEHIND_RECOVERED}"}


def _place(item: str, name: str) -> tuple[int, str]:
    number, _, recovered = name.partition("+")
    if not number.isdigit():
        raise ValueError(f"the archive's key {name!r} of {item} is no version's")
    return HIGHEST_NUMBER - int(number), unquote(recovered)


def _item_prefix(collection: str, item: str) -> str:
    return f"{_collection_prefix(collection)}{_part(item)}/"


def _collection_prefix(collection: str) -> str:
    source, _, hash_value = collection.partition("#")
    return f"{PREFIX}{_part(source)}/{_part(hash_value)}/"


def _part(text: str) -> str:
    part = quote(text, safe="")
    return part if len(part) <= _LONGEST_PART else _HASHED + sha256(text.encode()).hexdigest()


def _code(error: ClientError) -> str:
    return error.response.get("Error", {}).get("Code", "")
