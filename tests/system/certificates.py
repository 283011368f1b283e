"""Certificates for tests, made by the openssl command: an authority, and whoever it vouches for."""

import ssl
import subprocess


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True, stdin=subprocess.DEVNULL)


class Certificate:
    """NAME.crt and NAME.key in a folder."""

    def __init__(self, folder, name):
        self.cert, self.key = folder / f"{name}.crt", folder / f"{name}.key"

    def text(self):
        return self.cert.read_text(), self.key.read_text()


class Authority(Certificate):
    """Signs with keys on P-256, which are made in no time."""

    def __init__(self, folder, name="ca"):
        super().__init__(folder, name)
        self.folder = folder
        openssl(
            *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 3),
            *("-subj", f"/CN={name}", "-keyout", self.key, "-out", self.cert),
        )

    def issue(self, name, san="DNS:localhost,IP:127.0.0.1", days=3):
        made = Certificate(self.folder, name)
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"subjectAltName={san}\nbasicConstraints=critical,CA:FALSE\n")
        openssl(
            *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}"),
            *("-keyout", made.key, "-out", request),
        )
        openssl(
            *("x509", "-req", "-in", request, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-days", days),
            *("-extfile", extensions, "-out", made.cert),
        )
        return made

    def client_context(self, shows=None):
        """Trusts this authority, and shows a certificate."""
        context = ssl.create_default_context(cafile=str(self.cert))
        if shows:
            context.load_cert_chain(shows.cert, shows.key)
        return context
