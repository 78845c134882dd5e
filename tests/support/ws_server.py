#!/usr/bin/env python3
"""A transform server that speaks AIStore's ws:// protocol, for tests, standard library only: upper-cases objects, and misbehaves
when the object tells it to.

Listens on the Unix socket MILLRACE_SOCKET, else on the loopback port PORT. GET /health is answered with 200, a PUT with its path,
/ws with a WebSocket unless WS_REFUSE=STATUS is set. One thread per connection; an object's bytes (or its file's) decide:
    die             the process kills itself with SIGABRT
    hang            no answer, ever, after "hanging" on stderr
    close CODE TEXT a close frame instead of an answer, then the connection ends; 1000 without CODE
    cut             half of a binary frame, then the connection ends
    garbage         a frame with reserved bits
    twice           two answers
    text TEXT       the answer is this text message
    control         the answer is the control message as it came
    number          the answer is the number of the connection, from 0
    big N           answers N bytes in frames of 50,000, with a ping in between
    gather N        no answer before N objects of this connection were read; then each is answered with its place
    gather N WHAT   as WHAT, once N objects of this connection were read
    after FILE T    puts the control message into FILE, waits for FILE.go, then answers with the text T; binary, if T is "bytes"
"""
import base64
import hashlib
import itertools
import json
import os
import socketserver
import struct
import sys
import time
import urllib.parse

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
numbers = itertools.count()


class Ended(Exception):
    pass


class Handler(socketserver.StreamRequestHandler):
    def handle(self):
        try:
            self.serve()
        except (Ended, ConnectionError):
            pass

    def exactly(self, count):
        data = self.rfile.read(count)
        if len(data) < count:
            raise Ended
        return data

    def serve(self):
        method, target, _ = self.rfile.readline().decode().split(" ", 2)
        headers = {}
        while line := self.rfile.readline().decode().strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        refusal = os.environ.get("WS_REFUSE")
        if target != "/ws" or refusal:
            self.exactly(int(headers.get("content-length", 0)))
            status = refusal if target == "/ws" else "200"
            body = target.encode()
            self.wfile.write(b"HTTP/1.1 %s Text\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(body), body))
            return
        key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(key.encode()).digest())
        self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        self.number = next(numbers)
        while True:
            control, content = self.read_object()
            self.answer(control, content)

    def read_message(self):
        message = b""
        while True:
            first, second = self.exactly(2)
            size = second & 127
            if size == 126:
                size, = struct.unpack(">H", self.exactly(2))
            elif size == 127:
                size, = struct.unpack(">Q", self.exactly(8))
            assert second & 128, "a client masks what it sends"
            mask = self.exactly(4)
            data = self.exactly(size)
            whole_mask = mask * (size // 4) + mask[:size % 4]
            data = (int.from_bytes(data, "big") ^ int.from_bytes(whole_mask, "big")).to_bytes(size, "big")
            opcode = first & 15
            if opcode == CLOSE:
                self.frame(CLOSE, data)
                raise Ended
            if opcode in (BINARY, CONTINUATION):
                message += data
                if first & 128:
                    return message
            elif opcode != PONG:
                raise Ended

    def read_object(self):
        control = self.read_message()
        fields = json.loads(control)
        if "fqn" in fields:
            with open(urllib.parse.unquote(fields["fqn"]), "rb") as file:
                return control, file.read()
        return control, self.read_message()

    def frame(self, opcode, data=b"", last=True):
        size = len(data)
        if size < 126:
            head = struct.pack(">BB", opcode | last << 7, size)
        elif size < 1 << 16:
            head = struct.pack(">BBH", opcode | last << 7, 126, size)
        else:
            head = struct.pack(">BBQ", opcode | last << 7, 127, size)
        self.wfile.write(head + data)

    def answer(self, control, content):
        word, _, rest = content[:300].decode("latin-1").partition(" ")
        if word == "die":
            os.abort()
        elif word == "hang":
            sys.stderr.write("hanging\n")
            sys.stderr.flush()
            time.sleep(1000)
        elif word == "close":
            code, _, text = rest.partition(" ")
            self.frame(CLOSE, struct.pack(">H", int(code or 1000)) + text.encode())
            raise Ended
        elif word == "cut":
            self.wfile.write(struct.pack(">BBH", 0x82, 126, 1000) + b"x" * 500)
            raise Ended
        elif word == "garbage":
            self.wfile.write(b"\xf2\x00")
        elif word == "twice":
            self.wfile.write(b"\x82\x04once\x82\x05twice")
        elif word == "text":
            self.frame(TEXT, rest.encode())
        elif word == "control":
            self.frame(BINARY, control)
        elif word == "number":
            self.frame(BINARY, str(self.number).encode())
        elif word == "big":
            self.big(int(rest))
        elif word == "gather":
            self.gather(control, *rest.split(" ", 1))
        elif word == "after":
            self.after(control, *rest.split(" ", 1))
        else:
            self.frame(BINARY, content.upper())

    def gather(self, control, count, then=None):
        for _ in range(int(count) - 1):
            self.read_object()
        if then:
            self.answer(control, then.encode())
        else:
            for place in range(int(count)):
                self.frame(BINARY, str(place).encode())

    def big(self, size):
        self.frame(BINARY, b"", last=False)
        while size > 0:
            part = min(size, 50_000)
            size -= part
            self.frame(CONTINUATION, b"b" * part, last=False)
            self.frame(PING, b"are you there")
        self.frame(CONTINUATION)

    def after(self, control, file, text):
        with open(file + ".part", "wb") as out:
            out.write(control)
        os.rename(file + ".part", file)
        for _ in range(5000):
            if os.path.exists(file + ".go"):
                break
            time.sleep(0.002)
        self.frame(BINARY if text == "bytes" else TEXT, text.encode())


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def main():
    path = os.environ.get("MILLRACE_SOCKET")
    server = UnixServer(path, Handler) if path else TcpServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.serve_forever()


main()
