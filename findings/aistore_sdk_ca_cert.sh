#!/usr/bin/env bash
# AIStore's Python SDK 2.0.0: where REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE is set, its ca_cert, AIS_CLIENT_CA and skip_verify do not count.
#
# The SDK puts them on a session of requests, and requests (2.34.2 here) asks the environment for each request and prefers it to the session. Images
# and development environments that set the variable to the system's bundle refuse a cluster of one's own authority whatever the SDK is told,
# and the SDK tries again for minutes (it is told not to here). Seen on 2026-12-01, against a server whose certificate its own authority signed:
#
#   no variable: ca_cert works, skip_verify works
#   REQUESTS_CA_BUNDLE: ca_cert SSLError, skip_verify SSLError
#
# Exit status 0: it is still so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet aistore==2.0.0 requests==2.34.2
cd "$folder"
for name in own other; do
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $name.key -out $name.pem -days 2 -subj "/CN=$name" \
    -addext subjectAltName=IP:127.0.0.1 2>/dev/null
done
unset REQUESTS_CA_BUNDLE CURL_CA_BUNDLE
"$folder/venv/bin/python" - >seen <<'PROGRAM'
import http.server, os, ssl, threading
from requests.exceptions import SSLError
from urllib3 import Retry
from aistore.sdk import Client
from aistore.sdk.retry_config import RetryConfig
from tenacity import Retrying, stop_after_attempt

class Store(http.server.BaseHTTPRequestHandler):
    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Store)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain("own.pem", "own.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
threading.Thread(target=server.serve_forever, daemon=True).start()
once = RetryConfig(http_retry=Retry(0), network_retry=Retrying(stop=stop_after_attempt(1), reraise=True))

def outcome(**options):
    try:
        Client(f"https://127.0.0.1:{server.server_port}", retry_config=once, **options).bucket("bucket").head()
        return "works"
    except SSLError:
        return "SSLError"

def row(name):
    print(f"{name}: ca_cert {outcome(ca_cert='own.pem')}, skip_verify {outcome(skip_verify=True)}")

row("no variable")
os.environ["REQUESTS_CA_BUNDLE"] = "other.pem"
row("REQUESTS_CA_BUNDLE")
PROGRAM
cat seen
diff seen - <<'SEEN'
no variable: ca_cert works, skip_verify works
REQUESTS_CA_BUNDLE: ca_cert SSLError, skip_verify SSLError
SEEN
