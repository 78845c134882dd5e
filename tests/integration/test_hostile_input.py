"""What anybody can send to a node neither ends it nor keeps it busy: every route, with bodies, paths, queries and headers that are made
to hurt, the same ones in each run; and messages on the control port."""
import json
import pathlib
import random
import re
import socket
import struct
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase  # noqa: E402
from cluster import wait_for  # noqa: E402

TOP = pathlib.Path(__file__).resolve().parents[2]
OBJECT_ROUTES = [(method, "/v1/objects/{bucket}/{name}") for method in ("GET", "HEAD", "PUT", "POST", "PATCH", "DELETE")]
ANSWER_SECONDS = 60  # of a machine that is busy otherwise


def routes(*folders):
    """As the sources add them, so that a new one is not forgotten."""
    found = set(OBJECT_ROUTES)
    for folder in folders:
        for source in sorted((TOP / folder).glob("*.cc")):
            for method, path in re.findall(r'router\.add\("([A-Z]+)", (?:std::string\()?"([^"]+)"', source.read_text()):
                found.add((method, path + "cancel" if path.endswith("/") else path))
    return sorted(found)


DEEP = 100_000
BODIES = [
    b"", b"{", b"[" * DEEP, b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP, b'[{"a":' * DEEP, b'{"action":"list","value":' + b"[" * DEEP,
    b'{"action":"create-bck","value":{"small_object_max":' + b"[" * DEEP, b'"' + b"\\" * 99_999, b"1" * DEEP, b"1e999999999", b"-" * 1000,
    b"\xff\xfe\x00", b"\x00" * 1000, b"\x91" * DEEP, b"\xdd\xff\xff\xff\xff", b"- " * 30_000, b"? " * 30_000, b"&a [" * 20_000, b"{a: " * 30_000,
    b"|\n" * 30_000, b"---\n" * 30_000, b'"\\ud800"', b"[" + b"0," * 200_000 + b"0]",
    b"a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (i, i, b",".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 12)),
    b'{"action":"destroy-bck","value":18446744073709551616}', b'{"action":"list","value":{"pagesize":-9223372036854775808,"flags":9223372036854775807}}',
    b'{"action":"list","value":{"pagesize":1e300,"flags":"99999999999999999999"}}', b'{"action":"summary-bck","value":{"uuid":[],"prefix":{}}}',
    b'{"ID":{},"Kind":[],"id":1}', b'{"action":"stop","value":' + b'{"a":' * 60 + b"1" + b"}" * 60 + b"}",
]
# A template with many ways to divide a name up, and fields of every wrong kind.
MANY_WAYS = "".join("{a,aa,aaa,aaaa,aaaaa,aaaaaa,aaaaaaa}" for _ in range(8)) + "b"
WRONG = [None, True, -1, 1 << 64, 1e300, "", "x" * 5000, [], {}, [[]], {"a": 1}, ["a"] * 200, "\x00", "ais://", "ais://../x", "{" * 50, "9" * 400 + "h"]
FIELDS = ["operation", "transform", "pipeline", "source", "destination", "prefix", "objects", "template", "ext", "prepend", "args", "overwrite",
          "num_workers", "dry_run", "object_timeout", "attempts", "on_error", "kind"]
SEGMENTS = ["x", "src", "%00", "%25%25%32%35" * 300, "%ff%fe", "..", "%2e%2e%2f", "a" * 2000, "%", "a%2fb" * 200, "", "{name}", "job-0", "\u00fc"]
QUERIES = ["", "limit=-1", "limit=99999999999999999999", "pagesize=9223372036854775808", "after=%ff", "cursor=" + "%2f" * 1000, "uuid=%00",
           "&".join(f"k{i}" for i in range(5000)), "&" * 20_000, "=" * 20_000, "etl_name=" + "a" * 3000, "append_type=append&append_handle=%00",
           "uploads&uploadId=x&partNumber=99999999999999", "what=" + "%41" * 500, "prefix=" + "a" * 1500, "bck_to=ais%2f%2f", "%", "a=%zz",
           "bucket=src&folded=objects_only&limit=10000", "job=" + "j" * 1000, "etl_args=" + "%7b" * 1000, "verify=true&redirect=no"]
HEADERS = [[], ["Range: bytes=" + ",".join(f"{i}-" for i in range(2000))], ["Range: bytes=18446744073709551615-18446744073709551616"],
           ["Range: bytes=-0"], ["If-None-Match: " + '"a",' * 5000], ["X: y"] * 3000, ["X-" + "a" * 30_000 + ": b"], ["Cookie: " + "c" * 60_000],
           ["Content-Type: " + "/" * 1000], ["Accept: application/msgpack"], ["Expect: 100-continue"], ["Upgrade: websocket", "Connection: Upgrade"],
           ["Ais-Custom-Md: " + "=," * 5000], ["Idempotency-Key: " + "k" * 300], ["Millrace-Fence: 99999999999999999999999"], ["Transfer-Encoding: gzip"]]


# RFC 23 (ZMTP 3.0): who connects speaks version 3.0 without security, as a DEALER.
ZMTP_GREETING = b"\xff" + b"\x00" * 8 + b"\x7f\x03\x00" + b"NULL".ljust(20, b"\x00") + b"\x00" * 32
ZMTP_READY_BODY = b"\x05READY" + b"\x0bSocket-Type" + struct.pack(">I", 6) + b"DEALER"
ZMTP_READY = b"\x04" + bytes([len(ZMTP_READY_BODY)]) + ZMTP_READY_BODY


class HostileInput(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.create_bucket("src")
        cls.cluster.create_bucket("folders")
        cls.cluster.put("src", "a" * 200, b"x")

    def setUp(self):
        self.random = random.Random(7)
        self.pids = [node.process.pid for node in self.cluster.nodes]

    def exchange(self, node, data, seconds=ANSWER_SECONDS):
        """The status of the answer; 0 when the connection ended without one."""
        host, port = node.endpoint().split(":")
        with socket.create_connection((host, int(port)), timeout=seconds) as connection:
            try:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # refused before it had all been sent
            answer = b""
            try:
                while b"\r\n" not in answer:
                    piece = connection.recv(65536)
                    if not piece:
                        break
                    answer += piece
            except ConnectionError:
                pass
            except TimeoutError as late:
                raise AssertionError(f"{node.name} did not answer {data[:200]!r}… ({len(data)} bytes)") from late
        return int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/1.1 ") else 0

    def message(self, method, path, query="", headers=(), body=b""):
        target = path + ("?" + query if query else "")
        head = [f"{method} {target} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", "Connection: close", *headers]
        return "\r\n".join(head).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body

    def filled(self, pattern):
        path, _, condition = pattern.partition("?")
        return re.sub(r"\{[^}]*\}", lambda _: self.random.choice(SEGMENTS), path), condition

    def check_health(self, what):
        for node, pid in zip(self.cluster.nodes, self.pids):
            self.assertTrue(node.alive(), f"{node.name} ended after {what}")
            self.assertEqual(node.process.pid, pid)
            self.assertEqual(self.cluster.request("GET", "/health", node=node)[0], 200, f"{node.name} after {what}")

    def dropped(self):
        """Control messages that the proxy could not decode."""
        return self.cluster.metric("millrace_control_messages_dropped_total", [self.cluster.proxy])

    def attack(self, node, found):
        for method, pattern in found:
            for _ in range(6):
                path, condition = self.filled(pattern)
                query = "&".join(part for part in (condition, self.random.choice(QUERIES)) if part)
                headers, body = self.random.choice(HEADERS), self.random.choice(BODIES)
                self.exchange(node, self.message(method, path, query, headers, body))
            self.check_health(f"{method} {pattern}")

    def test_every_route_of_a_proxy(self):
        self.attack(self.cluster.proxy, routes("scheduler", "aistore"))

    def test_every_route_of_a_target(self):
        self.attack(self.cluster.targets[0], routes("worker"))

    def test_every_body_where_bodies_are_read(self):
        proxy, target = self.cluster.proxy, self.cluster.targets[0]
        for node, method, path in ((proxy, "POST", "/v1/jobs"), (proxy, "PUT", "/v1/transforms"), (proxy, "PUT", "/v1/etl"),
                                   (proxy, "POST", "/v1/buckets/none"), (proxy, "GET", "/v1/buckets/src"), (proxy, "DELETE", "/v1/buckets/none"),
                                   (proxy, "PUT", "/v1/cluster"), (proxy, "GET", "/v1/cluster?what=status"), (target, "PATCH", "/v1/objects/src/x"),
                                   (target, "POST", "/v1/objects/src/x?uploads"), (target, "POST", "/v1/objects/src/x?uploadId=1")):
            for body in BODIES:
                status = self.exchange(node, self.message(method, path, body=body))
                self.assertIn(status // 100, (2, 4), f"{method} {path} with {body[:60]!r}")
            self.check_health(f"bodies for {method} {path}")

    def test_job_requests_with_fields_of_every_kind(self):
        for field in FIELDS:
            for wrong in WRONG:
                request = {"operation": "copy", "source": "src", "destination": "dst", "dry_run": "plan", field: wrong}
                status = self.exchange(self.cluster.proxy, self.message("POST", "/v1/jobs", body=json.dumps(request).encode()))
                self.assertIn(status // 100, (2, 4), request)
        self.check_health("fields")

    def test_framing(self):
        bodies = [b"1;" + b"x=y;" * 20_000 + b"\r\n", b"F" * 40 + b"\r\n", b"1\r\na\r\n" * 5000 + b"0\r\n" + b"T: v\r\n" * 20_000 + b"\r\n",
                  b"-1\r\n", b"0x1\r\na\r\n", b"\r\n\r\n"]
        for body in bodies:
            for node in self.cluster.nodes:
                head = b"PUT /v1/objects/src/chunked HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"
                self.exchange(node, head + body)
        for length in (b"18446744073709551615", b"99999999999999999999", b"-1", b"1, 2", b"0x10"):
            for node in self.cluster.nodes:
                self.exchange(node, b"PUT /v1/objects/src/long HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: " + length + b"\r\n\r\nx")
        for line in (b"GET " + b"/" * 60_000, b"GET /" + b"%2f" * 20_000, b"G" * 70_000, b"\x00\x01\x02", b"GET http://" + b"a" * 60_000,
                     b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"):
            for node in self.cluster.nodes:
                self.exchange(node, line + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.check_health("framing")

    def test_a_template_with_many_ways_ends(self):
        request = {"operation": "copy", "source": "src", "destination": "dst", "dry_run": "plan", "template": MANY_WAYS}
        jobs = [self.cluster.call("POST", "/v1/jobs", request)["id"] for _ in range(6)]
        for job in jobs:
            self.assertEqual(self.cluster.wait_job(job)["objects"]["total"], 0)
        self.check_health("templates")

    def test_the_control_port(self):
        """Bytes that are not ZeroMQ's, or that break off; and messages of a peer that are none of ours."""
        host, port = (self.cluster.proxy.dir / "control_endpoint").read_text().strip().removeprefix("tcp://").split(":")
        for data in (b"\x00" * 5000, b"GET / HTTP/1.1\r\n\r\n", b"\xff" + b"\x00" * 8 + b"\x7f\x03" + b"\x00" * 50, ZMTP_GREETING,
                     ZMTP_GREETING + b"\x02\x7f" + b"\xff" * 7 + b"x"):
            with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
                try:
                    connection.sendall(data)
                    connection.shutdown(socket.SHUT_WR)
                    while connection.recv(65536):
                        pass
                except OSError:
                    pass
        messages = (b"", b"{", b"\x81", b"\xdd\xff\xff\xff\xff", b"\x91" * 100_000, b"\x80", b"x" * 1_000_000)
        before = self.dropped()
        with socket.create_connection((host, int(port)), timeout=ANSWER_SECONDS) as connection:
            connection.sendall(ZMTP_GREETING)
            connection.recv(65536)  # libzmq hangs up on a peer that goes on before it has answered
            connection.sendall(ZMTP_READY + b"".join(b"\x02" + struct.pack(">Q", len(m)) + m for m in messages))
            wait_for("the messages to be dropped", lambda: self.dropped() - before >= len(messages))
        self.check_health("the control port")


if __name__ == "__main__":
    unittest.main()
