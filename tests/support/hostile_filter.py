"""A filter that tries what a sandbox is to refuse, and tells how each attempt ended. Without a sandbox they succeed, and do no harm.

Reads a JSON object of what there is to try it on; writes one of "done", "refused: ERRNO" or "absent" for each attempt. With the argument
`serve` it is a server of transforms instead, for bodies of that kind.
"""
import ctypes
import errno
import http.server
import json
import os
import socket
import socketserver
import sys

CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWNS = 0x10000000, 0x40000000, 0x00020000
PTRACE_SEIZE = 0x4206
AF_VSOCK = 40

libc = ctypes.CDLL(None, use_errno=True)


def call(function, *arguments):
    if function(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")


def read(path):
    with open(path, "rb") as file:
        file.read(1)


def write(path):
    with open(path, "wb"):
        pass
    os.unlink(path)


def connect(family, address):
    with socket.socket(family, socket.SOCK_STREAM) as client:
        client.settimeout(5)
        client.connect(address)


def send_out():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"x", ("192.0.2.1", 9))  # an address of documents


def open_socket(family):
    socket.socket(family, socket.SOCK_DGRAM).close()


def attempts(on):
    port, target, other = on["port"], on["target"], on["other"]
    yield "read an object of another bucket", lambda: read(on["object"])
    yield "read the database", lambda: read(on["database"])
    yield "list the folder of the target", lambda: os.listdir(on["folder"])
    yield "open the object for appending", lambda: open(on["object"], "ab").close()
    yield "cut the object", lambda: os.truncate(on["object"], os.stat(on["object"]).st_size)
    yield "read /etc/shadow", lambda: read("/etc/shadow")
    yield "list the home of root", lambda: os.listdir("/root")
    yield "read a file in /tmp", lambda: read(on["readable"])
    yield "write into /tmp", lambda: write(f"/tmp/{on['mark']}")
    yield "write into /var/tmp", lambda: write(f"/var/tmp/{on['mark']}")
    yield "write into /dev/shm", lambda: write(f"/dev/shm/{on['mark']}")
    yield "write beside its folder", lambda: write(f"../{on['mark']}")
    yield "connect to the loopback", lambda: connect(socket.AF_INET, ("127.0.0.1", port))
    yield "send to the world", send_out
    yield "connect to an abstract socket", lambda: connect(socket.AF_UNIX, "\0" + on["abstract"])
    yield "open a packet socket", lambda: open_socket(socket.AF_PACKET)
    yield "open a socket of virtual machines", lambda: open_socket(AF_VSOCK)
    yield "signal the target", lambda: os.kill(target, 0)
    yield "signal another run", lambda: os.kill(other, 0)
    yield "trace the target", lambda: call(libc.ptrace, PTRACE_SEIZE, target, 0, 0)
    yield "trace another run", lambda: call(libc.ptrace, PTRACE_SEIZE, other, 0, 0)
    yield "read the memory of the target", lambda: open(f"/proc/{target}/mem", "rb").close()
    yield "read variables of another run", lambda: read(f"/proc/{other}/environ")
    yield "mount", lambda: call(libc.mount, b"none", b".", b"no-such-file-system", 0, None)
    yield "make a network namespace", lambda: call(libc.unshare, CLONE_NEWNET)
    yield "make a mount namespace", lambda: call(libc.unshare, CLONE_NEWNS)
    yield "become root", lambda: os.setuid(0)
    yield "join a group", lambda: os.setgroups([0])
    yield "change the root", lambda: os.chroot("/")
    yield "make a device", lambda: os.mknod("device", 0o020600, os.makedev(1, 3))
    yield "ask how the clock is steered", lambda: call(libc.adjtimex, ctypes.create_string_buffer(256))
    yield "read the kernel's log", lambda: call(libc.klogctl, 10, None, 0)
    yield "make a user namespace", lambda: call(libc.unshare, CLONE_NEWUSER)


def outcome(attempt):
    try:
        attempt()
    except OSError as refused:
        number = refused.errno
        if number == errno.ENODEV:
            return "done"  # it got as far as that there is no such file system
        return "absent" if number in (errno.ENOENT, errno.ESRCH) else f"refused: {errno.errorcode.get(number, number)}"
    return "done"


def report(text):
    """Of what came as an object; the trial at the start of a filter brings something else, and gets nothing."""
    if not text.startswith("{"):
        return ""
    result = {name: outcome(attempt) for name, attempt in attempts(json.loads(text))}
    with open("/proc/self/status", encoding="ascii") as status:
        result["status"] = dict(line.rstrip("\n").split(":\t", 1) for line in status if line.startswith(("CapEff", "CapPrm", "NoNewPrivs", "Seccomp:", "Uid")))
    return json.dumps(result)


class Handler(http.server.BaseHTTPRequestHandler):
    def address_string(self):
        return "the target"

    def answer(self, text):
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):
        self.answer(b"ready")

    def do_PUT(self):
        self.answer(report(self.rfile.read(int(self.headers["Content-Length"])).decode()).encode())


if sys.argv[1:] == ["serve"]:
    socketserver.UnixStreamServer(os.environ["MILLRACE_SOCKET"], Handler).serve_forever()
else:
    sys.stdout.write(report(sys.stdin.read()))
