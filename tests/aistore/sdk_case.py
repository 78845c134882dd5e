"""What every test of the AIStore SDK starts from: the published package in a virtual environment of its own, and a cluster.

The package comes from the Python registry into build/containers. Where it cannot, the test says so and counts as skipped.
A module that imports this one first runs in that environment, whatever started it.
"""
import os
import pathlib
import sys
import unittest
from unittest import mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
import containers  # noqa: E402
from case import SUPPORT, ClusterCase, wait_for  # noqa: E402,F401

DEBIAN_PYTHON = "/usr/lib/python3/dist-packages"  # where python3-torch is
SKIPPED = 77  # the exit status that ctest counts as skipped


def enter_environment():
    try:
        environment = containers.aistore_venv()
    except unittest.SkipTest as reason:
        print(f"skipped: {reason}", flush=True)
        sys.exit(SKIPPED)
    if pathlib.Path(sys.prefix).resolve() != environment.resolve():
        python = str(environment / "bin/python")
        os.execv(python, [python, *sys.orig_argv[1:]])


enter_environment()

from aistore.sdk import Client  # noqa: E402


# The SDK's own wait looks once in about five seconds; the tests' jobs take less.
mock.patch("aistore.sdk.job.probing_frequency", lambda _timeout: 0.1).start()

NAMES = ["plain", "a/b/c.txt", "with space", "what?", "sharp#", "100%", "100%25", "a+b&c=d", "grüße/naïve.txt", "日本語.bin",
         "semi;colon,comma", "quote'\"", "back\\slash", "[brackets]{braces}"]


class SdkCase(ClusterCase):
    """One cluster for the class, and a client of it."""
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.client = cls.new_client()

    @classmethod
    def new_client(cls, **more):
        return Client(f"http://{cls.cluster.proxy.endpoint()}", **more)

    def new_bucket(self, name, objects=()):
        """A bucket with objects: names, whose content says which they are, or {name: content}."""
        bucket = self.client.bucket(name).create()
        contents = objects if isinstance(objects, dict) else {n: content_of(n) for n in objects}
        for object_name, content in contents.items():
            self.cluster.put(name, object_name, content)
        return bucket

    def read(self, bucket, name, **more):
        return bucket.object(name).get_reader(**more).read_all()

    def names(self, bucket, **more):
        return [entry.name for entry in bucket.list_all_objects(**more)]

    def wait(self, job_id, kind="", seconds=60):
        """Waits for a job as the SDK does, and gives its WaitResult."""
        self.assertTrue(job_id, "the job has an id")
        return self.client.job(job_id, kind).wait(timeout=seconds, verbose=False)

    def assert_done(self, job_id, kind="", seconds=60):
        result = self.wait(job_id, kind, seconds)
        self.assertTrue(result.success, result)
        return result

    def assert_error(self, kind, status, call, *arguments, **more):
        """The SDK raises exactly this error, with this status; gives its message."""
        with self.assertRaises(kind) as caught:
            call(*arguments, **more)
        self.assertEqual((type(caught.exception), caught.exception.status_code), (kind, status), caught.exception)
        return caught.exception.message


def owner_of(made):
    """The id of the target that has the object: its location begins with t[ID]."""
    return made.props.location.partition("[")[2].partition("]")[0]


def content_of(name):
    return f"content of {name}\n".encode()


def also_install(*requirements):
    """Makes more packages of the registry importable."""
    folder = str(containers.beside_aistore(*requirements))
    if folder not in sys.path:
        sys.path.append(folder)


def training_packages():
    """What aistore.pytorch imports besides PyTorch."""
    also_install("alive-progress==3.3.0", "about-time==4.2.1", "graphemeu==0.7.2")
