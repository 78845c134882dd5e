"""Inline transforms through the SDK's readers: arguments, chains, files, the right target at once, errors that are prompt."""
import time
import unittest

from sdk_case import NAMES, SUPPORT, SdkCase, content_of, owner_of
from aistore.sdk.errors import AISError, ErrETLNotFound, ErrObjNotFound
from aistore.sdk.etl import ETLConfig

LARGE = b"a line of text\n" * 200_000


class Inline(SdkCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.cluster.add_filter("upper-inline", "tr a-z A-Z")
        cls.cluster.add_filter("reverse-inline", "rev")
        cls.cluster.add_filter("args-inline", 'printf "%s" "$MILLRACE_ARGS"')
        cls.cluster.add_filter("failing-inline", "echo not this one >&2; exit 3")
        cls.cluster.add_filter("slow-inline", "sleep 20", obj_timeout="300ms")
        cls.cluster.add_transform({"name": "server-inline", "command": ["/usr/bin/python3", "-S", str(SUPPORT / "echo_server.py")]})
        cls.bucket = cls.client.bucket("inline").create()
        for name in NAMES:
            cls.cluster.put("inline", name, content_of(name))
        cls.cluster.put("inline", "large", LARGE)

    def inline(self, name, etl, args=None, **more):
        return self.read(self.bucket, name, etl=ETLConfig(etl, args), **more)

    def test_every_name_through_a_filter_and_a_server(self):
        for name in NAMES:
            self.assertEqual(self.inline(name, "upper-inline"), content_of(name).upper(), name)
            self.assertEqual(self.inline(name, "server-inline"), content_of(name).upper(), name)

    def test_arguments_arrive_as_they_were(self):
        for args, expected in (("plain", b"plain"), ({"a": [1, "ü &=?#%+ "], "b": None}, '{"a":[1,"\\u00fc &=?#%+ "],"b":null}'.encode()),
                               ("a+b c%20d&e=f/ü", "a+b c%20d&e=f/ü".encode())):
            self.assertEqual(self.inline("plain", "args-inline", args), expected)

    def test_chains_made_with_the_operator(self):
        chain = self.client.etl("upper-inline") >> self.client.etl("reverse-inline")
        self.assertEqual((chain.name, chain.pipeline), ("upper-inline", ["reverse-inline"]))
        self.assertEqual(self.inline("plain", chain), b"NIALP FO TNETNOC\n")
        longer = chain >> self.client.etl("reverse-inline") >> self.client.etl("server-inline")
        self.assertEqual(self.inline("plain", longer), b"CONTENT OF PLAIN\n")
        self.assertEqual(self.inline("plain", self.client.etl("upper-inline")), b"CONTENT OF PLAIN\n")

    def test_a_reader_as_file_iterator_and_raw(self):
        reader = self.bucket.object("large").get_reader(etl=ETLConfig("upper-inline"), chunk_size=50_000)
        with reader.as_file() as file:
            self.assertEqual(file.read(14), b"A LINE OF TEXT")
            self.assertEqual(file.read(), LARGE.upper()[14:])
        self.assertEqual(b"".join(reader), LARGE.upper())
        self.assertEqual(reader.raw().read(), LARGE.upper())

    def test_urls_carry_the_transform(self):
        import requests

        url = self.bucket.object("what?").get_url(etl=ETLConfig("upper-inline"))
        self.assertEqual(requests.get(url, timeout=10).content, content_of("what?").upper())
        urls = list(self.bucket.list_urls(prefix="a/", etl=ETLConfig("args-inline", "x y")))
        self.assertEqual([requests.get(u, timeout=10).content for u in urls], [b"x y"])

    def test_direct_reads_go_to_one_target_that_passes_on_what_it_does_not_own(self):
        foreign = 0
        smap = self.client.cluster().get_info()
        for name in NAMES:
            made = self.bucket.object(name)
            self.assertEqual(self.read(self.bucket, name, direct=True), content_of(name))
            self.assertEqual(self.inline(name, "upper-inline", direct=True)[:10], b"CONTENT OF")
            foreign += smap.get_target_for_object(made.uname).daemon_id != owner_of(made)
            self.assertEqual(made.get_reader(direct=True).head().size, len(content_of(name)))
        self.assertGreater(foreign, 0, "some belong to others than the SDK computes")
        self.assert_error(ErrObjNotFound, 404, self.bucket.object("not there").get_reader(direct=True).read_all)

    def prompt(self, kind, status, *arguments, **more):
        """An error in less than five seconds; the SDK would try 429, 500, 502, 503 and 504 again for 93."""
        start = time.monotonic()
        message = self.assert_error(kind, status, self.inline, *arguments, **more)
        self.assertLess(time.monotonic() - start, 5)
        return message

    def test_errors_are_prompt_and_say_why(self):
        for direct in (False, True):
            self.assertIn("not this one", self.prompt(AISError, 422, "plain", "failing-inline", direct=direct))
            self.assertIn("not-there-etl", self.prompt(ErrETLNotFound, 404, "plain", "not-there-etl", direct=direct))
            self.prompt(ErrObjNotFound, 404, "no such object", "upper-inline", direct=direct)
        chain = self.client.etl("upper-inline") >> self.client.etl("not-there-etl")
        self.prompt(ErrETLNotFound, 404, "plain", chain)
        chain = self.client.etl("upper-inline") >> self.client.etl("failing-inline")
        self.assertIn("failing-inline", self.prompt(AISError, 422, "plain", chain))

    def test_a_transform_that_hangs_or_is_stopped_is_an_error_that_is_prompt(self):
        for name, stopped in (("slow-inline", False), ("server-inline", True)):
            if stopped:
                self.client.etl(name).stop()
            start = time.monotonic()
            with self.assertRaises(AISError) as caught:
                self.inline("plain", name)
            self.assertLess(time.monotonic() - start, 5, name)
            self.assertNotIn(caught.exception.status_code, (429, 500, 502, 503, 504))
        self.client.etl("server-inline").start()
        self.assertEqual(self.inline("plain", "server-inline"), b"CONTENT OF PLAIN\n")

    def test_a_crash_of_the_server_is_an_error_that_is_prompt(self):
        self.cluster.put("inline", "poison", b"die")
        start = time.monotonic()
        with self.assertRaises(AISError) as caught:
            self.inline("poison", "server-inline")
        self.assertLess(time.monotonic() - start, 5)
        self.assertNotIn(caught.exception.status_code, (429, 500, 502, 503, 504))
        self.assertEqual(self.inline("plain", "server-inline"), b"CONTENT OF PLAIN\n")

    def test_inline_errors_are_kept_with_their_object(self):
        self.prompt(AISError, 422, "100%25", "failing-inline")
        errors = self.client.etl("failing-inline").view().obj_errors
        self.assertIn("ais://inline/100%25", [e.obj_name for e in errors])
        self.assertTrue(all("not this one" in e.msg and e.ecode == 422 for e in errors), errors)


if __name__ == "__main__":
    unittest.main()
