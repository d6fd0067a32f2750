"""The one table of routes: the server and the OpenAPI document are both made from it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Literal

from aiohttp import web

from grootboek import proofs, webapi, wire
from grootboek.api import events, health, log, reading, transactions

__all__ = ["ROUTES", "Parameter", "Route"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Binary = Literal["binary"]


@dataclass(frozen=True)
class Parameter:
    """A parameter of the query string or the path."""

    name: str
    doc: str
    schema: type = str


@dataclass(frozen=True)
class Route:
    """One operation of the API."""

    method: Literal["GET", "POST"]
    path: str
    """With ``{name}`` for parts; ``{name:pattern}`` as aiohttp has it."""
    handler: Handler
    answers: Sequence[tuple[str, Any]]
    """Media types of a good answer, and the type whose plain form a JSON one has (None: free)."""
    parameters: Sequence[Parameter] = ()
    body: str = ""
    """The media type of the request's body."""
    statuses: Sequence[HTTPStatus] = ()
    """Of the errors that the handler's own work can end with."""

    @property
    def name(self) -> str:
        """For metrics: the path without patterns."""
        return self.path.replace(":.+", "")

    @property
    def doc(self) -> str:
        """What the operation does."""
        return (self.handler.__doc__ or "").strip()


AS_OF = Parameter("as_of", "A height, or an ISO 8601 time with its zone; the last certified one by default.")
FORMAT = Parameter("format", "json, msgpack or text: instead of the Accept header.")

NOT_FOUND, GONE = HTTPStatus.NOT_FOUND, HTTPStatus.GONE
REFUSED, LATER = HTTPStatus.UNPROCESSABLE_ENTITY, HTTPStatus.SERVICE_UNAVAILABLE
TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE

ROUTES: Final[Sequence[Route]] = (
    Route(
        "POST",
        "/v1/transactions",
        transactions.submit,
        [(webapi.MSGPACK, proofs.Answer), (webapi.JSON, proofs.Answer)],
        [FORMAT],
        body=webapi.OCTETS,
        statuses=[TOO_LARGE, LATER],
    ),
    Route(
        "GET",
        "/v1/transactions/{id}",
        transactions.show,
        [(webapi.JSON, None), (webapi.MSGPACK, proofs.Receipt), (webapi.PROOF, None)],
        [
            Parameter("id", "The transaction's id: 64 lower-case hex digits."),
            FORMAT,
            Parameter("record", "Only the record of this command.", int),
            Parameter("after", "Answer only once this height is executed here.", int),
        ],
        statuses=[NOT_FOUND, LATER],
    ),
    Route("GET", "/v1/status", reading.status, [(webapi.JSON, webapi.NodeStatus)]),
    Route("GET", "/v1/genesis", reading.genesis, [(webapi.JSON, None)]),
    Route("GET", "/v1/policy", reading.policy, [(webapi.PROOF, None)]),
    Route("GET", "/v1/evidence", reading.evidence, [(webapi.JSON, None)]),
    Route("GET", "/v1/modules", reading.modules, [(webapi.JSON, None)]),
    Route(
        "GET",
        "/v1/query/{module}/{query}",
        reading.query,
        [(webapi.JSON, webapi.QueryAnswer)],
        [
            Parameter("module", "The module's name."),
            Parameter("query", "The query's name; its own parameters stand in /v1/modules."),
            AS_OF,
        ],
        statuses=[NOT_FOUND, GONE, REFUSED],
    ),
    Route(
        "GET",
        "/v1/state/{module}/{key}",
        reading.state,
        [(webapi.JSON, None), (webapi.MSGPACK, proofs.StateProof)],
        [
            Parameter("module", "The module's name."),
            Parameter("key", "The module's own key, as lower-case hex."),
            Parameter("proof", "true: the proof that an offline verifier needs.", bool),
            AS_OF,
            FORMAT,
        ],
        statuses=[NOT_FOUND, GONE],
    ),
    Route(
        "GET",
        "/v1/blocks/{height}",
        reading.block,
        [(webapi.JSON, None)],
        [Parameter("height", "From 1 to the certified height.", int)],
        statuses=[NOT_FOUND],
    ),
    Route(
        "GET",
        "/v1/certificate",
        log.certificate,
        [(webapi.JSON, wire.Certificate), (webapi.MSGPACK, wire.Certificate)],
        [FORMAT],
        statuses=[NOT_FOUND],
    ),
    Route(
        "GET",
        "/v1/handovers",
        log.handovers,
        [(webapi.JSON, proofs.Handovers), (webapi.MSGPACK, proofs.Handovers)],
        [Parameter("epoch", "The first epoch whose hand-over is wanted (default: 0).", int), FORMAT],
    ),
    Route(
        "GET",
        "/v1/events",
        events.events,
        [("text/event-stream", webapi.LedgerEvent)],
        [
            Parameter("cursor", "Go on after this event: height/position. Last-Event-ID does the same."),
            Parameter("module", "Only this module's events."),
        ],
    ),
    Route("GET", "/checkpoint", log.checkpoint, [(webapi.PROOF, None)], statuses=[NOT_FOUND]),
    Route(
        "GET",
        "/tile/{level}/{path:.+}",
        log.tile,
        [(webapi.OCTETS, None)],
        [
            Parameter("level", "A level of the tree, or entries."),
            Parameter("path", "The tile's index and width: x001/x234/067 or x001/x234/067.p/8."),
        ],
        statuses=[NOT_FOUND],
    ),
    Route("GET", "/livez", health.live, [(webapi.PROOF, None)]),
    Route("GET", "/readyz", health.ready, [(webapi.JSON, None)], statuses=[LATER]),
    Route("GET", "/metrics", health.metrics, [(webapi.PROOF, None)]),
)
