"""What every integration test starts from: the binary under test and clusters that are closed again."""
import os
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from cluster import Cluster, Failed, Problem, wait_for  # noqa: E402,F401

BINARY = os.environ.get("MILLRACE_BINARY", str(pathlib.Path(__file__).resolve().parents[2] / "build/release/millrace"))
SUPPORT = pathlib.Path(__file__).resolve().parent


class ClusterCase(unittest.TestCase):
    """One cluster for all tests of the class; names of buckets and transforms keep them apart."""
    targets = 3
    target_settings = {}

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(BINARY, targets=cls.targets, target_settings=cls.target_settings)
        cls.addClassCleanup(cls.cluster.close)
        cls.cluster.start()

    def tearDown(self):
        if any(error for _, error in getattr(self._outcome, "errors", []) or []) or getattr(self._outcome.result, "failures", None):
            self.cluster.print_logs()

    def assert_problem(self, status, code, call, *arguments, **more):
        with self.assertRaises(Problem) as caught:
            call(*arguments, **more)
        self.assertEqual((caught.exception.status, caught.exception.document.get("code")), (status, code), caught.exception.document)
        return caught.exception.document["detail"]
