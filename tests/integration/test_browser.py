"""A real browser: what pages of others cannot do to a cluster that asks for no token, and what a user can with everything on."""
import http.server
import pathlib
import sys
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from browser import Browser  # noqa: E402
from case import ClusterCase  # noqa: E402
from network import NetworkCase  # noqa: E402

# What a script of a page may try; "sent" is that the browser let it go without letting the page see the answer.
FETCH = """
const [url, options] = arguments;
return fetch(url, options).then(async answer => answer.type == "opaque" ? "sent" : answer.status + " " + await answer.text(), refused => String(refused));
"""
FORM = """
const [url, type, text] = arguments;
const form = document.createElement("form");
Object.assign(form, {method: "POST", action: url, enctype: type});
const [name, value] = text;
form.append(Object.assign(document.createElement("input"), {name: name, value: value}));
document.body.append(form);
form.submit();
"""


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<body>a page of somebody</body>")

    def log_message(self, *_):
        pass


class ForeignPage(ClusterCase):
    targets = 1

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        site = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
        cls.addClassCleanup(site.server_close)
        cls.addClassCleanup(site.shutdown)
        threading.Thread(target=site.serve_forever, daemon=True).start()
        cls.site = f"http://localhost:{site.server_port}/"
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.close)
        cls.cluster.create_bucket("dear")
        cls.cluster.put("dear", "object", b"a secret")

    def setUp(self):
        self.browser.go(self.site)
        self.nodes = [f"http://{node.endpoint()}" for node in self.cluster.nodes]

    def fetch(self, url, **options):
        return self.browser.run(FETCH, url, options)

    def test_it_reads_nothing(self):
        for node in self.nodes:
            for path in ("/v1/cluster", "/v1/objects/dear/object", "/v1/transforms", "/metrics"):
                self.assertIn("Failed to fetch", self.fetch(node + path))
                self.fetch(node + path, mode="no-cors")

    def test_it_changes_nothing(self):
        job = '{"operation":"delete","source":"ais://dear"}'
        for node in self.nodes:
            for path in ("/v1/jobs", "/v1/objects/dear/object"):
                self.fetch(node + path, method="POST", body=job, mode="no-cors", headers={"Content-Type": "text/plain"})
                self.fetch(node + path, method="POST", body=job, headers={"Content-Type": "application/json"})
            self.fetch(node + "/v1/objects/dear/object", method="DELETE")
            self.fetch(node + "/v1/objects/dear/object", method="PUT", body="spoiled")
            for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
                self.browser.go(self.site)
                self.browser.run(FORM, node + "/v1/jobs", kind, ['{"operation":"delete","source":"ais://dear","x":"', '"}'])
        for node in self.cluster.nodes:  # it was not the browser alone that refused
            self.assertIn("web page", node.log.read_text())
        self.assertEqual(self.cluster.get("/v1/jobs"), [])
        self.assertEqual(self.cluster.read("dear", "object"), b"a secret")

    def test_pages_of_its_own_work(self):
        for node in self.nodes:
            self.browser.go(node + "/metrics")
            self.assertIn("millrace_", self.browser.text())
        self.browser.go(self.nodes[0] + "/health")
        path = "/v1/objects/dear/by-hand?redirect=no"
        self.assertTrue(self.fetch(path, method="PUT", body="typed").startswith("200"))
        self.assertEqual(self.fetch(path), "200 typed")


class EverythingOn(NetworkCase):
    def test_a_page_of_its_own_works_with_a_token(self):
        browser = Browser(self.authority.certificate)
        self.addCleanup(browser.close)
        self.cluster.create_bucket("shown")
        for i in range(8):
            self.cluster.put("shown", f"o{i}", b"content %d" % i)
        browser.go(f"{self.cluster.url}/health")
        self.assertIn("401", browser.run(FETCH, "/v1/buckets", {}))
        bearer = {"headers": {"Authorization": f"Bearer {self.cluster.token}"}}
        self.assertIn("shown", browser.run(FETCH, "/v1/buckets", bearer))
        for i in range(8):
            self.assertEqual(browser.run(FETCH, f"/v1/objects/shown/o{i}?redirect=no", bearer), f"200 content {i}")
        done = browser.run(FETCH, "/v1/objects/shown/made?redirect=no", {"method": "PUT", "body": "by hand", **bearer})
        self.assertTrue(done.startswith("200"), done)
        self.assertEqual(self.cluster.read("shown", "made"), b"by hand")

    def test_without_the_authority_it_warns(self):
        browser = Browser()
        self.addCleanup(browser.close)
        browser.go(f"{self.cluster.url}/health")
        self.assertIn("ERR_CERT_AUTHORITY_INVALID", browser.text())


if __name__ == "__main__":
    unittest.main()
