"""A registry of images on this machine, which counts what it is asked for; podman really pulls from it."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.kit.podman import IMAGE

__all__ = ["Registry"]


class Registry:
    """Serves one image, under any name that begins with `there`, as the distribution specification of OCI says.

    Args:
        folder: for the image, and for a configuration that lets podman do without encryption.
        slowly: seconds that it takes for a manifest, so that whoever pulls at the same time is seen.

    Attributes:
        location: what the names of its images begin with.
        asked: how often it was asked for the manifest of an image.
        at_once: the most that asked for one at a time.
    """

    def __init__(self, folder: Path, slowly: float = 0.0) -> None:
        self._slowly = slowly
        self._lock = threading.Lock()
        self._asking = 0
        self._layout = folder / "oci"
        self._configuration = folder / "registries.conf"
        self.asked: Counter[str] = Counter()
        self.at_once = 0
        saved = ["podman", "push", "--quiet", IMAGE, f"oci:{self._layout}:latest"]
        subprocess.run(saved, check=True, capture_output=True, timeout=120)
        (manifest,) = json.loads((self._layout / "index.json").read_text())["manifests"]
        self._manifest, self._kind = manifest["digest"], manifest["mediaType"]
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        location = f"127.0.0.1:{self._server.server_port}"
        self._configuration.write_text(f'[[registry]]\nlocation = "{location}"\ninsecure = true\n')
        self.location = location

    @property
    def environment(self) -> dict[str, str]:
        """What lets podman ask it."""
        return {"CONTAINERS_REGISTRIES_CONF": str(self._configuration)}

    def answer(self, path: str) -> tuple[int, str, bytes]:
        """Return status, type and content for a path."""
        parts = path.strip("/").split("/")
        if parts == ["v2"]:
            return 200, "application/json", b"{}"
        name, kind, what = parts[1], parts[-2], parts[-1]
        if kind != "manifests":
            return 200, "application/octet-stream", self._blob(what)
        with self._lock:
            self.asked[name] += 1
            self._asking += 1
            self.at_once = max(self.at_once, self._asking)
        time.sleep(self._slowly)  # as a registry far away does
        with self._lock:
            self._asking -= 1
        if not name.startswith("there"):
            return 404, "application/json", b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'
        return 200, self._kind, self._blob(self._manifest)

    def _blob(self, digest: str) -> bytes:
        return (self._layout / "blobs" / digest.replace(":", "/")).read_bytes()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        registry = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                status, kind, content = registry.answer(self.path)
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                if kind == registry._kind:
                    self.send_header("Docker-Content-Digest", registry._manifest)
                self.end_headers()
                if self.command == "GET":
                    self.wfile.write(content)

            def do_HEAD(self) -> None:
                self.do_GET()

            def log_message(self, *_: Any) -> None:
                pass

        return Handler

    def __enter__(self) -> Self:
        """Serve within the block."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
