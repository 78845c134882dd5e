"""Objects as AIStore's clients use them: metadata, append, multipart upload, copies, redirects, names, and what a crash leaves of it."""
import concurrent.futures
import hashlib
import http.client
import json
import pathlib
import socket
import sys
import unittest
import urllib.parse

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase, wait_for  # noqa: E402

HARD_NAMES = ["plain", "sp ace/x y", "per%cent%20", "hash#tag", "quest?ion", "ümläut/日本語.wav", "a&b=c,d", "plus+plus"]
LARGE = bytes(range(256)) * 4096  # a megabyte: a file


class Surface(ClusterCase):
    """follow() does what the `requests` package does: it uploads everything, then reads the answer, and goes where it points."""

    def follow(self, method, bucket, name, query=None, body=None, headers=None, node=None):
        endpoint = (node or self.cluster.proxy).endpoint()
        path = f"/v1/objects/{bucket}/{urllib.parse.quote(name)}"
        if query:
            path += "?" + urllib.parse.urlencode(query)
        for _ in range(3):
            connection = http.client.HTTPConnection(endpoint, timeout=60)
            connection.request(method, path, body=body, headers={"Content-Type": "application/json", **(headers or {})})
            reply = connection.getresponse()
            content = reply.read()
            connection.close()
            if reply.status not in (301, 307):
                return reply.status, reply.headers, content
            target = urllib.parse.urlsplit(reply.headers["Location"])
            endpoint, path = target.netloc, f"{target.path}?{target.query}" if target.query else target.path
        raise AssertionError(f"{method} {name} is redirected for ever")

    def ok(self, method, bucket, name, query=None, body=None, headers=None):
        status, reply, content = self.follow(method, bucket, name, query, body, headers)
        self.assertEqual(status, 200, content)
        return reply, content

    def refused(self, expected, method, bucket, name, query=None, body=None):
        status, _, content = self.follow(method, bucket, name, query, body)
        self.assertEqual(status, expected, content)
        return json.loads(content)["message"]

    def action(self, action, value=None):
        return json.dumps({"action": action, "name": "", "value": value}).encode()

    def owner(self, bucket, name):
        _, headers, _ = self.cluster.request("HEAD", f"/v1/objects/{bucket}/{urllib.parse.quote(name)}")
        return next(t for t in self.cluster.targets if t.endpoint() in headers["Location"])

    def kill_and_restart(self, node):
        node.kill()
        node.start()
        self.cluster.wait_ready()

    def append(self, bucket, name, content, handle=""):
        return self.ok("PUT", bucket, name, {"append_type": "append", "append_handle": handle}, content)[0]["Ais-Append-Handle"]

    def flush(self, bucket, name, handle, content=b""):
        return self.ok("PUT", bucket, name, {"append_type": "flush", "append_handle": handle}, content)[0]

    def begin_upload(self, bucket, name):
        return self.ok("POST", bucket, name, body=self.action("mpt-upload"))[1].decode()

    def put_part(self, bucket, name, upload, number, content):
        self.ok("PUT", bucket, name, {"uploadId": upload, "partNumber": number}, content)

    def complete(self, bucket, name, upload, numbers):
        value = [{"part-number": number, "etag": ""} for number in numbers]
        return self.ok("POST", bucket, name, {"uploadId": upload}, self.action("mpt-complete", value))[0]

    # ---- headers, ranges, errors

    def test_every_operation_takes_every_name(self):
        self.cluster.create_bucket("names")
        self.cluster.create_bucket("names2")
        self.cluster.add_filter("sf-upper", "tr a-z A-Z")
        for name in HARD_NAMES:
            with self.subTest(name=name):
                self.ok("PUT", "names", name, body=b"hello")
                reply, content = self.ok("GET", "names", name)
                self.assertEqual(content, b"hello")
                self.ok("PATCH", "names", name, body=self.action("", {"k": "v"}))
                headers, _ = self.ok("HEAD", "names", name, {"props": "custom,name"})
                self.assertEqual((headers["Ais-Custom-Md"], headers["Content-Length"]), ("k=v", "5"))
                self.assertEqual(headers["Ais-Name"], name if name.isascii() else None)
                self.flush("names", name, self.append("names", name, b" world"))
                self.assertEqual(self.ok("GET", "names", name)[1], b"hello world")
                upload = self.begin_upload("names", name)
                self.put_part("names", name, upload, 1, b"upload")
                self.complete("names", name, upload, [1])
                self.ok("PUT", "names", name, {"object_to": f"ais/@#/names2/{name}", "latest-ver": "false"})
                self.assertEqual(self.ok("GET", "names2", name)[1], b"upload")
                other = name + "-etl"
                self.ok("PUT", "names", name, {"object_to": f"ais/@#/names2/{other}", "etl_name": "sf-upper", "etl_pipeline": ""})
                self.assertEqual(self.ok("GET", "names2", other)[1], b"UPLOAD")
                self.ok("DELETE", "names", name)
                self.assertIn(f"ais://names/{name}", self.refused(404, "GET", "names", name))

    def test_get_and_head_describe_the_object(self):
        self.cluster.create_bucket("heads")
        self.ok("PUT", "heads", "x", body=LARGE)
        for method in ("GET", "HEAD"):
            headers, _ = self.ok(method, "heads", "x")
            self.assertEqual((headers["Ais-Checksum-Type"], len(headers["Ais-Checksum-Value"]), headers["Accept-Ranges"]), ("xxhash2", 16, "bytes"))
            self.assertGreater(int(headers["Ais-Atime"]), 1_700_000_000_000_000_000)
            self.assertEqual(headers["Ais-Version"], "1")
        headers, _ = self.ok("HEAD", "heads", "x", {"props": "size,checksum"})
        self.assertEqual((headers["Content-Length"], len(headers["Ais-Checksum-Value"]), headers["ETag"], headers["Ais-Location"]), ("1048576", 16, None, None))
        self.assertIn("'colour'", json.loads(self.follow("HEAD", "heads", "x", {"props": "colour"})[1]["Hdr-Error"])["message"])
        headers, _ = self.ok("HEAD", "heads", "x")
        self.assertEqual([headers[f"Ais-{h}"] for h in ("Name", "Bucket-Name", "Bucket-Provider", "Present", "Mirror-Copies", "Location")],
                         ["x", "heads", "ais", "true", "1", f"t[{self.owner('heads', 'x').name}]"])

    def test_ranges_survive_redirects_from_proxy_and_from_targets(self):
        self.cluster.create_bucket("ranges")
        self.ok("PUT", "ranges", "x", body=LARGE)
        for node in self.cluster.nodes:
            for text, part in (("bytes=5-9", LARGE[5:10]), ("bytes=1048570-", LARGE[-6:]), ("bytes=-7", LARGE[-7:])):
                status, headers, content = self.follow("GET", "ranges", "x", headers={"Range": text}, node=node)
                self.assertEqual((status, content), (206, part))
                self.assertTrue(headers["Content-Range"].endswith("/1048576"))
            for text in ("bytes=1048576-", "bytes=9-5", "bytes=0-1,4-5", "bytes=x"):
                status, headers, _ = self.follow("GET", "ranges", "x", headers={"Range": text}, node=node)
                self.assertEqual((status, headers["Content-Range"]), (416, "bytes */1048576"))

    def test_errors_are_worded_for_both_kinds_of_clients(self):
        self.cluster.create_bucket("errors")
        for node in self.cluster.nodes:
            status, headers, content = self.follow("GET", "errors", "absent", node=node)
            document = json.loads(content)
            self.assertEqual((status, document["status"], document["code"], document["message"]), (404, 404, "not_found", document["detail"]))
            self.assertIn("ais://errors/absent", document["message"])
            status, headers, content = self.follow("HEAD", "errors", "absent", node=node)
            self.assertEqual((status, content), (404, b""))
            self.assertEqual({**json.loads(headers["Hdr-Error"]), "remote_addr": ""}, {**document, "method": "HEAD", "remote_addr": ""})
            status, _, content = self.follow("GET", "no-such-bucket", "absent", node=node)
            self.assertEqual((status, json.loads(content)["message"]), (404, 'bucket "ais://no-such-bucket" does not exist'))
        self.ok("PUT", "errors", "x", body=b"x")
        self.assertIn("etl job", self.refused(404, "GET", "errors", "x", {"etl_name": "no-such-etl"}))

    def test_inline_failures_are_not_taken_for_troubles_of_the_server(self):
        self.cluster.create_bucket("prompt")
        self.ok("PUT", "prompt", "x", body=b"x")
        self.cluster.add_filter("sf-hang", "sleep 60", obj_timeout="200ms")
        self.cluster.add_filter("sf-die", "kill -9 $$")
        for transform, code in (("sf-hang", "timed_out"), ("sf-die", "crashed")):
            status, _, content = self.follow("GET", "prompt", "x", {"etl_name": transform})
            self.assertEqual((status, json.loads(content)["code"]), (422, code), content)
            status, _, content = self.follow("PUT", "prompt", "x", {"etl_name": transform, "object_to": "ais/@#/prompt/y"})
            self.assertEqual((status, json.loads(content)["code"]), (422, code), content)
        self.assertEqual(self.cluster.list("prompt"), ["x"])

    def test_a_large_body_is_taken_in_before_the_client_is_redirected(self):
        self.cluster.create_bucket("drain")
        content = LARGE * 100
        for _ in range(2):
            self.ok("PUT", "drain", "x", body=content)
        self.assertEqual(self.ok("HEAD", "drain", "x")[0]["Content-Length"], str(len(content)))

    # ---- custom metadata

    def test_custom_metadata_is_merged_replaced_and_kept(self):
        self.cluster.create_bucket("custom")
        self.ok("PUT", "custom", "x", body=LARGE, headers={"Ais-Custom-Md": "born=here, n=0"})
        before, _ = self.ok("HEAD", "custom", "x")
        self.assertEqual(before.get_all("Ais-Custom-Md"), ["born=here", "n=0"])
        self.ok("PATCH", "custom", "x", body=self.action("", {"n": "1", "m": "2"}))
        self.kill_and_restart(self.owner("custom", "x"))
        after, content = self.ok("GET", "custom", "x")
        self.assertEqual(after.get_all("Ais-Custom-Md"), ["born=here", "m=2", "n=1"])
        self.assertEqual((after["Ais-Version"], content), (before["Ais-Version"], LARGE))
        self.ok("PATCH", "custom", "x", {"set-new-custom": "true"}, self.action("", {"only": "this"}))
        self.assertEqual(self.ok("HEAD", "custom", "x")[0]["Ais-Custom-Md"], "only=this")
        self.ok("PUT", "custom", "x", body=b"new")
        self.assertIsNone(self.ok("HEAD", "custom", "x")[0]["Ais-Custom-Md"])

    def test_custom_metadata_that_cannot_be_kept_is_refused(self):
        self.cluster.create_bucket("custom2")
        self.assertIn("ais://custom2/x", self.refused(404, "PATCH", "custom2", "x", body=self.action("", {"a": "b"})))
        self.ok("PUT", "custom2", "x", body=b"x")
        for value in ({"a": 1}, ["a"], "a", None, {"": "x"}, {"a": "b\r\nInjected: yes"}):
            self.refused(400, "PATCH", "custom2", "x", body=self.action("", value))
        self.refused(400, "PATCH", "custom2", "x", body=b"not json")
        self.refused(413, "PATCH", "custom2", "x", body=self.action("", {"a": "v" * 20_000}))
        self.assertIsNone(self.ok("HEAD", "custom2", "x")[0]["Ais-Custom-Md"])

    def test_a_put_with_bad_metadata_stores_nothing(self):
        self.cluster.create_bucket("custom3")
        for text in ("no equals sign", "=no key", "a=" + "v" * 20_000):
            status, _, content = self.follow("PUT", "custom3", "x", body=b"x", headers={"Ais-Custom-Md": text})
            self.assertIn(status, (400, 413), content)
        status, _, content = self.follow("PUT", "custom3", "x", body=b"x", headers={"Ais-Checksum-Type": "sha1", "Ais-Checksum-Value": "0"})
        self.assertIn(b"xxhash2", content)
        self.assertEqual((status, self.cluster.list("custom3")), (400, []))
        self.ok("PUT", "custom3", "x", body=b"x", headers={"Millrace-Custom-Md": "k=a%2C%20b%3Dc"})
        self.assertEqual(self.ok("HEAD", "custom3", "x")[0]["Ais-Custom-Md"], "k=a, b=c")

    # ---- checksums

    def test_a_checksum_of_every_type_is_compared_with_the_content_of_every_way_to_send_it(self):
        self.cluster.create_bucket("sums")
        for content in (b"123456789", LARGE):
            xxh64 = self.ok("PUT", "sums", "x", body=content)[0]["Ais-Checksum-Value"]
            sums = {"xxhash": xxh64, "xxhash2": xxh64, **{kind: hashlib.new(kind, content).hexdigest() for kind in ("md5", "sha256", "sha512")}}
            if content == b"123456789":
                sums["crc32c"] = "e3069283"  # the check value of its definition
            for number, (kind, value) in enumerate(sums.items()):
                wrong = f"{int(value[0], 16) ^ 1:x}{value[1:]}"
                good, bad = ({"Ais-Checksum-Type": kind, "Ais-Checksum-Value": v} for v in (value, wrong))
                upload = self.begin_upload("sums", "part")
                flush = {"append_type": "flush", "append_handle": ""}
                for name, query in (("x", {}), ("part", {"uploadId": upload, "partNumber": 1}), (f"a{number}", flush)):
                    status, headers, answer = self.follow("PUT", "sums", name, query, content, bad)
                    self.assertEqual((status, json.loads(answer)["code"]), (400, "checksum_mismatch"), (kind, query))
                    headers, _ = self.ok("PUT", "sums", name, query, content, good)
                    if not query:
                        self.assertEqual((headers["Ais-Checksum-Type"], headers["Ais-Checksum-Value"]), ("xxhash2", xxh64))
                self.complete("sums", "part", upload, [1])
                self.assertEqual(self.ok("GET", "sums", "part")[1], content)
        self.assertEqual(self.ok("GET", "sums", "x", {"verify": "true"})[1], LARGE)

    # ---- append

    def test_appended_bytes_appear_at_the_flush_and_not_before(self):
        self.cluster.create_bucket("append")
        handle = self.append("append", "x", b"one ")
        handle = self.append("append", "x", LARGE, handle)
        self.refused(404, "GET", "append", "x")
        self.assertEqual(self.cluster.list("append"), [])
        self.kill_and_restart(self.owner("append", "x"))
        handle = self.append("append", "x", b" three", handle)
        self.assertIsNone(self.flush("append", "x", handle)["Ais-Append-Handle"])
        self.assertEqual(self.ok("GET", "append", "x", {"verify": "true"})[1], b"one " + LARGE + b" three")
        self.kill_and_restart(self.owner("append", "x"))
        self.flush("append", "x", handle)  # the client never heard of the first
        self.refused(404, "PUT", "append", "x", {"append_type": "append", "append_handle": handle}, b"late")
        self.assertEqual(len(self.ok("GET", "append", "x")[1]), len(LARGE) + 10)

    def test_an_append_that_is_repeated_does_not_double_its_bytes(self):
        self.cluster.create_bucket("again")
        first = self.append("again", "x", b"one ")
        self.append("again", "x", b"two ", first)
        self.kill_and_restart(self.owner("again", "x"))
        second = self.append("again", "x", b"two ", first)
        third = self.append("again", "x", b"three", second)
        self.assertIn("handle of the last answer", self.refused(409, "PUT", "again", "x", {"append_type": "append", "append_handle": first}, b"stale"))
        self.flush("again", "x", third)
        self.assertEqual(self.ok("GET", "again", "x")[1], b"one two three")

    def test_a_flush_publishes_what_its_handle_stands_for(self):
        self.cluster.create_bucket("stands")
        first = self.append("stands", "x", b"one ")
        second = self.append("stands", "x", b"two ", first)
        self.append("stands", "x", b"three", second)  # the client never heard of it
        self.refused(409, "PUT", "stands", "x", {"append_type": "flush", "append_handle": first})
        for _ in range(2):
            self.flush("stands", "x", second, b"end")
            self.assertEqual(self.ok("GET", "stands", "x")[1], b"one two end")

    def test_appending_goes_on_behind_what_an_object_has(self):
        self.cluster.create_bucket("behind")
        for start in (b"small ", LARGE):
            self.ok("PUT", "behind", "x", body=start)
            handle = self.append("behind", "x", b"more")
            self.assertEqual(self.ok("GET", "behind", "x")[1], start)
            self.flush("behind", "x", handle, b"!")
            self.assertEqual(self.ok("GET", "behind", "x")[1], start + b"more!")

    def test_handles_that_are_none_are_refused(self):
        self.cluster.create_bucket("handles")
        for handle in ("x", "draft-0123456789", "draft-0123456789.", "draft-0123456789.-1", ".5"):
            status, _, content = self.follow("PUT", "handles", "x", {"append_type": "append", "append_handle": handle}, b"x")
            self.assertIn(status, (400, 404), content)
        self.assertIn("begin again", self.refused(404, "PUT", "handles", "x", {"append_type": "flush", "append_handle": "draft-0123456789.5"}))
        self.refused(400, "PUT", "handles", "x", {"append_type": "flush", "append_handle": ""})
        self.refused(400, "PUT", "handles", "x", {"append_type": "other", "append_handle": ""}, b"x")
        handle = self.append("handles", "x", b"x")
        # Another object of the same target has no right to it.
        other = next(f"y{i}" for i in range(100) if self.owner("handles", f"y{i}") is self.owner("handles", "x"))
        self.refused(404, "PUT", "handles", other, {"append_type": "flush", "append_handle": handle})

    # ---- multipart upload

    def test_parts_come_in_any_order_and_appear_together(self):
        self.cluster.create_bucket("parts")
        upload = self.begin_upload("parts", "x")
        self.put_part("parts", "x", upload, 3, b"three")
        self.put_part("parts", "x", upload, 1, LARGE)
        self.kill_and_restart(self.owner("parts", "x"))
        self.put_part("parts", "x", upload, 2, b"wrong, and longer")
        self.put_part("parts", "x", upload, 2, b"two")
        self.refused(404, "GET", "parts", "x")
        self.complete("parts", "x", upload, [3, 1, 2])
        again = self.action("mpt-complete", [{"part-number": number} for number in (1, 2, 3)])
        self.assertIn("does not exist", self.refused(404, "POST", "parts", "x", {"uploadId": upload}, again))
        self.assertEqual(self.ok("GET", "parts", "x", {"verify": "true"})[1], LARGE + b"two" + b"three")
        self.kill_and_restart(self.owner("parts", "x"))
        self.complete("parts", "x", upload, [3, 1, 2])  # who the killed process answered is not known: perhaps nobody
        self.assertEqual(len(self.ok("GET", "parts", "x")[1]), len(LARGE) + 8)

    def test_a_part_that_is_appended_to_stays_a_part(self):
        self.cluster.create_bucket("part-append")
        self.ok("PUT", "part-append", "x", body=b"live")
        upload = self.begin_upload("part-append", "x")
        part = {"uploadId": upload, "partNumber": 2, "append_type": "append"}
        self.put_part("part-append", "x", upload, 2, b"an earlier try of the same part")
        first = self.ok("PUT", "part-append", "x", {**part, "append_handle": ""}, b"two")[0]["Ais-Append-Handle"]
        last = self.ok("PUT", "part-append", "x", {**part, "append_handle": first}, LARGE)[0]["Ais-Append-Handle"]
        self.ok("PUT", "part-append", "x", {**part, "append_handle": first}, LARGE)  # again: its answer was lost
        self.ok("PUT", "part-append", "x", {**part, "append_type": "flush", "append_handle": last})
        self.refused(400, "PUT", "part-append", "x", {**part, "append_handle": "draft-0123456789.3"}, b"of another")
        self.refused(400, "PUT", "part-append", "x", {**part, "append_type": "flush", "append_handle": ""})
        self.refused(400, "PUT", "part-append", "x", {"partNumber": 2}, b"without its upload")
        self.refused(400, "PUT", "part-append", "x", {"append_handle": last}, b"without its type")
        self.assertEqual(self.ok("GET", "part-append", "x")[1], b"live")
        self.put_part("part-append", "x", upload, 1, b"one")
        self.complete("part-append", "x", upload, [1, 2])
        self.assertEqual(self.ok("GET", "part-append", "x")[1], b"onetwo" + LARGE)

    def test_parts_arrive_in_parallel(self):
        self.cluster.create_bucket("parallel")
        upload = self.begin_upload("parallel", "x")
        parts = {number: bytes([number]) * (50_000 * number) for number in range(1, 41)}
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda number: self.put_part("parallel", "x", upload, number, parts[number]), sorted(parts, reverse=True)))
        self.complete("parallel", "x", upload, list(parts))
        self.assertEqual(self.ok("GET", "parallel", "x")[1], b"".join(parts[n] for n in sorted(parts)))

    def test_completions_that_overlap_make_one_object(self):
        self.cluster.create_bucket("overlap")
        upload = self.begin_upload("overlap", "x")
        for number in (1, 2):
            self.put_part("overlap", "x", upload, number, LARGE * 50)
        complete = self.action("mpt-complete", [{"part-number": 1}, {"part-number": 2}])
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            replies = list(pool.map(lambda _: self.follow("POST", "overlap", "x", {"uploadId": upload}, complete), range(2)))
        self.assertIn(sorted(status for status, _, _ in replies), ([200, 200], [200, 404]), "404: it came after the answer to the other")
        self.assertEqual(self.ok("HEAD", "overlap", "x")[0]["Ais-Version"], "1")
        self.assertEqual(self.ok("HEAD", "overlap", "x")[0]["Content-Length"], str(len(LARGE) * 100))

    def test_a_part_that_breaks_off_is_not_there(self):
        self.cluster.create_bucket("broken")
        upload = self.begin_upload("broken", "x")
        handle = self.append("broken", "y", b"kept")
        for name, query in (("x", f"uploadId={upload}&partNumber=1"), ("y", f"append_type=append&append_handle={handle}")):
            host, port = self.owner("broken", name).endpoint().split(":")
            with socket.create_connection((host, int(port)), timeout=30) as plug:
                plug.sendall(f"PUT /v1/objects/broken/{name}?{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n".encode() + b"only this")
                plug.shutdown(socket.SHUT_WR)
                plug.recv(4096)
        self.refused(400, "POST", "broken", "x", {"uploadId": upload}, self.action("mpt-complete", [{"part-number": 1}]))
        self.flush("broken", "y", self.append("broken", "y", b" and more", handle))
        self.assertEqual(self.ok("GET", "broken", "y")[1], b"kept and more")

    def test_what_is_wrong_with_an_upload_is_said(self):
        self.cluster.create_bucket("wrong")
        upload = self.begin_upload("wrong", "x")
        self.put_part("wrong", "x", upload, 1, b"one")
        complete = self.action("mpt-complete", [{"part-number": 1}, {"part-number": 2}])
        self.assertIn("part 2", self.refused(400, "POST", "wrong", "x", {"uploadId": upload}, complete))
        self.refused(404, "POST", "wrong", "x", {"uploadId": "draft-0123456789"}, complete)
        self.assertIn("no chunks", self.refused(400, "POST", "wrong", "x", {"uploadId": upload}, self.action("mpt-complete", [])))
        twice = self.action("mpt-complete", [{"part-number": 1}, {"part-number": 1}])
        self.assertIn("partial completion", self.refused(400, "POST", "wrong", "x", {"uploadId": upload}, twice))
        self.assertIn("invalid size (0)", self.refused(400, "PUT", "wrong", "x", {"uploadId": upload, "partNumber": 1}, b""))
        self.refused(400, "POST", "wrong", "x", {"uploadId": upload}, self.action("mpt-complete", [{"part-number": "1"}]))
        self.refused(400, "POST", "wrong", "x", {"uploadId": upload}, self.action("promote"))
        self.refused(404, "PUT", "wrong", "x", {"uploadId": "draft-0123456789", "partNumber": 1}, b"x")
        for number in ("0", "10001", "-1", "one", ""):
            self.refused(400, "PUT", "wrong", "x", {"uploadId": upload, "partNumber": number}, b"x")
        self.refused(404, "PUT", "wrong", "other", {"uploadId": upload, "partNumber": 1}, b"x")
        self.complete("wrong", "x", upload, [1])
        self.assertEqual(self.ok("GET", "wrong", "x")[1], b"one")

    def test_an_aborted_upload_leaves_what_was_there(self):
        self.cluster.create_bucket("abort")
        self.ok("PUT", "abort", "x", body=b"old")
        upload = self.begin_upload("abort", "x")
        self.put_part("abort", "x", upload, 1, LARGE)
        self.assertIn("uploadId", self.refused(400, "DELETE", "abort", "x", body=self.action("mpt-abort")))
        self.ok("DELETE", "abort", "x", {"uploadId": upload}, self.action("mpt-abort"))
        self.ok("DELETE", "abort", "x", {"uploadId": upload}, self.action("mpt-abort"))  # again: its answer was lost
        complete = self.action("mpt-complete", [{"part-number": 1}])
        self.assertIn("does not exist", self.refused(404, "POST", "abort", "x", {"uploadId": upload}, complete))
        self.refused(400, "DELETE", "abort", "x", {"uploadId": "no-id"}, self.action("mpt-abort"))
        self.assertEqual(self.ok("GET", "abort", "x")[1], b"old")
        self.wait_for_no_pieces()

    def wait_for_no_pieces(self):
        """A thread of the target's removes the folders of drafts."""
        wait_for("the pieces of drafts to go", lambda: not [p for t in self.cluster.targets for p in t.dir.glob("drafts/*/*")])

    def test_a_kill_around_completion_leaves_all_or_nothing(self):
        self.cluster.create_bucket("around")
        for point in ("store.before_draft_piece", "store.after_draft_piece", "store.before_draft_publish", "store.after_draft_publish", "store.after_index"):
            with self.subTest(point=point):
                owner = self.owner("around", "x")
                upload = self.begin_upload("around", "x")
                owner.kill()
                owner.start(fault=f"{point}:1:kill")
                self.cluster.wait_ready()
                content = point.encode() * 30_000
                with self.assertRaises((OSError, http.client.HTTPException)):
                    self.put_part("around", "x", upload, 1, content)
                    self.complete("around", "x", upload, [1])
                owner.wait_end()
                owner.start()
                self.cluster.wait_ready()
                status, _, found = self.follow("GET", "around", "x")
                self.assertIn(status, (200, 404))
                if "draft_piece" in point:
                    self.put_part("around", "x", upload, 1, content)
                self.complete("around", "x", upload, [1])
                self.assertEqual(self.ok("GET", "around", "x", {"verify": "true"})[1], content)
                self.wait_for_no_pieces()

    def test_a_destroyed_bucket_takes_its_unfinished_uploads_along(self):
        self.cluster.create_bucket("gone")
        upload = self.begin_upload("gone", "x")
        self.put_part("gone", "x", upload, 1, LARGE)
        owner = self.owner("gone", "x")
        self.cluster.call("DELETE", "/v1/buckets/gone", {"action": "destroy-bck"})
        self.cluster.create_bucket("gone")
        self.refused(404, "POST", "gone", "x", {"uploadId": upload}, self.action("mpt-complete", [{"part-number": 1}]))
        self.kill_and_restart(owner)
        wait_for("its draft to go", lambda: not list(owner.dir.glob("drafts/*")))

    # ---- copies

    def test_copies_go_to_any_target_with_their_metadata(self):
        self.cluster.create_bucket("from")
        self.cluster.create_bucket("to")
        custom = {"k": "a, b=c", "ü": "ö"}
        for content in (b"small", LARGE, b""):
            self.ok("PUT", "from", "x", body=content)
            self.ok("PATCH", "from", "x", body=self.action("", custom))
            shown = self.ok("HEAD", "from", "x")[0].get_all("Ais-Custom-Md")
            owners = set()
            for i in range(12):
                self.ok("PUT", "from", "x", {"object_to": f"ais/@#/to/c{i}"})
                headers, copied = self.ok("GET", "to", f"c{i}", {"verify": "true"})
                self.assertEqual((copied, headers.get_all("Ais-Custom-Md")), (content, shown))
                owners.add(self.owner("to", f"c{i}").name)
            self.assertEqual(len(owners), 3)

    def test_transformed_copies_go_to_any_target(self):
        self.cluster.create_bucket("from2")
        self.cluster.create_bucket("to2")
        self.cluster.add_filter("sf-args", "cat; printf %s \"$MILLRACE_ARGS\"")
        self.cluster.add_filter("sf-twice", "tee /dev/stderr | tr a-z A-Z")
        self.ok("PUT", "from2", "x", body=b"abc")
        for i in range(8):
            query = {"object_to": f"ais/@#/to2/c{i}", "etl_name": "sf-args", "etl_pipeline": "sf-twice", "etl_args": '{"a": "é?&"}'}
            self.ok("PUT", "from2", "x", query)
            self.assertEqual(self.ok("GET", "to2", f"c{i}")[1][:10], b'ABC{"A": "')

    def test_copies_that_cannot_be_are_refused(self):
        self.cluster.create_bucket("from3")
        self.ok("PUT", "from3", "x", body=b"x")
        self.cluster.add_filter("sf-itself", "tr a-z A-Z")
        onto_itself = {"object_to": "ais/@#/from3/x", "etl_name": "sf-itself"}
        self.assertIn("onto itself", self.refused(400, "PUT", "from3", "x", onto_itself))
        self.ok("PUT", "from3", "x", {"object_to": "ais/@#/from3/x"})  # as it is it is there already
        self.refused(404, "PUT", "from3", "absent", {"object_to": "ais/@#/from3/absent"})
        for destination in ("", "from3/y", "ais/@#/from3", "ais/@#/from3/", "ais/@#/from3/../y", "s3/@#/from3/y"):
            self.refused(400, "PUT", "from3", "x", {"object_to": destination})
        self.assertEqual(self.refused(404, "PUT", "from3", "x", {"object_to": "ais/@#/nowhere/x"}), 'bucket "ais://nowhere" does not exist')
        for i in range(6):
            self.assertIn("ais://from3/absent", self.refused(404, "PUT", "from3", "absent", {"object_to": f"ais/@#/from3/y{i}"}))
            self.assertIn("etl job", self.refused(404, "PUT", "from3", "x", {"object_to": f"ais/@#/from3/y{i}", "etl_name": "no-such"}))
        self.assertEqual(self.cluster.list("from3"), ["x"])


if __name__ == "__main__":
    unittest.main()
