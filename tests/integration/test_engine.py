"""The client of container engines against a real one: the live tests of unit_runtime, which are skipped where no engine is named."""
import os
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import BINARY  # noqa: E402

TESTS = pathlib.Path(BINARY).parent / "tests/unit/runtime/unit_runtime"


class LiveEngine(unittest.TestCase):
    def test_the_client_agrees_with_a_real_engine(self):
        environment = {**os.environ, "MILLRACE_ENGINE_SOCKET": containers.engine(), "MILLRACE_ENGINE_IMAGE": containers.python_image()}
        done = subprocess.run([TESTS, "--gtest_filter=LiveEngine*"], env=environment, capture_output=True, text=True, timeout=200, check=False)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:])
        self.assertIn("[  PASSED  ] 11 tests", done.stdout)


if __name__ == "__main__":
    unittest.main()
