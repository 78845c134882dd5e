#!/usr/bin/env python3
"""A transform server for tests that puts results where Ais-Node-Url leads, standard library only; listens on port 8000.

Every result is "put", or "replied" where no place was given. The body decides what goes wrong with a put:
    twice        it is put a second time, which is refused
    elsewhere    the name in the address is another
    both         it is put, and something else is replied
    large        three megabytes are put
    claims       it is said to be put, but is not
    half         half of it is put, and it is said to be whole
    late         it is put after an answer of 500
    dies-within  the process ends in the middle of it
    dies-after   the process ends when all is put, before it says so
    hangs-after  no answer, ever, when all is put
"""
import contextlib
import http.client
import http.server
import os
import socket
import socketserver
import threading
import urllib.parse


def put(address, content, announced=None):
    """As AIStore's frameworks do: through this server's own door, with the path and query of the address."""
    door = urllib.parse.urlsplit(os.environ["AIS_TARGET_URL"])
    place = urllib.parse.urlsplit(address)
    connection = http.client.HTTPConnection(door.netloc, timeout=30)
    connection.putrequest("PUT", f"{door.path}{place.path}?{place.query}")
    connection.putheader("Content-Length", str(announced or len(content)))
    connection.endheaders(content)
    if announced:
        return connection
    status = connection.getresponse().status
    connection.close()
    return status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, body=b""):
        self.send_response(status)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        self.answer(200, b"Running")

    def do_PUT(self):
        fault = self.rfile.read(int(self.headers["Content-Length"])).decode()
        address = self.headers.get("Ais-Node-Url")
        if not address:
            return self.answer(200, b"replied")
        if fault == "late":
            self.answer(500, b"not yet")
            return put(address, b"put")
        if fault == "half":
            cut = put(address, b"pu", announced=3)
            cut.sock.shutdown(socket.SHUT_WR)
            with contextlib.suppress(http.client.HTTPException, OSError):  # until the other end has seen it
                cut.getresponse()
        elif fault == "dies-within":
            put(address, b"pu", announced=3)
            os._exit(4)
        elif fault == "elsewhere":
            before, _, after = address.rpartition("object")
            assert put(f"{before}planted{after[2:]}", b"put") == 200
        elif fault != "claims":
            assert put(address, b"put" * (1_000_000 if fault == "large" else 1)) == 200
        if fault == "twice":
            assert put(address, b"again") == 409
        if fault == "dies-after":
            os._exit(4)
        if fault == "hangs-after":
            threading.Event().wait()
        return self.answer(200, b"something else") if fault == "both" else self.answer(204)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


Server(("0.0.0.0", 8000), Handler).serve_forever()
