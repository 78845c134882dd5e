"""Small latencies: a one-object job from submit to finished, and what an inline GET adds to talking to the transform directly.

    python3 tests/campaign/latency.py build/release/millrace

Interleaved runs, medians. The transform is the echo server of the test suite, over its Unix socket.
"""
import argparse
import http.client
import json
import pathlib
import socket
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import cluster as rig  # noqa: E402


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def timed(call):
    begun = time.perf_counter()
    call()
    return (time.perf_counter() - begun) * 1000


def exchange(connection, method, path, body=None):
    connection.request(method, path, body=body)
    reply = connection.getresponse()
    content = reply.read()
    assert reply.status == 200, (reply.status, content)
    return content


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("binary")
    arguments.add_argument("--rounds", type=int, default=400)
    options = arguments.parse_args()
    server = pathlib.Path(__file__).resolve().parent.parent / "support/echo_server.py"
    with rig.Cluster(options.binary, targets=1) as cluster:
        content = b"A" * 4096
        cluster.create_bucket("src")
        cluster.put("src", "one", content)
        cluster.add_transform({"name": "echo-server", "command": ["python3", str(server)], "init_timeout": "30s"})
        cluster.add_filter("identity", "cat")
        jobs = {}
        for transform in ("identity", "echo-server"):
            jobs[transform] = []
            for _ in range(15):
                begun = time.perf_counter()
                job = cluster.submit(transform, "src", "dst")
                while cluster.job(job)["state"] != "completed":
                    pass
                jobs[transform].append((time.perf_counter() - begun) * 1000)
        sock = next(p for p in pathlib.Path(socket_folder(cluster)).rglob("*") if p.is_socket())
        direct, inline = UnixConnection(str(sock)), http.client.HTTPConnection(cluster.targets[0].endpoint(), timeout=30)
        plain = []
        through = []
        for _ in range(options.rounds):
            plain.append(timed(lambda: exchange(direct, "PUT", "/src/one", content)))
            through.append(timed(lambda: exchange(inline, "GET", "/v1/objects/src/one?etl_name=echo-server")))
        print(json.dumps({"one_object_job_ms": {k: {"median": round(statistics.median(v), 1), "max": round(max(v), 1)} for k, v in jobs.items()},
                          "direct_ms": round(statistics.median(plain), 3), "inline_ms": round(statistics.median(through), 3),
                          "inline_adds_ms": round(statistics.median(through) - statistics.median(plain), 3)}, indent=1))


def socket_folder(cluster):
    """Where the server's socket is: a short folder outside when the cluster's is too long for a socket's name."""
    pid = cluster.get("/v1/transforms/echo-server")["targets"][0]["pid"]
    environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    path = next(e for e in environment if e.startswith(b"MILLRACE_SOCKET=")).split(b"=", 1)[1].decode()
    return pathlib.Path(path).parent


if __name__ == "__main__":
    sys.exit(main())
