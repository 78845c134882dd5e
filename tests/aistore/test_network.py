"""The SDK on a network: it believes the authority (AIS_CLIENT_CA), shows its token, and follows redirects from node to node."""
import os
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from sdk_case import Client  # noqa: E402
from network import NetworkCase  # noqa: E402


class Network(NetworkCase):
    def test_objects_and_jobs(self):
        token = self.keys.issue("write:sdk-*", "run:sdk-*", "command")
        variables = mock.patch.dict(os.environ, {"AIS_AUTHN_TOKEN": token, "AIS_CLIENT_CA": str(self.authority.certificate)})
        variables.start()
        self.addCleanup(variables.stop)
        for stronger in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):  # where they are set, requests takes them instead of what the SDK says
            os.environ.pop(stronger, None)
        client = Client(self.cluster.url)
        bucket, out = client.bucket("sdk-far").create(), client.bucket("sdk-out").create()
        for i in range(20):
            bucket.object(f"o{i}").get_writer().put_content(b"content %d" % i)
        self.assertEqual([bucket.object(f"o{i}").get_reader().read_all() for i in range(20)], [b"content %d" % i for i in range(20)])
        self.cluster.add_filter("sdk-upper", "tr a-z A-Z")
        client.job(bucket.transform("sdk-upper", out)).wait(timeout=60, verbose=False)
        self.assertEqual(sorted(entry.name for entry in out.list_all_objects()), sorted(f"o{i}" for i in range(20)))
        self.assertEqual(out.object("o19").get_reader().read_all(), b"CONTENT 19")


if __name__ == "__main__":
    unittest.main()
