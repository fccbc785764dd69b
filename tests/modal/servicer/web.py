"""The HTTP side: uploads and downloads of blobs, volume files and volume blocks."""

import asyncio
import hashlib
from collections import Counter
from pathlib import Path

from aiohttp import web

from .faults import Faults
from .state import new_id
from .volumes import VolumeStore

LARGEST_UPLOAD = 1024**3
CHUNK = 64 * 1024


class Files:
    """The files behind the ids."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self.urls = {"client": "", "container": ""}
        for name in ("blobs", "blocks", "shipped"):
            (root / name).mkdir(parents=True, exist_ok=True)

    def url(self, side: str) -> str:
        """Where a client, or a container, finds the files."""
        return self.urls[side]

    def blob(self, blob_id: str) -> Path:
        return self._root / "blobs" / Path(blob_id).name

    def block(self, sha256_hex: str) -> Path:
        return self._root / "blocks" / Path(sha256_hex).name

    def shipped(self, sha256_hex: str) -> Path:
        """A file that a client sent with a mount."""
        return self._root / "shipped" / Path(sha256_hex).name

    def store(self, data: bytes) -> str:
        blob_id = new_id("bl")
        self.blob(blob_id).write_bytes(data)
        return blob_id

    def load(self, blob_id: str) -> bytes:
        return self.blob(blob_id).read_bytes()


class Web:
    """The handlers."""

    def __init__(self, files: Files, volumes: VolumeStore, faults: Faults) -> None:
        self._files = files
        self._volumes = volumes
        self._faults = faults
        self.counts: Counter[str] = Counter()

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_UPLOAD)
        app.router.add_put("/blobs/{id}", self._put_blob)
        app.router.add_get("/blobs/{id}", self._get_blob)
        app.router.add_put("/blocks/{id}", self._put_block)
        app.router.add_get("/volumes/{id}/{path:.*}", self._get_volume_file)
        return app

    async def _misbehave(self, request: web.Request) -> None:
        name = f"HTTP.{request.method}"
        self.counts[name] += 1
        for rule in self._faults.take(name, "client"):
            if rule.kind == "delay":
                await asyncio.sleep(rule.seconds)
            elif rule.kind == "fail":
                raise web.HTTPInternalServerError(text=rule.message)
            else:
                await asyncio.sleep(3600)

    async def _put_blob(self, request: web.Request) -> web.Response:
        await self._misbehave(request)
        data = await request.read()
        self._files.blob(request.match_info["id"]).write_bytes(data)
        digest = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return web.Response(headers={"ETag": f'"{digest}"'})

    async def _put_block(self, request: web.Request) -> web.Response:
        await self._misbehave(request)
        self._files.block(request.match_info["id"]).write_bytes(await request.read())
        return web.Response(body=b"kept")

    async def _get_blob(self, request: web.Request) -> web.StreamResponse:
        await self._misbehave(request)
        path = self._files.blob(request.match_info["id"])
        return await self._send(request, path, 0, path.stat().st_size)

    async def _get_volume_file(self, request: web.Request) -> web.StreamResponse:
        await self._misbehave(request)
        path = self._volumes.path(request.match_info["id"], request.match_info["path"])
        start, length = int(request.query["start"]), int(request.query["len"])
        return await self._send(request, path, start, length)

    async def _send(
        self, request: web.Request, path: Path, start: int, length: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(length)})
        await response.prepare(request)
        with path.open("rb") as source:
            source.seek(start)
            try:
                while length > 0 and (chunk := source.read(min(CHUNK, length))):
                    length -= len(chunk)
                    await response.write(chunk)
                    if self._faults.download_bytes_per_s:
                        await asyncio.sleep(len(chunk) / self._faults.download_bytes_per_s)
                await response.write_eof()
            except ConnectionResetError:
                pass  # Who asked is gone, as tests want it.
        return response
