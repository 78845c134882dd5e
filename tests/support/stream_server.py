#!/usr/bin/env python3
"""A stream transform for tests, on sdk/python: upper-cases objects, and misbehaves when the object tells it to.

usage: stream_server.py [WORKERS | a wrong peer: wrong-greeting, closes, garbage, stranger, half, silent, deaf, early]

The object decides:
    die           the process kills itself with SIGABRT
    exit N        sys.exit(N)
    hang          no answer, ever, after "hanging" on stderr
    sleep MS      an answer after so long, after "sleeping" on stderr
    raise TEXT    a ValueError;  reject TEXT, retry TEXT: those
    number        the transform returns a number
    name, args, pid    what it was given, what it is
    view          the result as a memoryview
    big N         N bytes
The arguments "same" give every object back as it is. A wrong peer greets rightly, unless it says otherwise, and does with its
first object what its name says; stranger: answers one it never got, half: dies within an answer, deaf: never reads on,
early: answers before it has read everything.
"""
import os
import pathlib
import signal
import socket
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "sdk" / "python"))
import millrace_transform as sdk  # noqa: E402


def say(text):
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def transform(data, name, args):
    if args == "same":
        return data
    word, _, rest = data[:200].decode("latin-1").partition(" ")
    if word == "die":
        os.abort()
    elif word == "exit":
        sys.exit(int(rest))
    elif word == "hang":
        say("hanging")
        threading.Event().wait()
    elif word == "sleep":
        say("sleeping")
        time.sleep(int(rest) / 1000)
        return "slept"
    elif word == "raise":
        raise ValueError(rest)
    elif word == "reject":
        raise sdk.Reject(rest)
    elif word == "retry":
        raise sdk.Retry(rest)
    elif word == "number":
        return 7
    elif word == "name":
        return name
    elif word == "args":
        return args
    elif word == "pid":
        return str(os.getpid())
    elif word == "view":
        return memoryview(b"a view")
    elif word == "big":
        return b"b" * int(rest)
    return data.upper()


def answer(kind, flags, id, payload=b""):
    return sdk.HEADER.pack(len(payload), kind, flags, 0, id) + payload


def misbehave(how, sock):
    with sock:
        serve_wrongly(how, sock)


def serve_wrongly(how, sock):
    if how == "silent":
        threading.Event().wait()
    sock.sendall(b"HTTP/1.1" if how == "wrong-greeting" else sdk.GREETING)
    if not sock.recv(8, socket.MSG_WAITALL):
        return
    if how == "deaf":
        threading.Event().wait()
    header = sock.recv(sdk.HEADER.size, socket.MSG_WAITALL)
    if len(header) < sdk.HEADER.size:
        return
    id = sdk.HEADER.unpack(header)[4]
    if how == "garbage":
        sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    elif how == "stranger":
        sock.sendall(answer(sdk.RESULT, sdk.LAST, id + 1000))
    elif how == "half":
        sock.sendall(answer(sdk.RESULT, 0, id, b"x" * 300_000) + answer(sdk.RESULT, sdk.LAST, id, b"x" * 1000)[:500])
        os.kill(os.getpid(), signal.SIGKILL)
    elif how == "early":
        sock.sendall(answer(sdk.RESULT, 0, id, b"it is ") + answer(sdk.RESULT, sdk.LAST, id, b"enough"))
    if how in ("garbage", "stranger", "early"):
        while sock.recv(1 << 20):  # until it is cut
            pass


def main():
    how = sys.argv[1] if len(sys.argv) > 1 else "1"
    if how.isdigit():
        sdk.serve(transform, workers=int(how))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.environ["MILLRACE_SOCKET"])
        listener.listen()
        while True:
            sock, _ = listener.accept()
            threading.Thread(target=misbehave, args=(how, sock)).start()


main()
