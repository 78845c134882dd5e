"""Inline GETs: right bytes or an error, through redirects and through the proxy, beside jobs."""
import json
import pathlib
import socket
import sys
import time
import unittest
import urllib.request

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import SUPPORT, ClusterCase  # noqa: E402


class Inline(ClusterCase):
    def test_a_client_that_follows_redirects_gets_the_result(self):
        self.cluster.create_bucket("in")
        self.cluster.put("in", "a b.txt", b"hello")
        self.cluster.add_filter("in-upper", "tr a-z A-Z")
        self.assertEqual(self.cluster.read("in", "a b.txt", "&etl_name=in-upper"), b"HELLO")
        with urllib.request.urlopen(f"http://{self.cluster.proxy.endpoint()}/v1/objects/in/a%20b.txt?etl_name=in-upper", timeout=30) as reply:
            self.assertEqual((reply.status, reply.read()), (200, b"HELLO"))

    def test_a_transform_that_is_not_named_is_not_none(self):
        self.cluster.create_bucket("unnamed")
        self.cluster.put("unnamed", "x", b"0123")
        self.cluster.add_filter("in-letters", "tr 0-9 a-j")
        for query in ("etl_name=", "etl_name=in-letters&etl_pipeline=in-letters,", "etl_name=in-letters&etl_pipeline=,in-letters"):
            status, _, body = self.cluster.request("GET", self.cluster.object_path("unnamed", "x", "&" + query))
            self.assertEqual(status, 400, (query, body))
        status, _, body = self.cluster.request("PUT", self.cluster.object_path("unnamed", "y", "&etl_name=in-letters"), b"0123")
        self.assertEqual(status, 400, body)
        self.assertEqual(self.cluster.list("unnamed"), ["x"])

    def test_arguments_reach_the_transform(self):
        self.cluster.create_bucket("args")
        self.cluster.put("args", "x", b"")
        self.cluster.add_filter("in-args", "printf %s \"$MILLRACE_ARGS\"")
        self.assertEqual(self.cluster.read("args", "x", "&etl_name=in-args&etl_args=%7B%22a%22%3A1%7D"), b'{"a":1}')

    def test_failures_are_statuses_and_never_short_results(self):
        self.cluster.create_bucket("fail")
        self.cluster.put("fail", "x", b"y" * 1000)
        self.cluster.add_filter("in-fail", "head -c 10; exit 4")
        self.cluster.add_filter("in-fail-late", "yes | head -c 10000000; exit 4")
        self.cluster.add_filter("in-hang", "sleep 60", obj_timeout="300ms")
        status, _, body = self.cluster.request("GET", self.cluster.object_path("fail", "x", "&etl_name=in-fail"))
        self.assertEqual(status, 422, body)
        status, _, body = self.cluster.request("GET", self.cluster.object_path("fail", "x", "&etl_name=in-hang"))
        self.assertEqual(status, 422, body)
        self.assertIn(b"timeout", body)
        status, _, body = self.cluster.request("GET", self.cluster.object_path("fail", "x", "&etl_name=no-such-transform"))
        self.assertEqual(status, 404, body)
        # A result that broke off after it began has no end: the last chunk never comes.
        for node in self.cluster.targets:
            host, port = node.endpoint().split(":")
            with socket.create_connection((host, int(port)), timeout=30) as plug:
                plug.sendall(b"GET /v1/objects/fail/x?etl_name=in-fail-late HTTP/1.1\r\nHost: localhost\r\n\r\n")
                received = b""
                plug.settimeout(30)
                try:
                    while chunk := plug.recv(1 << 16):
                        received += chunk
                        if b"\r\n\r\n" in received and not received.startswith(b"HTTP/1.1 200"):
                            break
                except ConnectionResetError:
                    pass
            self.assertFalse(received.startswith(b"HTTP/1.1 200") and received.endswith(b"0\r\n\r\n"))
        errors = self.cluster.get("/v1/transforms/in-fail/errors")
        self.assertEqual([(e["object"], e["code"]) for e in errors], [("ais://fail/x", "rejected")])

    def test_a_server_that_asks_for_another_try_for_ever_is_given_up_in_time(self):
        self.cluster.create_bucket("again")
        self.cluster.put("again", "x", b"again")
        server = ["python3", str(SUPPORT / "echo_server.py")]
        self.cluster.add_transform({"name": "in-again", "command": server, "init_timeout": "30s", "obj_timeout": "5m"})
        started = time.monotonic()
        status, _, body = self.cluster.request("GET", self.cluster.object_path("again", "x", "&etl_name=in-again"))
        self.assertEqual((status, json.loads(body)["code"]), (422, "transient"), body)
        self.assertLess(time.monotonic() - started, 20, "clients of AIStore wait no longer")

    def test_a_large_result_streams(self):
        self.cluster.create_bucket("large")
        content = bytes(range(256)) * 40_000
        self.cluster.put("large", "x", content)  # the server answers it in upper case
        self.cluster.add_transform({"name": "in-server", "command": ["python3", str(SUPPORT / "echo_server.py")], "init_timeout": "30s"})
        self.assertEqual(self.cluster.read("large", "x", "&etl_name=in-server"), content.upper())
        status, out, _ = self.cluster.run("etl", "logs", "in-server")
        self.assertEqual(status, 0)


if __name__ == "__main__":
    unittest.main()
