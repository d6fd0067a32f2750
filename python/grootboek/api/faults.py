"""From any exception to an answer: a stable code, the right status, and never a traceback."""

from collections.abc import Sequence
from typing import Final

import structlog
from aiohttp import web

from grootboek import webapi
from grootboek.errors import (
    ApiError,
    GrootboekError,
    InternalError,
    MethodNotAllowed,
    NotFound,
    PoolFull,
    Pruned,
    Rejected,
    RequestTooLarge,
    TooManyRequests,
    TransactionError,
    Unavailable,
)
from grootboek.plain import to_json

__all__ = ["STATUS", "answer_of", "fault_of", "status_of"]

RETRY_AFTER_SECONDS: Final = "1"

STATUS: Final[Sequence[tuple[type[GrootboekError], int]]] = (
    (PoolFull, 429),
    (TooManyRequests, 429),
    (TransactionError, 400),
    (ApiError, 400),
    (NotFound, 404),
    (MethodNotAllowed, 405),
    (Pruned, 410),
    (RequestTooLarge, 413),
    (Rejected, 422),
    (Unavailable, 503),
)
"""HTTP status by error; every other error is a defect of the node: 500."""

_log = structlog.get_logger("grootboek.api")


def status_of(error: GrootboekError) -> int:
    """The HTTP status of an error."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def fault_of(error: BaseException | None, path: str) -> GrootboekError:
    """The error to show for an exception; what is the node's own fault goes to its log instead."""
    if isinstance(error, web.HTTPRequestEntityTooLarge):
        return RequestTooLarge(f"the body is above {error.text}")
    if isinstance(error, web.HTTPMethodNotAllowed):
        return MethodNotAllowed(f"use {', '.join(sorted(error.allowed_methods))}", where=path)
    if isinstance(error, web.HTTPNotFound):
        return NotFound("no such path", where=path)
    if isinstance(error, web.HTTPException | web.RequestPayloadError):
        detail = getattr(error, "reason", "the body is not what the headers say")
        return ApiError(detail, where=path)
    if isinstance(error, GrootboekError) and status_of(error) != 500:  # noqa: PLR2004  # the rest of STATUS
        return error
    _log.error("request failed", path=path, error=str(error), exc_info=error)
    return InternalError()


def answer_of(error: GrootboekError) -> web.Response:
    """The HTTP answer that carries an error."""
    status = status_of(error)
    headers = {"Retry-After": RETRY_AFTER_SECONDS} if status in {429, 503} else {}
    body = to_json(webapi.body_of(error))
    return web.Response(status=status, body=body, content_type=webapi.JSON, headers=headers)
