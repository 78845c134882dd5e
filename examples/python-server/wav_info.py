"""A transform server: a WAV file in, a line of JSON about it out. Standard library only.

Listens on the Unix socket MILLRACE_SOCKET, speaks HTTP/1.1 and keeps connections open:
    GET /health            200 when ready
    PUT /BUCKET/OBJECT     the body is the object, the answer's body the result; ?etl_args=indent indents it
A body that is not a WAV file is answered with 400 and why: it is recorded as refused, and not tried again.
"""
import http.server
import json
import os
import socketserver
import struct
import urllib.parse

BODY_BYTES_MAX = 64 << 20


class NotWav(Exception):
    pass


def wav_info(body):
    """What the chunks `fmt ` and `data` say. Format: Multimedia Programming Interface and Data Specifications 1.0."""
    if len(body) < 12 or body[:4] != b"RIFF" or body[8:12] != b"WAVE":
        raise NotWav("does not begin as a WAV file does")
    chunks = {}
    at = 12
    while at + 8 <= len(body):
        name, size = struct.unpack_from("<4sI", body, at)
        chunks.setdefault(name, body[at + 8 : at + 8 + size])
        at += 8 + size + size % 2
    if len(chunks.get(b"fmt ", b"")) < 16 or b"data" not in chunks:
        raise NotWav("lacks a format or its data")
    _, channels, rate, _, frame_bytes, bits = struct.unpack_from("<HHIIHH", chunks[b"fmt "])
    if rate == 0 or frame_bytes == 0:
        raise NotWav("has a sample rate or frame size of 0")
    frames = len(chunks[b"data"]) // frame_bytes
    return {"bits": bits, "channels": channels, "rate": rate, "seconds": round(frames / rate, 3)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open
    wbufsize = -1  # an answer is one write
    timeout = 300  # an idle connection does not hold its thread for ever

    def answer(self, status, body):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def refuse_unread(self, status, why):
        self.close_connection = True  # the body would be taken for the next request
        self.answer(status, why)

    def do_GET(self):
        is_health = urllib.parse.urlsplit(self.path).path == "/health"
        self.answer(200 if is_health else 404, b"ready\n" if is_health else b"only /health is here\n")

    def do_PUT(self):
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self.refuse_unread(411, b"the length of the object is needed\n")
        if int(length) > BODY_BYTES_MAX:
            return self.refuse_unread(413, b"the object is too large\n")
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # the other side went away
            self.close_connection = True
            return
        arguments = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("etl_args", [""])[0]
        try:
            info = wav_info(body)
        except NotWav as why:
            return self.answer(400, f"{why}\n".encode())
        self.answer(200, json.dumps(info, indent=2 if arguments == "indent" else None, sort_keys=True).encode() + b"\n")

    def address_string(self):
        return "millrace"  # a Unix socket's client has no address

    def log_request(self, *_):
        pass  # one line per object would be the greater part of the work


class UnixHTTPServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


if __name__ == "__main__":
    with UnixHTTPServer(os.environ["MILLRACE_SOCKET"], Handler) as server:
        server.serve_forever()
