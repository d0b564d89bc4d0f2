"""A model server in a page, for images of tests; what it does is written beside it in `behaviour.json`."""

import json
import os
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

BEHAVIOUR = json.loads(Path("behaviour.json").read_text())
STARTED = time.monotonic()
ENVIRONMENT = dict(os.environ)
if BEHAVIOUR.get("crashes"):
    sys.exit("this model cannot be loaded")


class Handler(BaseHTTPRequestHandler):
    def answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        ready = time.monotonic() - STARTED >= BEHAVIOUR.get("ready_after", 0)
        if self.path == "/ready":
            self.answer(200 if ready else 503, {})
        elif self.path == "/version":
            self.answer(200, {"model": "fraud-detector", "version": BEHAVIOUR["version"]})
        elif self.path == "/environment":
            self.answer(200, ENVIRONMENT)
        else:
            self.answer(200, {})

    def do_POST(self) -> None:
        rows = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["dataframe_split"]["data"]
        self.answer(200, {"predictions": [BEHAVIOUR.get("answers", 0.5)] * len(rows)})

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler)
if BEHAVIOUR.get("crashes_after"):
    threading.Timer(BEHAVIOUR["crashes_after"], lambda: os._exit(1)).start()
# As the real server does: what still comes for a moment after the signal is answered.
signal.signal(signal.SIGTERM, lambda *_: threading.Timer(0.3, server.shutdown).start())
server.serve_forever(poll_interval=0.05)
