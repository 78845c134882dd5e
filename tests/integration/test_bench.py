"""millrace bench against a cluster: what it counts is what is there."""
import json
import pathlib
import subprocess
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, ClusterCase  # noqa: E402


class Bench(ClusterCase):
    def bench(self, *arguments, status=0):
        environment = {"MILLRACE_ENDPOINT": "http://" + self.cluster.proxy.endpoint()}
        done = subprocess.run([BINARY, "bench", *arguments, "--json"], env=environment, capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, status, done.stderr)
        return json.loads(done.stdout)

    def test_put_get_inline_and_jobs(self):
        put = self.bench("put", "ais://load/in/", "--count", "300", "--size", "1KiB:2,100KiB:1", "--concurrency", "8")
        self.assertEqual((put["objects"], put["errors"]), (300, 0))
        self.assertEqual(len(self.cluster.list("load")), 300)
        sizes = [len(self.cluster.read("load", name)) for name in self.cluster.list("load")]
        self.assertEqual(sum(sizes), put["bytes"])
        self.assertEqual(set(sizes), {1024, 102400})

        get = self.bench("get", "ais://load", "--count", "500")
        self.assertEqual((get["objects"], get["errors"]), (500, 0))
        self.assertGreater(get["bytes"], 500 * 1024)

        self.cluster.add_transform({"name": "nothing", "cmd": "cat >/dev/null"})
        inline = self.bench("inline", "ais://load", "--etl", "nothing", "--count", "50", "--rate", "100")
        self.assertEqual((inline["objects"], inline["errors"], inline["bytes"]), (50, 0, 0))

        for preset in ("copy", "md5"):
            job = self.bench("job", "ais://load", f"ais://load-{preset}", "--preset", preset)
            self.assertEqual((job["state"], job["objects"]["done"]), ("completed", 300))
            self.assertEqual(len(self.cluster.list(f"load-{preset}")), 300)

    def test_errors_are_counted(self):
        self.bench("put", "ais://few", "--count", "10")
        self.cluster.add_transform({"name": "refuses", "cmd": "false"})
        inline = self.bench("inline", "ais://few", "--etl", "refuses", "--count", "20", status=1)
        self.assertEqual((inline["objects"], inline["errors"]), (0, 20))
        self.assertIn("exit status 1", inline["first_error"])

    def test_a_duration_ends_it(self):
        put = self.bench("put", "ais://timed", "--duration", "500ms", "--rate", "50")
        self.assertGreater(put["objects"], 0)
        self.assertLessEqual(put["objects"], 25)


if __name__ == "__main__":
    unittest.main()
