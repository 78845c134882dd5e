"""Transforms through the SDK: begun from an image, viewed, logged, listed, stopped, started, deleted; and those that are no containers."""
import hashlib
import json
import time
import unittest
import urllib.request

from sdk_case import SUPPORT, SdkCase, containers, owner_of
from case import wait_for
from aistore.sdk.errors import AISError, ErrETLAlreadyExists, ErrETLNotFound
from aistore.sdk.etl import ETLConfig

EVERY_STAGE = ["Initializing", "Running", "Aborted"]
MD5 = hashlib.md5(b"some words").hexdigest().encode()
NOT_TRIED_AGAIN = (429, 500, 502, 503, 504)


class Transforms(SdkCase):
    """What needs no containers."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_transform({"name": "server-etl", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})
        cls.cluster.add_filter("filter-etl", "tr a-z A-Z")
        cls.bucket = cls.client.bucket("etl-in").create()
        for name, text in (("words", b"some words"), ("loud", b"log said aloud"), ("bad", b"418")):
            cls.cluster.put("etl-in", name, text)

    def stage_of(self, name):
        return {e.id: e.stage for e in self.client.cluster().list_etls(stages=EVERY_STAGE)}.get(name)

    def test_those_made_natively_are_listed_and_viewed(self):
        self.assertEqual({self.stage_of(n) for n in ("server-etl", "filter-etl")}, {"Running"})
        for name in ("server-etl", "filter-etl"):
            details = self.client.etl(name).view()
            self.assertEqual((details.init_msg.name, details.init_msg.communication), (name, "hpush://"))

    def test_logs_of_all_targets_and_of_one(self):
        etl = self.client.etl("server-etl")
        self.assertEqual(self.read(self.bucket, "loud", etl=ETLConfig(etl)), b"ok")
        owner = owner_of(self.bucket.object("loud"))
        wait_for("the words in the log", lambda: "said aloud" in "".join(e.logs for e in etl.logs()), seconds=10)
        self.assertEqual({e.target_id for e in etl.logs()}, {"t1", "t2", "t3"})
        self.assertEqual([(e.target_id, "said aloud" in e.logs) for e in etl.logs(owner)], [(owner, True)])

    def test_stop_keeps_the_name_start_brings_it_back_delete_frees_it(self):
        specification = {"name": "cycle-etl", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]}
        self.cluster.add_transform(specification)
        etl = self.client.etl("cycle-etl")
        etl.stop()
        self.assertEqual(self.stage_of("cycle-etl"), "Aborted")
        with self.assertRaises(AISError) as caught:
            self.read(self.bucket, "words", etl=ETLConfig(etl))
        self.assertNotIn(caught.exception.status_code, NOT_TRIED_AGAIN)
        etl.start()
        self.assertEqual((self.stage_of("cycle-etl"), self.read(self.bucket, "words", etl=ETLConfig(etl))), ("Running", b"SOME WORDS"))
        etl.delete()
        self.assertIsNone(self.stage_of("cycle-etl"))
        for call in (etl.view, etl.logs, etl.stop, etl.start, etl.delete):
            self.assertIn("cycle-etl", self.assert_error(ErrETLNotFound, 404, call))
        self.cluster.add_transform(specification)
        with etl:
            pass
        self.assertIsNone(self.stage_of("cycle-etl"), "the context manager stops and deletes")

    def test_inline_errors_are_seen_in_the_view(self):
        with self.assertRaises(AISError) as caught:
            self.read(self.bucket, "bad", etl=ETLConfig("server-etl"))
        self.assertNotIn(caught.exception.status_code, NOT_TRIED_AGAIN)
        errors = self.client.etl("server-etl").view().obj_errors
        self.assertEqual([e.obj_name for e in errors], ["ais://etl-in/bad"])
        self.assertIn("for 418", errors[0].msg)

    def test_a_name_is_checked_by_the_client(self):
        for name in ("short", "x" * 33, "Upper-case", "-dashed", "under_score"):
            self.assertRaises(ValueError, self.client.etl, name)
        self.assertRaises(ValueError, self.client.etl("good-name").init, image="x", comm_type="pigeon")


class Containers(SdkCase):
    @classmethod
    def setUpClass(cls):
        cls.image = containers.aistore_image()
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.bucket = cls.client.bucket("etl-in").create()
        cls.cluster.put("etl-in", "words", b"some words")

    def rest(self, path):
        """What 1.x of the SDK could ask and other clients still do."""
        with urllib.request.urlopen(f"http://{self.cluster.proxy.endpoint()}{path}", timeout=20) as reply:
            return json.load(reply)

    def test_the_life_of_one(self):
        etl = self.client.etl("echo-etl")
        command = ["/usr/bin/python3", "/code/serve.py", "--workers", "1"]
        begun = etl.init(self.image, command=command, init_timeout="2m", obj_timeout="30s", TRANSFORM="md5", NUMBER=7)
        self.assertTrue(begun)
        self.assertEqual(self.read(self.bucket, "words", etl=ETLConfig(etl)), MD5)
        said = self.assert_error(ErrETLAlreadyExists, 409, etl.init, self.image, command=" ".join(command))
        self.assertIn("echo-etl", said)
        message = etl.view().init_msg
        self.assertEqual((message.name, message.communication, message.init_timeout, message.obj_timeout, message.runtime.image, message.runtime.command),
                         ("echo-etl", "hpush://", "2m", "30s", self.image, command))
        self.assertEqual({v.name: v.value for v in message.runtime.env}, {"TRANSFORM": "***", "NUMBER": "***"}, "values may be secrets")
        self.assertTrue(all("Uvicorn running" in e.logs for e in etl.logs()), etl.logs())
        self.assertEqual({(h["target_id"], h["health_status"]) for h in self.rest("/v1/etl/echo-etl/health")},
                         {(t, "Running") for t in ("t1", "t2", "t3")})
        self.assertTrue(all(m["mem"] > 0 and m["cpu"] >= 0 for m in self.rest("/v1/etl/echo-etl/metrics")))
        info = {e.id: e for e in self.client.cluster().list_etls()}["echo-etl"]
        self.assertEqual((info.stage, bool(info.xaction_id)), ("Running", True))
        job = self.bucket.transform("echo-etl", self.client.bucket("etl-out"), prepend="moved/")
        self.assert_done(job)
        self.assertEqual(self.read(self.client.bucket("etl-out"), "moved/words"), MD5)
        etl.stop()
        etl.delete()
        self.assertEqual(self.client.cluster().list_etls(stages=EVERY_STAGE), [])

    def test_one_that_cannot_start_says_why_at_once(self):
        etl = self.client.etl("broken-etl")
        start = time.monotonic()
        with self.assertRaises(AISError) as caught:
            etl.init(self.image, command=["/bin/sh", "-c", "echo no model here >&2; exit 4"], init_timeout="20s")
        self.assertLess(time.monotonic() - start, 20)
        self.assertNotIn(caught.exception.status_code, NOT_TRIED_AGAIN)
        self.assertIn("no model here", caught.exception.message)
        with self.assertRaises(AISError) as caught:
            self.client.etl("no-such-image").init("localhost/no/such-image:1", init_timeout="20s")
        self.assertNotIn(caught.exception.status_code, NOT_TRIED_AGAIN)
        self.assertIn("such-image", caught.exception.message)


if __name__ == "__main__":
    unittest.main()
