"""Clients that hang up, that are old, and that go on where they stopped; and servers whose answers are as vague as those clients' requests."""
import contextlib
import pathlib
import select
import socket
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import SUPPORT, ClusterCase, wait_for  # noqa: E402


def connect(node):
    host, port = node.endpoint().split(":")
    return socket.create_connection((host, int(port)), timeout=60)


def ask(node, text):
    """All that is answered, to the end of the connection."""
    with connect(node) as plug:
        plug.sendall(text)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while chunk := plug.recv(1 << 16):
                received += chunk
    return received


class HungUp(ClusterCase):
    targets = 1
    target_settings = {"inline_requests_max": 4}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_filter("hung-quick", "cat")

    def setUp(self):
        self.bucket = "hung-" + self.id().rsplit("_", 1)[-1]
        self.cluster.create_bucket(self.bucket)
        self.cluster.put(self.bucket, "x", b"hang")

    def inline(self, transform):
        return self.cluster.request("GET", self.cluster.object_path(self.bucket, "x", f"&etl_name={transform}"), node=self.cluster.targets[0])[0]

    def assert_places_come_free(self, transform, pipeline=""):
        """Four clients take all places and hang up."""
        query = f"etl_name={transform}&etl_pipeline={pipeline}" if pipeline else f"etl_name={transform}"
        plugs = []

        def all_are_taken():
            for plug in [plug for plug in plugs if select.select([plug], [], [], 0)[0]]:  # found no place: those before still have them
                plugs.remove(plug)
                plug.close()
            while len(plugs) < 4:
                plugs.append(connect(self.cluster.targets[0]))
                plugs[-1].sendall(f"GET /v1/objects/{self.bucket}/x?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            return self.inline("hung-quick") == 503

        wait_for("all places to be taken", all_are_taken)
        for plug in plugs:
            plug.close()
        wait_for("a place for another client", lambda: self.inline("hung-quick") == 200)

    def test_a_filter(self):
        pids = self.cluster.folder / "pids"
        self.cluster.add_filter("hung-filter", f"echo $$ >> {pids}; exec sleep 1000", obj_timeout="1000s")
        self.assert_places_come_free("hung-filter")
        begun = [pathlib.Path("/proc") / pid for pid in pids.read_text().split()]
        self.assertGreaterEqual(len(begun), 4)
        wait_for("the filters to end", lambda: not any(process.exists() for process in begun))
        self.assert_places_come_free("hung-quick", "hung-filter")
        told = {error["code"] for error in self.cluster.get("/v1/transforms/hung-filter/errors")}
        self.assertLessEqual(told, {"overloaded"}, "nobody was there to be told of the others")

    def test_servers(self):
        for name, script, communication in (("hpush", "echo_server.py", "hpush://"), ("ws", "ws_server.py", "ws://")):
            self.cluster.add_transform({"name": f"hung-{name}", "command": ["python3", str(SUPPORT / script)], "init_timeout": "30s",
                                        "communication": communication, "obj_timeout": "1000s"})
            self.assert_places_come_free(f"hung-{name}")


class Vague(ClusterCase):
    targets = 1

    def test_an_old_client_gets_a_result_with_its_length_or_an_error(self):
        self.cluster.create_bucket("old")
        self.cluster.put("old", "x", b"y" * 300_000)
        self.cluster.add_filter("old-cat", "cat")
        self.cluster.add_filter("old-fail", "cat; exit 4")
        for node in (self.cluster.targets[0], self.cluster.proxy):
            head, _, body = ask(node, b"GET /v1/objects/old/x?redirect=no&etl_name=old-cat HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
            self.assertIn(b"\r\nContent-Length: 300000\r\n", head + b"\r\n")
            self.assertEqual(body, b"y" * 300_000)
            self.assertTrue(ask(node, b"GET /v1/objects/old/x?redirect=no&etl_name=old-fail HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 422 "))

    def test_an_upload_without_an_end_is_not_stored(self):
        self.cluster.create_bucket("endless")
        target = self.cluster.targets[0]
        for text, status in ((b"PUT /v1/objects/endless/x HTTP/1.0\r\n\r\nhello", b"411"),
                             (b"PUT /v1/objects/endless/x HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", b"400"),
                             (b"PUT /v1/objects/endless/x HTTP/1.0\r\nContent-Length: 9\r\n\r\nhello", b"400")):
            with connect(target) as plug:
                plug.sendall(text)
                plug.shutdown(socket.SHUT_WR)
                self.assertTrue(plug.recv(100).startswith(b"HTTP/1.1 " + status), text)
            self.assertEqual(self.cluster.request("HEAD", "/v1/objects/endless/x", node=target)[0], 404)

    def test_half_an_answer_is_no_result(self):
        self.cluster.create_bucket("half")
        for name, word in (("whole", b"open"), ("dies", b"open die"), ("exits", b"open exit 7"), ("worker-dies", b"open child die"), ("plain", b"hello")):
            self.cluster.put("half", name, word)
        self.cluster.add_transform({"name": "half-server", "command": ["python3", str(SUPPORT / "echo_server.py")], "init_timeout": "30s"})
        job = self.cluster.submit("half-server", "half", "half-out")
        self.cluster.wait_job(job, seconds=120)
        self.assertEqual({(row["object"], row["class"], row["code"]) for row in self.cluster.errors(job)},
                         {(f"ais://half/{name}", "quarantined", "crashed") for name in ("dies", "exits", "worker-dies")})
        self.assertEqual({name: self.cluster.read("half-out", name) for name in self.cluster.list("half-out")},
                         {"whole": b"some bytes", "plain": b"HELLO"})
        for name in ("dies", "exits", "worker-dies"):
            status, _, body = self.cluster.request("GET", self.cluster.object_path("half", name, "&etl_name=half-server"))
            self.assertEqual(status, 422, body)

    def test_a_part_is_of_the_content_that_was_asked_for(self):
        self.cluster.create_bucket("parts")
        self.cluster.put("parts", "x", b"0123456789")
        path = self.cluster.object_path("parts", "x")
        tag = self.cluster.request("HEAD", path)[1]["ETag"]
        self.assertEqual(self.cluster.request("GET", path, headers={"Range": "bytes=6-", "If-Match": tag})[2], b"6789")
        self.cluster.put("parts", "x", b"abcdefghij")
        self.assertEqual(self.cluster.request("GET", path, headers={"Range": "bytes=6-", "If-Match": tag})[0], 412)
        status, headers, body = self.cluster.request("GET", path, headers={"Range": "bytes=6-", "If-Range": tag})
        self.assertEqual((status, body), (200, b"abcdefghij"))
        self.assertNotEqual(headers["ETag"], tag)
        self.cluster.put("parts", "x", b"0123456789")
        answer = self.cluster.request("GET", path, headers={"Range": "bytes=6-", "If-Range": tag})
        self.assertEqual(answer[::2], (200, b"0123456789"), "it was another one in between, so nobody knows what the client has")

    def test_tags_stay_over_a_restart(self):
        self.cluster.create_bucket("tags")
        path = self.cluster.object_path("tags", "x")
        for content in (b"small", b"y" * 300_000):
            self.cluster.put("tags", "x", content)
            tag = self.cluster.request("HEAD", path)[1]["ETag"]
            self.assertRegex(tag, r'^"[!#-~]+"$')
            self.cluster.targets[0].stop()
            self.cluster.targets[0].start()
            self.cluster.wait_ready()
            status, headers, body = self.cluster.request("GET", path, headers={"If-None-Match": tag})
            self.assertEqual((status, headers["ETag"], body), (304, tag, b""))


class Redirected(ClusterCase):
    targets = 2

    def ask_for_redirect(self, node, head):
        """The head of the answer, before a byte of the body is sent."""
        with connect(node) as plug:
            plug.sendall(head)
            answer = b""
            while b"\r\n\r\n" not in answer:
                piece = plug.recv(1 << 16)
                self.assertTrue(piece, answer)
                answer += piece
            return answer.decode()

    def test_the_answer_comes_before_the_body(self):
        self.cluster.create_bucket("far")
        owner = self.cluster.request("HEAD", "/v1/objects/far/x")[1]["Location"]
        other = next(target for target in self.cluster.targets if target.endpoint() not in owner)
        for node in (self.cluster.proxy, other):
            for length in (b"Content-Length: 5000000", b"Content-Length: 5000000000", b"Transfer-Encoding: chunked"):
                head = b"PUT /v1/objects/far/x HTTP/1.1\r\nHost: localhost\r\n" + length + b"\r\n"
                for expect in (b"", b"Expect: 100-continue\r\n"):
                    answer = self.ask_for_redirect(node, head + expect + b"\r\n")
                    self.assertTrue(answer.startswith("HTTP/1.1 307 "), answer)
                    self.assertIn("\r\nLocation: http://", answer)
                    ends = bool(expect) or length.endswith(b"000000000")
                    self.assertEqual("\r\nConnection: close\r\n" in answer, ends, answer)


if __name__ == "__main__":
    unittest.main()
