"""A cluster that speaks https, with certificates made with the command as an operator would."""
import pathlib
import subprocess
import tempfile


class Authority:
    def __init__(self, binary):
        self.binary = str(binary)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-ca-"))
        self.certificate = self.folder / "ca.pem"
        self.command("ca", "init", self.folder)

    def command(self, *arguments):
        return subprocess.run([self.binary, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=True).stdout

    def issue(self, name, host="127.0.0.1"):
        """The keys of a node's configuration."""
        self.command("ca", "issue", self.folder, name, "--host", host)
        return {"tls_certificate": self.folder / f"{name}.pem", "tls_key": self.folder / f"{name}.key", "tls_ca": self.certificate}


def encrypt(cluster, authority):
    """Of a cluster that is not started: each node gets a certificate of its own."""
    for node in cluster.nodes:
        node.config.write_text(node.config.read_text() + "".join(f"{key}: {value}\n" for key, value in authority.issue(node.name).items()))
    cluster.authority = authority.certificate
