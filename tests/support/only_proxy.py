"""Runs a command where nothing but one port of this machine's loopback can be reached: only_proxy.py PORT COMMAND…

The command is in a network namespace of its own. A socket of the file system leads out of it, and this process passes on what comes there.
Needs root and unshare.
"""
import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import threading


def pump(source, sink):
    with contextlib.suppress(OSError):
        while chunk := source.recv(1 << 16):
            sink.sendall(chunk)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def pass_on(listener, connect):
    def serve():
        while True:
            one, _ = listener.accept()
            other = connect()
            for ends in ((one, other), (other, one)):
                threading.Thread(target=pump, args=ends, daemon=True).start()
    threading.Thread(target=serve, daemon=True).start()


def connect_unix(path):
    plug = socket.socket(socket.AF_UNIX)
    plug.connect(path)
    return plug


def inside(path, port, command):
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    pass_on(socket.create_server(("127.0.0.1", port)), lambda: connect_unix(path))
    return subprocess.run(command, check=False).returncode


def main():
    if sys.argv[1] == "--inside":
        sys.exit(inside(sys.argv[2], int(sys.argv[3]), sys.argv[4:]))
    port = int(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "way-out")
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(64)
        pass_on(listener, lambda: socket.create_connection(("127.0.0.1", port)))
        done = subprocess.run(["unshare", "-n", sys.executable, os.path.abspath(__file__), "--inside", path, *sys.argv[1:]], check=False)
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
