"""init_class through the SDK: a class from a script becomes a container on each target, inline and in a job."""
import os
import pathlib
import subprocess
import sys
import unittest

from sdk_case import SdkCase, also_install, containers

OBJECTS = {"first": "Grüße, Zoë\n", "second": "日本語\n", "third ü?#": "ascii\n"}


class InitClass(SdkCase):
    @classmethod
    def setUpClass(cls):
        cls.image = containers.runtime_python_image()
        cls.target_settings = {"container_engine": containers.engine()}
        super().setUpClass()
        cls.source = cls.client.bucket("notes").create()
        for name, text in OBJECTS.items():
            cls.cluster.put("notes", name, text.encode())

    def run_notebook(self, *arguments):
        script = pathlib.Path(__file__).with_name("notebook.py")
        environment = {**os.environ, "AIS_ENDPOINT": f"http://{self.cluster.proxy.endpoint()}"}
        done = subprocess.run([sys.executable, script, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False)
        self.assertEqual(done.returncode, 0, done.stderr[-3000:])
        return done.stdout

    def test_a_class_is_a_transform(self):
        self.assertEqual(self.run_notebook("notes", "greeted"), "workers 6\nhello world and all|GRüßE, ZOë\njob True 3\n")
        for name, text in OBJECTS.items():
            self.assertEqual(self.read(self.client.bucket("greeted"), f"made/{name}"), b"hello world |" + text.encode().upper())
        etl = self.client.etl("notebook-greeting")
        details = etl.view()
        self.assertEqual((details.init_msg.communication, details.init_msg.runtime.image), ("hpull://", self.image.removeprefix("docker.io/")))
        self.assertIn("WHO", [variable.name for variable in details.init_msg.runtime.env])
        etl.stop()
        etl.delete()

    def test_a_dependency_is_installed_where_the_class_starts(self):
        also_install("Unidecode")
        from unidecode import unidecode

        self.assertEqual(self.run_notebook("notes", "in-ascii", "Unidecode"), "workers 6\nGrusse, Zoe\njob True 3\n")
        for name, text in OBJECTS.items():
            self.assertEqual(self.read(self.client.bucket("in-ascii"), f"made/{name}"), unidecode(text).encode(), name)
        with self.client.etl("notebook-ascii"):
            pass  # stopped and deleted at its end
        self.assertNotIn("notebook-ascii", [e.id for e in self.client.cluster().list_etls(stages=["Running", "Aborted"])])


if __name__ == "__main__":
    unittest.main()
