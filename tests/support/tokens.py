"""A cluster that asks for tokens, and tokens for it, made with the command as an operator would."""
import pathlib
import shutil
import subprocess
import tempfile
import unittest

from case import BINARY
from cluster import Cluster


class Keys:
    def __init__(self, binary):
        self.binary = str(binary)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-keys-"))
        self.command("auth", "init", self.folder)
        self.signing, self.public = self.folder / "signing.pem", self.folder / "auth.pem"

    def command(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=True).stdout

    def issue(self, *grants, subject="alice", expires="1h"):
        words = [word for grant in grants for word in ("--grant", grant)]
        return self.command("auth", "issue", "--key", self.signing, "--subject", subject, "--expires", expires, *words).strip()


def guarded_cluster(binary, keys, targets=3, **settings):
    """Not started; its own requests are those of an administrator."""
    settings = {"auth_key": keys.public, **settings}
    cluster = Cluster(binary, targets=targets, proxy_settings=settings, target_settings=settings)
    cluster.token = keys.issue("admin", subject="root")
    return cluster


class GuardedCase(unittest.TestCase):
    """One such cluster for all tests of the class."""
    @classmethod
    def setUpClass(cls):
        cls.keys = Keys(BINARY)
        cls.addClassCleanup(shutil.rmtree, cls.keys.folder)
        cls.cluster = guarded_cluster(BINARY, cls.keys)
        cls.addClassCleanup(cls.cluster.close)
        cls.start()

    @classmethod
    def start(cls):
        cls.cluster.start()
