"""The examples of the API's table of objects, run one after the other as they stand there."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import ClusterCase  # noqa: E402

DOCUMENT = pathlib.Path(__file__).resolve().parents[2] / "scheduler" / "API.md"
ROW = re.compile(r"^\| (?P<request>.*) \| .* \| `(?P<example>curl .*)` \|$")
CONTENT = b"la " * 100


def examples():
    rows = [ROW.match(line) for line in DOCUMENT.read_text(encoding="utf-8").splitlines()]
    return [(row["request"], row["example"]) for row in rows if row]


class Examples(ClusterCase):
    def run_example(self, command):
        status = subprocess.run(["bash", "-c", command + " -sS -o body -w '%{http_code}'"], cwd=self.folder, env=self.variables,
                                capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(status.returncode, 0, status.stderr)
        body = pathlib.Path(self.folder, "body")
        return int(status.stdout), body.read_bytes() if body.exists() else b""

    def handle(self):
        head = pathlib.Path(self.folder, "head").read_text(encoding="ascii")
        return re.findall(r"(?im)^ais-append-handle: *(\S+)", head)[-1]

    def test_each_does_what_its_row_says(self):
        self.cluster.create_bucket("music")
        self.cluster.add_filter("to-upper", "tr a-z A-Z")
        with tempfile.TemporaryDirectory() as name:
            self.folder = name
            pathlib.Path(name, "song.flac").write_bytes(CONTENT)
            self.variables = {"PATH": "/usr/bin:/bin", "U": f"http://{self.cluster.proxy.endpoint()}/v1/objects/music/song.flac", "H": "", "ID": ""}
            seen = set()
            for request, example in examples():
                with self.subTest(request=request, example=example):
                    if "DELETE" in example and "uploadId" not in example:
                        self.check_deletion(example)
                        continue
                    status, body = self.run_example(example)
                    self.assertEqual(status, 206 if " -r " in example else 200, body)
                    seen |= self.follow_up(example, body)
            self.assertEqual(seen, {"stored", "copied", "transformed", "appended", "renamed", "uploaded", "completed"})

    def check_deletion(self, example):
        status, body = self.run_example(example)
        self.assertEqual(status, 200, body)
        self.cluster.put("music", "song.flac", CONTENT)  # the rows below need it

    # What later examples refer to, and what this one has done.
    def follow_up(self, example, body):
        if "mpt-upload" in example:
            self.variables["ID"] = body.decode()
            self.variables["H"] = ""
            return {"uploaded"}
        if "mpt-complete" in example:
            self.assertEqual(self.cluster.read("music", "song.flac"), 2 * CONTENT)
            status, answer = self.run_example("""curl -L --json '{"action":"mpt-upload"}' $U""")  # for the row that gives one up
            self.assertEqual(status, 200, answer)
            self.variables["ID"] = answer.decode()
            return {"completed"}
        if "append_type=append" in example:
            self.variables["H"] = self.handle()
            return set()
        if "append_type=flush" in example:
            self.assertEqual(self.cluster.read("music", "song.flac"), 2 * CONTENT)
            self.variables["H"] = ""
            return {"appended"}
        if "rename-obj" in example:
            self.assertEqual(self.cluster.read("music", "tune.flac"), 2 * CONTENT)
            self.assertNotIn("song.flac", self.cluster.list("music"))
            self.cluster.put("music", "song.flac", CONTENT)  # the rows below need it
            return {"renamed"}
        if "object_to" in example:
            self.assertEqual(self.cluster.read("music", "copy.flac"), CONTENT)
            return {"copied"}
        if "etl_name" in example:
            self.assertEqual(body, CONTENT.upper())
            return {"transformed"}
        if example.startswith("curl -L -T song.flac $U"):
            self.assertEqual(self.cluster.read("music", "song.flac"), CONTENT)
            return {"stored"}
        return set()


if __name__ == "__main__":
    unittest.main()
