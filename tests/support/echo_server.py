#!/usr/bin/env python3
"""A transform server for tests, standard library only: upper-cases bodies, and misbehaves when the object tells it to.

Listens on the Unix socket MILLRACE_SOCKET, else on the loopback port PORT. The body decides:
    die         the process kills itself with SIGABRT
    exit        the process ends with status 3 after a line on stderr
    hang        no answer, ever, after "hanging" on stderr
    cut         half of the announced answer, then the connection is closed
    cut-die     half of the announced answer, then SIGKILL
    open        "some bytes" without a length: they end with the connection, and then the process lives on
    open die    the same, and it kills itself with SIGKILL
    open exit N the same, and it ends with that status
    open child … the same, and what sends it is a process of its own, that dies or exits
    no-reply    the connection is closed without an answer
    204, 400, 404, 500, 503, 302 …  that status, with a text
    again       status 503 that asks for another try
    path        the answer is the request's path and query as received
    pid         the answer is the process id
    env NAME    the answer is the value of an environment variable
    log TEXT    writes TEXT to stderr, answers "ok"
    big N       answers N bytes
Environment: ECHO_NEVER_READY=1 answers /health with 503; ECHO_EXIT=N ends at once with that status;
ECHO_CHILD=1 starts `sleep 1000` in a process group of its own; ECHO_IGNORE_TERM=1 ignores SIGTERM;
ECHO_FAIL_UNTIL=FILE ends at once unless FILE exists; ECHO_RUNS=FILE gets a line with the path of every request for an
object; ECHO_DEAF=1 takes no body for a command; ECHO_DELAY_MS=N answers such a server's objects after so long.
"""
import http.server
import os
import signal
import socket
import socketserver
import subprocess
import sys
import threading
import time


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def log_message(self, *_):
        pass

    def address_string(self):
        return "local"

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status != 204:
            self.wfile.write(body)
        self.wfile.flush()

    def do_GET(self):
        if os.environ.get("ECHO_NEVER_READY"):
            return self.answer(503, b"warming up")
        self.answer(200, b"Running")

    def cut(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"x" * 500)
        self.wfile.flush()
        self.close_connection = True

    def open_ended(self, how):
        if how[:1] == ["child"]:
            child = os.fork()
            if child:
                os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
                self.close_connection = True
                return
            how = how[1:]
        self.wfile.write(b"HTTP/1.0 200 OK\r\n\r\nsome bytes")
        self.wfile.flush()
        self.close_connection = True
        if how[:1] == ["die"]:
            os.kill(os.getpid(), signal.SIGKILL)
        elif how[:1] == ["exit"]:
            os._exit(int(how[1]))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "-1")))
        runs = os.environ.get("ECHO_RUNS")
        if runs:
            with open(runs, "ab", buffering=0) as file:
                file.write(self.path.encode() + b"\n")
        if os.environ.get("ECHO_DEAF"):
            time.sleep(int(os.environ.get("ECHO_DELAY_MS", "0")) / 1000)
            return self.answer(200, body.upper())
        word, _, rest = body[:200].decode("latin-1").partition(" ")
        if word == "die":
            os.abort()
        elif word == "exit":
            sys.stderr.write("giving up on purpose\n")
            sys.stderr.flush()
            os._exit(3)
        elif word == "hang":
            sys.stderr.write("hanging\n")
            sys.stderr.flush()
            threading.Event().wait()
        elif word == "cut":
            self.cut()
        elif word == "cut-die":
            self.cut()
            os.kill(os.getpid(), signal.SIGKILL)
        elif word == "open":
            self.open_ended(rest.split())
        elif word == "no-reply":
            self.close_connection = True
        elif word.isdigit() and len(word) == 3:
            self.answer(int(word), b"the reason\nfor " + word.encode())
        elif word == "again":
            self.answer(503, b"not delivered", Ais_Etl_Retry_Reason="direct-put-transient")
        elif word == "path":
            self.answer(200, self.path.encode())
        elif word == "pid":
            self.answer(200, str(os.getpid()).encode())
        elif word == "env":
            self.answer(200, os.environ.get(rest, "").encode())
        elif word == "log":
            sys.stderr.write(rest + "\n")
            sys.stderr.flush()
            self.answer(200, b"ok")
        elif word == "big":
            self.answer(200, b"b" * int(rest))
        else:
            self.answer(200, body.upper())


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 128


class TcpServer(socketserver.ThreadingMixIn, socketserver.TCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 128


def main():
    if os.environ.get("ECHO_IGNORE_TERM"):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if os.environ.get("ECHO_EXIT"):
        sys.stderr.write("cannot load the model\n")
        sys.exit(int(os.environ["ECHO_EXIT"]))
    waits_for = os.environ.get("ECHO_FAIL_UNTIL")
    if waits_for and not os.path.exists(waits_for):
        sys.exit("missing " + waits_for)
    if os.environ.get("ECHO_CHILD"):
        subprocess.Popen(["sleep", "1000"], process_group=0)
    path = os.environ.get("MILLRACE_SOCKET")
    if path:
        server = UnixServer(path, Handler)
    else:
        server = TcpServer(("127.0.0.1", int(os.environ["PORT"])), Handler)
    server.serve_forever()


main()
