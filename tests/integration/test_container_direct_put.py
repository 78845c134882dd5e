"""Servers that put results where they belong themselves, and do it wrong: a result is whole and in its place, or there is none."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import SUPPORT, ClusterCase  # noqa: E402

NAMES = [f"object{i:02}" for i in range(40)]


class DirectPuts(ClusterCase):
    @classmethod
    def setUpClass(cls):
        server = (SUPPORT / "direct_put_server.py").read_text()
        cls.image = containers.image_from("direct-put", {"/server.py": server}, ["/usr/bin/python3", "-S", "/server.py"])
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.cluster.add_transform({"name": "direct-put", "support_direct_put": True, "obj_timeout": "3s", "runtime": {"image": cls.image}})
        cls.cluster.create_bucket("plain")
        for name in NAMES:
            cls.cluster.put("plain", name, b"fine")
        cls.cluster.wait_job(cls.cluster.submit("direct-put", "plain", "plain-out", prepend="moved/"))
        # Those that belong to another target than their source, for which a place was given out.
        cls.moved = [name for name in NAMES if cls.cluster.read("plain-out", f"moved/{name}") == b"put"]

    def test_a_result_is_put_or_replied(self):
        self.assertGreater(len(self.moved), 10)
        self.assertLess(len(self.moved), len(NAMES))
        for name in set(NAMES) - set(self.moved):
            self.assertEqual(self.cluster.read("plain-out", f"moved/{name}"), b"replied")

    def test_what_a_server_does_wrong(self):
        right = {"twice": b"put", "elsewhere": b"put", "both": b"put", "large": b"put" * 1_000_000}
        wrong = {"claims": ("failed", "rejected", "answered 204 without a result"), "half": ("failed", "transient", "broke off"),
                 "late": ("failed", "transient", "not yet"), "dies-after": ("quarantined", "crashed", "exit status 4"),
                 "dies-within": ("quarantined", "crashed", "exit status 4"), "hangs-after": ("failed", "timed_out", "no result within 3s")}
        faults = dict(zip(self.moved, [*right, *wrong]))
        self.assertEqual(len(faults), len(right) + len(wrong))
        self.cluster.create_bucket("faults")
        for name in NAMES:
            self.cluster.put("faults", name, faults.get(name, "fine").encode())
        job = self.cluster.submit("direct-put", "faults", "faults-out", prepend="moved/", attempts=2)
        document = self.cluster.wait_job(job)
        rows = {faults[row["object"].rsplit("/", 1)[1]]: row for row in self.cluster.errors(job)}
        self.assertEqual(sorted(rows), sorted(wrong), rows)
        for fault, (kind, code, text) in wrong.items():
            self.assertEqual((rows[fault]["class"], rows[fault]["code"]), (kind, code), rows[fault])
            self.assertIn(text, rows[fault]["message"])
        self.assertEqual(document["state"], "completed_with_errors")
        names = [f"moved/{name}" for name in NAMES if faults.get(name) not in wrong]
        self.assertEqual(self.cluster.list("faults-out"), sorted(names))
        for name in NAMES:
            if faults.get(name) not in wrong:
                expected = right.get(faults.get(name), b"put" if name in self.moved else b"replied")
                self.assertEqual(self.cluster.read("faults-out", f"moved/{name}"), expected, name)


if __name__ == "__main__":
    unittest.main()
