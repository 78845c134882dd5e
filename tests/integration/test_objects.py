"""Buckets and objects over HTTP and by the command, as a user meets them."""
import hashlib
import http.client
import pathlib
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase  # noqa: E402


class Objects(ClusterCase):
    def test_small_and_large_objects_come_back_whole_and_in_parts(self):
        self.cluster.create_bucket("sizes")
        for size in (0, 1, 16383, 16384, 16385, 65537, 3_000_000):
            content = (hashlib.sha256(str(size).encode()).digest() * (size // 32 + 1))[:size]
            self.cluster.put("sizes", f"a/{size}.bin", content)
            self.assertEqual(self.cluster.read("sizes", f"a/{size}.bin"), content)
            self.assertEqual(self.cluster.read("sizes", f"a/{size}.bin", "&verify=true"), content)
            if size > 10:
                status, headers, part = self.cluster.request("GET", self.cluster.object_path("sizes", f"a/{size}.bin"), headers={"Range": "bytes=5-9"})
                self.assertEqual((status, part, headers["Content-Range"]), (206, content[5:10], f"bytes 5-9/{size}"))
                status, _, part = self.cluster.request("GET", self.cluster.object_path("sizes", f"a/{size}.bin"), headers={"Range": "bytes=-3"})
                self.assertEqual((status, part), (206, content[-3:]))
            status, _, _ = self.cluster.request("GET", self.cluster.object_path("sizes", f"a/{size}.bin"), headers={"Range": f"bytes={size}-"})
            self.assertEqual(status, 416)
        status, headers, body = self.cluster.request("HEAD", self.cluster.object_path("sizes", "a/65537.bin"))
        self.assertEqual((status, headers["Content-Length"], body), (200, "65537", b""))

    def test_names_that_are_hard_work_everywhere(self):
        self.cluster.create_bucket("names")
        hard = ["sp ace.txt", "per%cent", "hash#tag", "quest?ion", "plus+plus", "ümläut/日本語.wav", "a&b=c", "dots...x", "quote'\"", "x" * 1024]
        for name in hard:
            self.cluster.put("names", name, name.encode())
        self.assertEqual(self.cluster.list("names"), sorted(hard, key=lambda n: n.encode()))
        for name in hard:
            self.assertEqual(self.cluster.read("names", name), name.encode())
        status, out, err = self.cluster.run("get", "ais://names/ümläut/日本語.wav", "-o", "-")
        self.assertEqual((status, out, err), (0, "ümläut/日本語.wav", ""))

    def test_names_that_could_leave_the_store_are_refused(self):
        self.cluster.create_bucket("escape")
        for raw in ("../etc/passwd", "a/../../b", "a/./b", "a//b", "%2e%2e/x", "a%00b", "%ff%fe", "a/", "x" * 1025):
            for node in self.cluster.nodes:
                status, _, answer = self.cluster.request("PUT", f"/v1/objects/escape/{raw}?redirect=no", b"x", node=node)
                self.assertIn(status, (400, 404), (raw, node.name, answer))
        self.assertEqual(self.cluster.list("escape"), [])

    def test_listing_pages_are_complete_and_without_doubles(self):
        self.cluster.create_bucket("pages")
        names = [f"{p}/{i:03d}" for p in ("a", "b") for i in range(60)]
        for name in names:
            self.cluster.put("pages", name, b"x")
        seen, token = [], ""
        while True:
            page = self.cluster.get(f"/v1/buckets/pages?prefix=b/&pagesize=7&continuation_token={token}")
            seen += [e["name"] for e in page["entries"]]
            token = page["continuation_token"]
            if not token:
                break
        self.assertEqual(seen, [n for n in names if n.startswith("b/")])

    def test_a_wrong_checksum_stores_nothing(self):
        self.cluster.create_bucket("sums")
        detail = self.assert_problem(400, "checksum_mismatch", self.cluster.put, "sums", "x", b"hello",
                                     {"Ais-Checksum-Type": "xxhash2", "Ais-Checksum-Value": "0" * 16})
        self.assertIn("ais://sums/x", detail)
        self.assertEqual(self.cluster.list("sums"), [])

    def test_a_body_shorter_than_announced_stores_nothing(self):
        self.cluster.create_bucket("short")
        for size in (100, 10_000_000):
            for node in self.cluster.targets:
                host, port = node.endpoint().split(":")
                with socket.create_connection((host, int(port)), timeout=30) as plug:
                    plug.sendall(f"PUT /v1/objects/short/{node.name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n".encode() + b"only this")
                    plug.shutdown(socket.SHUT_WR)
                    plug.recv(4096)
        self.assertEqual(self.cluster.list("short"), [])

    def test_garbage_on_the_ports_hurts_nobody(self):
        control = (self.cluster.proxy.dir / "control_endpoint").read_text().strip().removeprefix("tcp://")
        ports = [n.endpoint() for n in self.cluster.nodes] + [control]
        for address in ports:
            host, port = address.split(":")
            for garbage in (b"\x00\xff" * 5000, b"GET / HTTP/9.9\r\n\r\n",
                            b"PUT /v1/objects/x/y HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n", b"\x01" * 64):
                with socket.create_connection((host, int(port)), timeout=30) as plug:
                    try:
                        plug.sendall(garbage)
                        plug.settimeout(0.5)
                        plug.recv(4096)
                    except OSError:
                        pass
        self.assertTrue(self.cluster.is_ready())

    def test_errors_are_problem_documents_that_say_what_is_wrong(self):
        self.assertIn('"ais://nowhere" does not exist', self.assert_problem(404, "not_found", self.cluster.read, "nowhere", "x"))
        self.cluster.create_bucket("twice")
        self.assertIn("already exists", self.assert_problem(409, "already_exists", self.cluster.create_bucket, "twice"))
        self.assert_problem(404, "not_found", self.cluster.read, "twice", "nothing")
        self.assert_problem(404, "not_found", self.cluster.get, "/v1/nonsense")
        status, headers, _ = self.cluster.request("PATCH", "/v1/cluster")
        self.assertEqual((status, headers["Allow"]), (405, "GET, HEAD, PUT"))

    def test_redirects_lead_to_the_owner_and_the_proxy_carries_no_bytes(self):
        self.cluster.create_bucket("redirect")
        status, headers, _ = self.cluster.request("PUT", "/v1/objects/redirect/one", b"")
        self.assertEqual(status, 307)
        host, _, path = headers["Location"].removeprefix("http://").partition("/")
        connection = http.client.HTTPConnection(host, timeout=30)
        connection.request("PUT", "/" + path, b"content")
        self.assertEqual(connection.getresponse().status, 200)
        connection.close()
        status, headers, _ = self.cluster.request("GET", "/v1/objects/redirect/one")
        self.assertEqual((status, headers["Location"].split("/")[2]), (301, host))
        others = [t for t in self.cluster.targets if t.endpoint() != host]
        status, headers, _ = self.cluster.request("GET", "/v1/objects/redirect/one", node=others[0])
        self.assertEqual((status, headers["Location"].split("/")[2]), (301, host))

    def test_a_destroyed_bucket_is_gone_and_its_name_free(self):
        self.cluster.create_bucket("phoenix")
        self.cluster.put("phoenix", "ash", b"1")
        self.cluster.call("DELETE", "/v1/buckets/phoenix", {"action": "destroy-bck"})
        self.assert_problem(404, "not_found", self.cluster.read, "phoenix", "ash")
        self.cluster.create_bucket("phoenix")
        self.assertEqual(self.cluster.list("phoenix"), [])


if __name__ == "__main__":
    unittest.main()
