"""One connection of a client, from its bytes to requests; the parsing is aiohttp's."""

from aiohttp import web

from grootboek.api import faults
from grootboek.errors import ApiError, GrootboekError

__all__ = ["SERVER", "Protocol"]

SERVER = "grootboek"
"""The Server header of every answer: versions of libraries are nobody's business."""

_BAD_REQUEST = 400


class Protocol(web.RequestHandler):
    """What is no HTTP request gets a code like every other error, and nothing of it goes to the log."""

    __slots__ = ()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """The answer where no handler gave one; the connection ends with it."""
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            raise ConnectionError("nobody is there to be told") from exc
        if status == _BAD_REQUEST:
            # What follows the colon are the client's own bytes.
            detail = (message or "").partition(":")[0].strip()
            error: GrootboekError = ApiError(f"this is no HTTP request that is taken here: {detail}")
        else:
            error = faults.fault_of(exc, request.path)
        answer = faults.answer_of(error)
        answer.headers["Server"] = SERVER
        answer.force_close()
        return answer
