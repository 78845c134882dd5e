"""A cluster that speaks https, between its nodes and to its clients."""
import os
import pathlib
import shutil
import ssl
import subprocess
import sys
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from case import BINARY, Cluster, wait_for  # noqa: E402
from certificates import Authority, encrypt  # noqa: E402
from tokens import GuardedCase  # noqa: E402


# A server that fetches the object from its target, as AIStore's do.
PULLER = """
import http.server, os, urllib.request
class Puller(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        is_asked = self.path != "/health"
        body = urllib.request.urlopen(os.environ["AIS_TARGET_URL"] + self.path).read().upper() if is_asked else b""
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Puller).serve_forever()
"""


class Tls(GuardedCase):
    @classmethod
    def start(cls):
        cls.authority = Authority(BINARY)
        cls.addClassCleanup(shutil.rmtree, cls.authority.folder)
        encrypt(cls.cluster, cls.authority)
        super().start()

    def curl(self, *words, code=0):
        bearer = ["-H", f"Authorization: Bearer {self.cluster.token}"]
        done = subprocess.run(["curl", "-sSL", "--max-time", "60", *bearer, *words], capture_output=True, timeout=120, check=False)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stdout

    def test_every_node_says_https(self):
        for node in self.cluster.nodes:
            self.assertTrue((node.dir / "endpoint").read_text().startswith("https://"))
        for target in self.cluster.get("/v1/cluster")["targets"]:
            self.assertTrue(target["endpoint"].startswith("https://"), target)
        smap = self.cluster.get("/v1/daemon?what=smap")
        self.assertTrue(all(node["public_net"]["direct_url"].startswith("https://") for node in smap["tmap"].values()), smap)

    def test_jobs_whose_results_move_and_redirects_work(self):
        self.cluster.create_bucket("secure-in")
        contents = {f"o{i}": os.urandom(i * 5000) for i in range(40)}
        for name, content in contents.items():
            self.cluster.put("secure-in", name, content)
        request = {"operation": "copy", "source": "ais://secure-in", "destination": "ais://secure-out", "prepend": "moved/"}
        job = self.cluster.call("POST", "/v1/jobs", request)["id"]
        self.assertEqual(self.cluster.wait_job(job)["state"], "completed")
        for name, content in contents.items():
            url = f"{self.cluster.url}/v1/objects/secure-out/moved/{name}"
            self.assertEqual(self.curl("--cacert", str(self.authority.certificate), url), content, name)
        self.cluster.put("secure-in", "text", b"hello")
        self.assertEqual(self.cluster.run("get", "ais://secure-in/text", "-o", "-"), (0, "hello", ""))
        self.assertEqual(self.cluster.run("job", "verify", job)[0], 0)

    def test_servers_of_transforms_find_their_target(self):
        self.cluster.create_bucket("pulled")
        self.cluster.put("pulled", "o", b"hello")
        for sandbox in ("on", {"network": True}, "off"):
            with self.subTest(sandbox=sandbox):
                name = "puller-" + (sandbox if isinstance(sandbox, str) else "net")
                self.cluster.add_transform({"name": name, "command": ["/usr/bin/python3", "-c", PULLER], "communication": "hpull://", "listen": "tcp",
                                            "sandbox": sandbox, "init_timeout": "30s"})
                self.assertEqual(self.cluster.read("pulled", "o", f"&etl_name={name}"), b"HELLO")

    def test_a_client_believes_only_the_authority(self):
        self.curl(f"{self.cluster.url}/health", code=60)
        other = Authority(BINARY)
        self.addCleanup(shutil.rmtree, other.folder)
        with unittest.mock.patch.object(self.cluster, "authority", other.certificate):
            status, _, said = self.cluster.run("cluster", "show")
        self.assertEqual(status, 5)
        self.assertIn("signed by an authority that is not known here", said)

    def test_plain_http_is_refused_and_said(self):
        self.assertIn(b"this port speaks https", self.curl(f"http://{self.cluster.proxy.endpoint()}/health"))

    def test_a_certificate_is_exchanged_while_all_goes_on(self):
        name = self.cluster.targets[0].name
        for ending in ("pem", "key"):
            (self.authority.folder / f"{name}.{ending}").rename(self.authority.folder / f"old-{name}.{ending}")
        self.authority.issue(name)
        host, port = self.cluster.targets[0].endpoint().split(":")
        fresh = (self.authority.folder / f"{name}.pem").read_text()

        def shows_it():
            return ssl.get_server_certificate((host, int(port)), ca_certs=str(self.authority.certificate)).split() == fresh.split()
        wait_for("the new certificate", shows_it)
        self.assertTrue(self.cluster.is_ready())


class Strangers(unittest.TestCase):
    def cluster_with(self, odd):
        """One of whose two targets has another certificate."""
        authority = Authority(BINARY)
        self.addCleanup(shutil.rmtree, authority.folder)
        cluster = Cluster(BINARY, targets=2)
        self.addCleanup(cluster.close)
        target = cluster.targets.pop()
        encrypt(cluster, authority)
        cluster.start()
        target.config.write_text(target.config.read_text() + "".join(f"{k}: {v}\n" for k, v in odd(authority, target).items()))
        target.start()
        self.addCleanup(target.stop)
        wait_for("it to join", lambda: len([t for t in cluster.get("/v1/cluster")["targets"] if t["online"]]) == 2)
        return cluster, target

    def test_a_target_with_a_certificate_of_another_authority_is_not_believed(self):
        def of_another(authority, target):
            other = Authority(BINARY)
            self.addCleanup(shutil.rmtree, other.folder)
            return {**other.issue(target.name), "tls_ca": authority.certificate}
        cluster, target = self.cluster_with(of_another)
        cluster.create_bucket("photos")
        status, _, said = cluster.run("ls", "ais://photos")
        self.assertNotEqual(status, 0)
        self.assertIn("authority that is not known here", said)

    def test_half_of_a_pair_is_refused_at_the_start(self):
        cluster = Cluster(BINARY, targets=0, proxy_settings={"tls_certificate": "/nowhere.pem"})
        self.addCleanup(cluster.close)
        done = subprocess.run([BINARY, "proxy", "--config", str(cluster.proxy.config)], capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 2)
        self.assertIn("go together", done.stderr)


if __name__ == "__main__":
    unittest.main()
