"""Stands in for a replica's daemon: unlocks its keys, serves /readyz over TLS, ends at SIGTERM.

``FAKE_DAEMON`` makes it misbehave: ``dies``, ``waits`` (never ready), ``stays`` (ignores SIGTERM).
"""

import base64
import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from grootboek.network.tls import server_context
from grootboek.node.config import load
from grootboek.node.keystore import ReplicaKeys, unlock
from grootboek.types import Genesis

MODE = os.environ.get("FAKE_DAEMON", "")


class Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(503 if MODE == "waits" else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"ready": MODE != "waits", "reasons": ["no quorum"]}).encode())

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    settings = load(Path(sys.argv[1]), os.environ, {})
    genesis = Genesis.load(settings.genesis)
    keys = unlock(settings.key_file, settings.passphrase_file, ReplicaKeys)
    me = genesis.replicas[genesis.replica_index(settings.replica or keys.name)]
    keys.check(me)
    sys.stderr.write(f"started {me.name}\n")
    if MODE == "dies":
        sys.exit("the disk is gone")
    signal.signal(signal.SIGTERM, signal.SIG_IGN if MODE == "stays" else lambda *_: sys.exit(0))
    server = HTTPServer(("127.0.0.1", int(me.api.split(":")[1])), Ready)
    context = server_context(base64.b64decode(me.api_certificate), keys.api)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
