"""A whole Millrace transform in Python, over the stream protocol (runtime/STREAM.md). Standard library only, Python 3.8 or later.

    from millrace_transform import serve
    def transform(data, name, args): return data
    serve(transform)

data is the object (bytes), name is "BUCKET/OBJECT", args the text of the job; the result is bytes or text. `raise Reject(why)`
refuses an object for good, `raise Retry(why)` asks for another try; any other exception is a refusal, with its traceback in the log.
"""
import mmap
import os
import select
import signal
import socket
import struct
import sys
import threading
import time
import traceback

__all__ = ["serve", "Reject", "Retry"]

GREETING, GREETING_OF_MILLRACE = b"MRSTRM<\x01", b"MRSTRM>\x01"
OBJECT, DATA, ABORT, RESULT, FAIL = 1, 2, 3, 4, 5
LAST, RETRY = 1, 2
HEADER = struct.Struct("<IBBHQ")  # payload bytes, type, flags, 0, id
OBJECT_HEAD = struct.Struct("<QIHH")  # size or 2**64-1, bytes of args, bytes of name, 0
PAYLOAD_MAX = 1 << 20
LOOKS_AT_OTHERS = 200  # of 5 ms
FLUSH_SECONDS = 0.02  # a ready answer does not wait longer for the objects behind it


class Reject(Exception):
    """This object will never pass."""


class Retry(Exception):
    """It may pass when it is tried again."""


class _Answers:
    """Answers on their way out: those of a batch leave in one write, or sooner where the batch takes long."""

    def __init__(self, sock):
        self.sock, self.parts, self.bytes = sock, [], 0
        self.lock, self.batch_began, self.ended = threading.Lock(), threading.Event(), False
        threading.Thread(target=self.flush_late, daemon=True).start()

    def add(self, kind, flags, id, payload):
        self.parts.append(HEADER.pack(len(payload), kind, flags, 0, id) + payload)
        self.bytes += len(payload)
        if self.bytes >= PAYLOAD_MAX:
            self.flush()

    def flush(self):
        with self.lock:
            count = len(self.parts)
            ready = b"".join(self.parts[:count])
            del self.parts[:count]
            self.bytes = 0
            if ready:
                self.sock.sendall(ready)

    def flush_late(self):
        try:
            while self.batch_began.wait() and not self.ended:
                time.sleep(FLUSH_SECONDS)
                self.flush()
        except OSError:
            pass  # whoever reads sees it too


def _answer(answers, transform, id, data, name, args):
    try:
        result = transform(data, name, args)
        if isinstance(result, str):
            result = result.encode()
        elif not isinstance(result, bytes):
            if not isinstance(result, (bytearray, memoryview)):
                raise TypeError(f"the transform returned {type(result).__name__}; bytes or str were expected")
            result = bytes(result)
    except SystemExit as end:
        sys.stderr.flush()
        os._exit(end.code if isinstance(end.code, int) else 0 if end.code is None else 1)
    except Exception as why:
        is_expected = isinstance(why, (Reject, Retry))
        if not is_expected:
            traceback.print_exc()
            sys.stderr.flush()
        text = str(why) if is_expected else f"{type(why).__name__}: {why}"
        return answers.add(FAIL, RETRY if isinstance(why, Retry) else 0, id, text.encode("utf-8", "replace")[:4000])
    for at in range(0, len(result) - PAYLOAD_MAX, PAYLOAD_MAX):
        answers.add(RESULT, 0, id, result[at:at + PAYLOAD_MAX])
    answers.add(RESULT, LAST, id, result if len(result) <= PAYLOAD_MAX else result[(len(result) - 1) // PAYLOAD_MAX * PAYLOAD_MAX:])


def _serve_frames(sock, transform, answers):
    buffer = bytearray(PAYLOAD_MAX + HEADER.size)
    view = memoryview(buffer)
    begin = end = 0  # of what was received and not yet used
    partial = {}  # objects whose end is still to come: id -> [name, args, pieces]
    while True:
        count = sock.recv_into(view[end:])
        if count == 0:
            return
        end += count
        answers.batch_began.set()
        while end - begin >= HEADER.size:
            size, kind, flags, _, id = HEADER.unpack_from(buffer, begin)
            if size > PAYLOAD_MAX or not OBJECT <= kind <= ABORT:
                raise ValueError(f"frame of type {kind} with {size} bytes")
            at = begin + HEADER.size
            if end - at < size:
                break
            begin = at + size
            if kind == OBJECT:
                _, args_size, name_size, _ = OBJECT_HEAD.unpack_from(buffer, at)
                at += OBJECT_HEAD.size
                name = str(view[at:at + name_size], "utf-8", "surrogateescape")
                at += name_size
                args = str(view[at:at + args_size], "utf-8", "surrogateescape")
                data = bytes(view[at + args_size:begin])
                if flags & LAST:
                    _answer(answers, transform, id, data, name, args)
                else:
                    partial[id] = [name, args, [data]]
            elif kind == DATA and id in partial:
                partial[id][2].append(bytes(view[at:begin]))
                if flags & LAST:
                    name, args, pieces = partial.pop(id)
                    _answer(answers, transform, id, b"".join(pieces), name, args)
            elif kind == ABORT and partial.pop(id, None):
                answers.add(FAIL, 0, id, b"aborted")
        answers.batch_began.clear()
        answers.flush()
        buffer[:end - begin] = buffer[begin:end]
        begin, end = 0, end - begin


def _serve_connection(sock, transform, load, me):
    answers = _Answers(sock)
    try:
        sock.sendall(GREETING)
        greeting = sock.recv(len(GREETING), socket.MSG_WAITALL)
        if greeting == GREETING_OF_MILLRACE:
            _serve_frames(sock, transform, answers)
        elif greeting:
            print("millrace_transform: the peer does not speak version 1 of the stream protocol", file=sys.stderr, flush=True)
    except OSError:
        pass  # Millrace has gone, or cut the connection
    except (ValueError, struct.error) as why:
        print(f"millrace_transform: the peer broke the stream protocol: {why}", file=sys.stderr, flush=True)
    finally:
        answers.ended = True
        answers.batch_began.set()
        load.add(me, -1)
        sock.close()


class _Load:
    """How many connections each worker has, and which it took last, in memory that all share. A worker changes its own numbers alone."""

    def __init__(self, workers):
        numbers = memoryview(mmap.mmap(-1, 8 * workers)).cast("I")
        self.counts, self.last, self.lock = numbers[:workers], numbers[workers:], threading.Lock()

    def add(self, me, number):
        with self.lock:
            self.counts[me] += number
            if number > 0:
                self.last[me] = max(self.last) + 1

    def wait_for_others(self, me):
        """Who has fewer connections comes first, also where it has only been forked; of equals, who has waited longest. Unless it is stuck."""
        for _ in range(LOOKS_AT_OTHERS):
            places = list(zip(self.counts, self.last, range(len(self.counts))))
            if min(places) == places[me]:
                return
            time.sleep(0.005)


def _accept(listener, transform, load, me=0):
    listener.setblocking(False)
    while True:
        select.select([listener], [], [])
        load.wait_for_others(me)
        try:
            sock, _ = listener.accept()
        except BlockingIOError:
            continue  # another worker has it
        sock.setblocking(True)
        load.add(me, 1)
        threading.Thread(target=_serve_connection, args=(sock, transform, load, me), daemon=True).start()


def _end_with(pipe):
    os.read(pipe, 1)  # ends with the parent, which holds the other end and writes nothing
    os._exit(1)


def _watch(workers, listener, transform):
    """Forks the workers, and ends with the first of them that ends, as it did."""
    alive, held = os.pipe()
    children, load = [], _Load(workers)
    for me in range(workers):
        pid = os.fork()
        if pid == 0:
            os.close(held)
            threading.Thread(target=_end_with, args=(alive,), daemon=True).start()
            _accept(listener, transform, load, me)
        children.append(pid)
    listener.close()
    dead, status = os.wait()
    for pid in children:
        if pid != dead:
            os.kill(pid, signal.SIGKILL)
    if os.WIFSIGNALED(status):
        if os.WTERMSIG(status) != signal.SIGKILL:
            signal.signal(os.WTERMSIG(status), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(status))
    os._exit(os.WEXITSTATUS(status) or 1)


def serve(transform, *, workers=1, path=None):
    """Serves objects on the Unix socket `path` (default: $MILLRACE_SOCKET) until SIGTERM, with a thread for each connection.

    Millrace opens one connection for each of its lanes. workers: processes that share them, each forked from this one."""
    path = path or os.environ["MILLRACE_SOCKET"]
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if os.path.exists(path):
        os.unlink(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(path)
        listener.listen(128)
        _watch(workers, listener, transform) if workers > 1 else _accept(listener, transform, _Load(1))
