"""Nothing that comes in costs more than in proportion to its length, in whichever place of a request it stands."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Final
from urllib.parse import quote_from_bytes, quote_plus

import pytest

from tests.unit.server.asking import Server

#: The longest text that an address or a header takes with what stands around it, in bytes; the lengths of measurements.
LONGEST: Final = 60_000
LENGTHS: Final = (LONGEST // 4, LONGEST // 2, LONGEST)
#: Seconds of the processor that nobody minds; four times the length may take so many times as long. What looks at each
#: pair of characters would take sixteen.
HARMLESS: Final = 0.03
MOST: Final = 9

#: How many conditions of the longest that is allowed, 4,096 characters, an address has room for.
CONDITIONS: Final = LONGEST // 4000

#: What patterns stumble over when it is repeated.
UNITS: Final = (
    b" ",
    b"\t",
    b"a",
    b"a ",
    b"1",
    b"=",
    b"< ",
    b'"',
    b'"",',
    b'W/"a", ',
    b"\\",
    b"[",
    b"(",
    b"a.",
    b",",
    b"'",
)
QUERIES: Final = ("where", "order", "status", "tag", "part", "start", "limit")
HEADERS: Final = ("if-match", "if-none-match", "authorization", "idempotency-key", "sweepstake-attempt", "content-type")
FIELDS: Final = ("id", "notes", "tags", "depends_on")

E: Final = b"/api/v1/experiments/e/"
Request = tuple[str, bytes, bytes, Mapping[str, str], bytes]


def requests(unit: bytes, length: int) -> Iterator[tuple[str, Request]]:
    """Yield a request for each place that takes text."""
    quoted = quote_from_bytes(unit).encode()
    in_url = quoted * (length // len(quoted))
    in_header = (unit * (length // len(unit))).decode()
    yield "name", ("GET", b"/api/v1/experiments/" + in_url + b"/", b"", {}, b"")
    yield "job", ("PUT", E + b"jobs/" + in_url + b"/", b"", {}, b'{"status":"QUEUED"}')
    for name in QUERIES:
        yield name, ("GET", E + b"jobs/", name.encode() + b"=" + in_url, {}, b"")
    short = quote_plus((unit * (length // len(unit) // CONDITIONS)).decode(), safe="=<\"',/\\[(.").encode()
    for place, query in {"conditions": b"where=", "values": b"where=results.x%3D", "short order": b"order="}.items():
        many = CONDITIONS if query.startswith(b"where") else 1
        yield place, ("GET", E + b"jobs/", b"&".join([query + short] * many), {}, b"")
    for name in HEADERS:
        yield name, ("PUT", E + b"jobs/j/", b"", {name: in_header}, b'{"status":"QUEUED"}')
    for name in FIELDS:
        value = [in_header] if name in ("tags", "depends_on") else in_header
        yield name, ("POST", E + b"jobs/", b"", {}, json.dumps({name: value}).encode())


def cost(server: Server, request: Request) -> float:
    """Return the seconds of the processor that an answer takes: the fewest of three."""
    taken = []
    for _ in range(3):
        began = time.process_time()
        status, _answer = server.ask(*request)
        taken.append(time.process_time() - began)
        assert status < 500
        if taken[-1] <= HARMLESS:
            break
    return min(taken)


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_requests_cost_in_proportion_to_their_length(server: Server, unit: bytes) -> None:
    """At a quarter, half and all of the longest that is allowed."""
    costs = [{place: cost(server, request) for place, request in requests(unit, length)} for length in LENGTHS]
    quarter, _, whole = costs
    assert {place: seconds for place, seconds in whole.items() if seconds > max(HARMLESS, MOST * quarter[place])} == {}
