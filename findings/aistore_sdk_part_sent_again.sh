#!/usr/bin/env bash
# AIStore's Python SDK 2.0.0: a part of a multipart upload that is sent once more makes the completion name it twice.
#
# MultipartUpload.add_part(N) notes N each time that it is called, whether or not anything is sent, so a program that repeats a part after an
# error completes with [1, 1], which AIStore 5.0 refuses (400). Who wants to send a part again has to keep the ObjectWriter of the first
# call. Seen on 2026-11-30: the body of the completion has the part numbers
#
#   [1, 1]
#
# Exit status 0: it is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aistore==2.0.0
"$folder/venv/bin/python" - >"$folder/seen" <<'PROGRAM'
import http.server, json, threading
from aistore.sdk import Client

class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        message = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))))
        if message["action"] == "mpt-complete":
            print([part["part-number"] for part in message["value"]], flush=True)
        self.answer(b"upload-1")
    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"")
    def answer(self, body):
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
upload = Client(f"http://127.0.0.1:{server.server_port}").bucket("bucket").object("object").multipart_upload().create()
upload.add_part(1).put_content(b"lost on its way")
upload.add_part(1).put_content(b"sent again")
upload.complete()
PROGRAM
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
[1, 1]
SEEN
