"""The SDK shows its token (AIS_AUTHN_TOKEN) to a cluster that asks for one."""
import os
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from sdk_case import Client  # noqa: E402
from tokens import GuardedCase  # noqa: E402


class Tokens(GuardedCase):
    def client(self, *grants):
        with mock.patch.dict(os.environ, {"AIS_AUTHN_TOKEN": self.keys.issue(*grants)} if grants else {}):
            return Client(f"http://{self.cluster.proxy.endpoint()}")

    def test_works_with_a_token(self):
        client = self.client("write:sdk-*", "run:sdk-*", "command")
        bucket = client.bucket("sdk-in").create()
        for i in range(20):
            bucket.object(f"o{i}").get_writer().put_content(b"content %d" % i)
        self.assertEqual(bucket.object("o7").get_reader().read_all(), b"content 7")
        self.assertEqual(len(bucket.list_all_objects()), 20)
        out = client.bucket("sdk-out").create()
        client.job(bucket.copy(out)).wait(timeout=60, verbose=False)
        self.assertEqual(out.object("o19").get_reader().read_all(), b"content 19")
        bucket.object("o7").delete()
        self.assertEqual(len(bucket.list_all_objects()), 19)

    def test_is_refused_without(self):
        for client, why in ((self.client(), "who you are"), (self.client("read:other"), "may not write bucket sdk-refused")):
            with self.assertRaisesRegex(Exception, why):
                client.bucket("sdk-refused").create()


if __name__ == "__main__":
    unittest.main()
