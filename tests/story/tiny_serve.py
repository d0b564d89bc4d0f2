"""A model server in a page: what the real one answers, without a model, so that stories are quick."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

NAME, VERSION = os.environ["MODEL_NAME"], os.environ["MODEL_VERSION"]


class Model(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer({"model": NAME, "version": VERSION, "status": "ok"})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        rows = body.get("dataframe_split", {}).get("data") or [[]]
        self._answer({"predictions": [int(VERSION)] * len(rows)})

    def _answer(self, body: object) -> None:
        data = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None:
        return


def depend(store: Path) -> None:
    """End when the store is gone."""
    while store.exists():
        time.sleep(0.1)
    print("the feature store does not answer", file=sys.stderr, flush=True)
    os._exit(3)


if os.environ.get("CANNOT_SERVE"):
    sys.exit("FEATURE_STORE_URL is not set: this model cannot be served")
if "FEATURE_STORE" in os.environ:
    feature_store = Path(os.environ["FEATURE_STORE"])
    Thread(target=depend, args=(feature_store,), daemon=True).start()
server = ThreadingHTTPServer(
    (os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))), Model
)
signal.signal(signal.SIGTERM, lambda *_: Thread(target=server.shutdown).start())
server.serve_forever()
