#!/usr/bin/env bash
# AIStore's Python SDK 2.0.0: a part of a multipart upload that is written as a file is sent with the words of two operations.
#
# MultipartUpload.add_part(N).as_file() writes by PUTs that have uploadId and partNumber, which mean a part, and append_type and
# append_handle, which mean an append to the object itself. A server that looks for append_type first changes the live object. AIStore 5.0
# takes uploadId first. Seen on 2026-11-30, in each of the two PUTs (append, then flush) of one part:
#
#   PUT append_handle append_type=append partNumber=7 uploadId=upload-1
#   PUT append_handle append_type=flush partNumber=7 uploadId=upload-1
#
# Exit status 0: it is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aistore==2.0.0
"$folder/venv/bin/python" - >"$folder/seen" <<'PROGRAM'
import http.server, threading, urllib.parse
from aistore.sdk import Client

class Store(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self, body=b"", headers=()):
        self.send_response(200)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.answer(b"upload-1")
    def do_PUT(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query, keep_blank_values=True))
        words = [f"{key}={query[key]}" for key in ("append_type", "partNumber", "uploadId") if key in query]
        print("PUT", *(["append_handle"] if "append_handle" in query else []), *words, flush=True)
        self.answer(headers=[("Ais-Append-Handle", "handle-1")])
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = Client(f"http://127.0.0.1:{server.server_port}")
upload = client.bucket("bucket").object("object").multipart_upload().create()
with upload.add_part(7).as_file() as part:
    part.write(b"content")
PROGRAM
cat "$folder/seen"
diff "$folder/seen" - <<'SEEN'
PUT append_handle append_type=append partNumber=7 uploadId=upload-1
PUT append_handle append_type=flush partNumber=7 uploadId=upload-1
SEEN
