"""AIStore's servers work on one object at a time in each worker: one that kills or blocks its worker takes no other with it."""
import pathlib
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import ClusterCase  # noqa: E402

FAULTY_WORKER = """
import os, time
from aistore.sdk.etl.webserver.fastapi_server import FastAPIServer
from aistore.sdk.etl.webserver.flask_server import FlaskServer
def faulty(framework):
    class Server(framework):
        def transform(self, data, _path, _args):
            if data == b"die": os._exit(1)
            if data == b"hang": time.sleep(3600)
            return data.upper()
    return Server().app
"""
GOOD = {f"object{i:03}": b"content %d" % i for i in range(40)}
GUILTY = "object010-guilty"


class Workers(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        files = {"/code/fast.py": f"{FAULTY_WORKER}app = faulty(FastAPIServer)\n", "/code/flask_one.py": f"{FAULTY_WORKER}app = faulty(FlaskServer)\n"}
        cls.image = containers.image_from("faulty-workers", files, ["/usr/bin/python3"], base=containers.aistore_image())
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()

    def check(self, framework, fault, workers, row):
        command = {"fastapi": ["uvicorn", "fast:app", "--host", "0.0.0.0", "--port", "8000"], "flask": ["gunicorn", "flask_one:app", "--bind", "0.0.0.0:8000"]}
        name = f"{framework}-{fault}"
        self.cluster.add_transform({"name": name, "init_timeout": "2m", "obj_timeout": "3s", "concurrency": {"min": 8}, "runtime": {
            "image": self.image, "command": ["/usr/bin/python3", "-m", *command[framework], "--workers", str(workers)]}})
        self.cluster.create_bucket(name)
        for object_name, content in {**GOOD, GUILTY: fault.encode()}.items():
            self.cluster.put(name, object_name, content)
        job = self.cluster.submit(name, name, f"{name}-out", attempts=2)
        self.cluster.wait_job(job, seconds=120)
        rows = [(row["object"].rsplit("/", 1)[1], row["class"], row["code"]) for row in self.cluster.errors(job)]
        self.assertEqual(rows, [(GUILTY, *row)])
        self.assertEqual(self.cluster.list(f"{name}-out"), sorted(GOOD))
        status = self.cluster.get(f"/v1/transforms/{name}")["targets"][0]
        self.cluster.call("DELETE", f"/v1/transforms/{name}")
        return status

    def test_a_worker_that_dies(self):
        for framework in ("fastapi", "flask"):
            with self.subTest(framework=framework):
                self.check(framework, "die", 2, ("quarantined", "crashed"))

    def test_the_only_worker_hangs(self):
        status = self.check("fastapi", "hang", 1, ("failed", "timed_out"))
        self.assertGreater(status["restarts"], 0)
        self.assertIn("stuck", status["last_death"])


if __name__ == "__main__":
    unittest.main()
