"""For operators and their machinery: is it alive, is it ready, and the metrics."""

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from grootboek.api import answers
from grootboek.api.context import CONTEXT

__all__ = ["ApiMetrics", "live", "metrics", "ready"]

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ApiMetrics:
    """The API's own metrics, in the node's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Once for each registry."""
        self.requests = Counter(
            "grootboek_api_requests", "HTTP requests answered.", ["route", "status"], registry=registry
        )
        self.seconds = Histogram(
            "grootboek_api_request_seconds",
            "From the headers of a request to its answer.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self.connections = Gauge(
            "grootboek_api_connections", "Open connections of clients.", registry=registry
        )
        self.refused = Counter(
            "grootboek_api_connections_refused", "Connections above a limit.", registry=registry
        )


async def live(request: web.Request) -> web.Response:  # noqa: ARG001  # a handler
    """The process lives."""
    return answers.text("ok\n")


async def ready(request: web.Request) -> web.Response:
    """Whether the node should get traffic, and if not, why."""
    reasons = list(request.app[CONTEXT].backend.ready())
    return answers.json({"ready": not reasons, "reasons": reasons}, status=503 if reasons else 200)


async def metrics(request: web.Request) -> web.Response:
    """The node's metrics in the Prometheus text format."""
    body = generate_latest(request.app[CONTEXT].backend.registry)
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_LATEST})
