"""A real browser: Debian's Chromium without a window, driven by the WebDriver protocol (w3.org/TR/webdriver2)."""
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import unittest

# No window, none of its own calls to the world, and as root, which its own sandbox does not do.
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]


class Browser:
    """Believes the certificate of an authority, if one is given."""

    def __init__(self, authority=None):
        if not shutil.which("chromedriver"):
            raise unittest.SkipTest("there is no chromedriver here")
        self.home = pathlib.Path(tempfile.mkdtemp(prefix="millrace-browser-"))
        if authority:
            self.believe(authority)
        self.driver = subprocess.Popen(["chromedriver", "--port=0"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                       env={**os.environ, "HOME": str(self.home)})
        self.session = None
        try:
            self.port = next(int(found[1]) for line in self.driver.stdout if (found := re.search(r"successfully on port (\d+)", line)))
            options = {"args": [*FLAGS, f"--user-data-dir={self.home / 'profile'}"]}
            self.session = self.ask("POST", "", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})["sessionId"]
        except BaseException:
            self.close()
            raise

    def believe(self, authority):
        store = self.home / ".pki/nssdb"
        store.mkdir(parents=True)
        for words in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "authority", "-i", str(authority)]):
            subprocess.run(["certutil", "-d", f"sql:{store}", *words], check=True, timeout=60)

    def ask(self, method, path, document=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, f"/session{'/' + self.session if self.session else ''}{path}", json.dumps(document) if document is not None else None)
            value = json.loads(connection.getresponse().read())["value"]
        finally:
            connection.close()
        if isinstance(value, dict) and "error" in value:
            raise RuntimeError(f"{value['error']}: {value['message']}")
        return value

    def go(self, url):
        self.ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        """What the script's promise gives, in the page that is shown."""
        return self.ask("POST", "/execute/sync", {"script": script, "args": arguments})

    def text(self):
        return self.run("return document.body.innerText")

    def close(self):
        try:
            if self.session:
                self.ask("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(30)
            self.driver.stdout.close()
            shutil.rmtree(self.home, ignore_errors=True)
