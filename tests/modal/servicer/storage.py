# ruff: noqa: N802  The methods bear the names of the RPCs.
"""Secrets, mounts, Dicts, volumes and blobs."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

from google.protobuf.empty_pb2 import Empty
from grpclib import GRPCError, Status
from modal_proto import api_pb2

from .rpc import Caller
from .state import State, Volume, deterministic_id, new_id, not_found
from .volumes import VolumeStore
from .web import Files

BLOCK_SIZE = 8 * 1024 * 1024

CREATION_TYPES = frozenset(
    {
        api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING,
        api_pb2.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS,
        api_pb2.OBJECT_CREATION_TYPE_CREATE_OVERWRITE_IF_EXISTS,
        api_pb2.OBJECT_CREATION_TYPE_ANONYMOUS_OWNED_BY_APP,
        api_pb2.OBJECT_CREATION_TYPE_EPHEMERAL,
    }
)


def _check_free(what: str, name: str, creation_type: int, *, exists: bool) -> None:
    if exists and creation_type == api_pb2.OBJECT_CREATION_TYPE_CREATE_FAIL_IF_EXISTS:
        raise GRPCError(Status.ALREADY_EXISTS, f"{what} {name!r} exists")
    if not exists and creation_type not in CREATION_TYPES:
        raise not_found(what, name)


class StorageRpcs:
    """The methods of everything that holds data."""

    def __init__(self, state: State, files: Files, volumes: VolumeStore) -> None:
        self._state = state
        self._files = files
        self._volumes = volumes

    # Secrets and mounts.

    async def SecretGetOrCreate(self, request: api_pb2.SecretGetOrCreateRequest, caller: Caller):
        name = request.deployment_name
        secret_id = deterministic_id("st", name) if name else new_id("st")
        kind = request.object_creation_type
        _check_free("Secret", name, kind, exists=secret_id in self._state.secrets)
        kept = kind == api_pb2.OBJECT_CREATION_TYPE_CREATE_IF_MISSING
        if kind in CREATION_TYPES and not (kept and secret_id in self._state.secrets):
            self._state.secrets[secret_id] = dict(request.env_dict)
            self._state.secret_names[secret_id] = name
        missing = set(request.required_keys) - self._state.secrets[secret_id].keys()
        if missing:
            raise not_found("Secret key", min(missing))
        metadata = api_pb2.SecretMetadata(name=name, keys=self._state.secrets[secret_id])
        return api_pb2.SecretGetOrCreateResponse(secret_id=secret_id, metadata=metadata)

    async def MountGetOrCreate(self, request: api_pb2.MountGetOrCreateRequest, caller: Caller):
        shipped = {file.filename: file.sha256_hex for file in request.files}
        listing = "\n".join(f"{name} {digest}" for name, digest in sorted(shipped.items()))
        mount_id = deterministic_id("mo", request.deployment_name, listing)
        self._state.mounts[mount_id] = shipped
        return api_pb2.MountGetOrCreateResponse(mount_id=mount_id)

    async def MountBatchedCheckExistence(
        self, request: api_pb2.MountBatchedCheckExistenceRequest, caller: Caller
    ):
        missing = [h for h in request.sha256_hex_hashes if not self._files.shipped(h).exists()]
        return api_pb2.MountBatchedCheckExistenceResponse(missing_sha256_hex_hashes=missing)

    async def MountPutFile(self, request: api_pb2.MountPutFileRequest, caller: Caller):
        path = self._files.shipped(request.sha256_hex)
        if request.data_blob_id:
            path.write_bytes(self._files.load(request.data_blob_id))
        elif request.WhichOneof("data_oneof"):  # Else it only asks.
            path.write_bytes(request.data)
        return api_pb2.MountPutFileResponse(exists=path.exists())

    # Blobs.

    async def BlobCreate(self, request: api_pb2.BlobCreateRequest, caller: Caller):
        blob_id = new_id("bl")
        url = f"{self._files.url(caller.side)}/blobs/{blob_id}"
        return api_pb2.BlobCreateResponse(
            blob_ids=[blob_id], upload_urls=api_pb2.UploadUrlList(items=[url])
        )

    async def BlobGet(self, request: api_pb2.BlobGetRequest, caller: Caller):
        if not self._files.blob(request.blob_id).exists():
            raise not_found("Blob", request.blob_id)
        return api_pb2.BlobGetResponse(
            download_url=f"{self._files.url(caller.side)}/blobs/{request.blob_id}"
        )

    # Dicts.

    def _dict(self, dict_id: str) -> dict[bytes, bytes]:
        if dict_id not in self._state.dicts:
            raise not_found("Dict", dict_id)
        return self._state.dicts[dict_id]

    async def DictGetOrCreate(self, request: api_pb2.DictGetOrCreateRequest, caller: Caller):
        name = request.deployment_name
        dict_id = deterministic_id("di", name) if name else new_id("di")
        kind = request.object_creation_type
        _check_free("Dict", name, kind, exists=dict_id in self._state.dicts)
        self._state.dicts.setdefault(dict_id, {})
        self._state.dict_names[dict_id] = name
        metadata = api_pb2.DictMetadata(name=name)
        return api_pb2.DictGetOrCreateResponse(dict_id=dict_id, metadata=metadata)

    async def DictHeartbeat(self, request: api_pb2.DictHeartbeatRequest, caller: Caller):
        return Empty()

    async def DictUpdate(self, request: api_pb2.DictUpdateRequest, caller: Caller):
        entries = self._dict(request.dict_id)
        created = False
        for update in request.updates:
            if request.if_not_exists and update.key in entries:
                continue
            entries[update.key] = update.value
            created = True
        return api_pb2.DictUpdateResponse(created=created)

    async def DictGet(self, request: api_pb2.DictGetRequest, caller: Caller):
        value = self._dict(request.dict_id).get(request.key)
        return api_pb2.DictGetResponse(found=value is not None, value=value)

    async def DictPop(self, request: api_pb2.DictPopRequest, caller: Caller):
        value = self._dict(request.dict_id).pop(request.key, None)
        return api_pb2.DictPopResponse(found=value is not None, value=value)

    async def DictContains(self, request: api_pb2.DictContainsRequest, caller: Caller):
        return api_pb2.DictContainsResponse(found=request.key in self._dict(request.dict_id))

    async def DictLen(self, request: api_pb2.DictLenRequest, caller: Caller):
        return api_pb2.DictLenResponse(len=len(self._dict(request.dict_id)))

    async def DictClear(self, request: api_pb2.DictClearRequest, caller: Caller):
        self._dict(request.dict_id).clear()
        return Empty()

    async def DictDelete(self, request: api_pb2.DictDeleteRequest, caller: Caller):
        self._state.dicts.pop(request.dict_id, None)
        return Empty()

    async def DictContents(
        self, request: api_pb2.DictContentsRequest, caller: Caller
    ) -> AsyncIterator[api_pb2.DictEntry]:
        for key, value in list(self._dict(request.dict_id).items()):
            yield api_pb2.DictEntry(key=key, value=value)

    # Volumes.

    async def VolumeGetOrCreate(self, request: api_pb2.VolumeGetOrCreateRequest, caller: Caller):
        name = request.deployment_name
        volume_id = deterministic_id("vo", name) if name else new_id("vo")
        kind = request.object_creation_type
        _check_free("Volume", name, kind, exists=volume_id in self._state.volumes)
        if volume_id not in self._state.volumes:
            version = request.version or api_pb2.VOLUME_FS_VERSION_V1
            self._state.volumes[volume_id] = Volume(volume_id=volume_id, name=name, version=version)
        volume = self._state.volumes[volume_id]
        metadata = api_pb2.VolumeMetadata(version=volume.version, name=name)
        return api_pb2.VolumeGetOrCreateResponse(
            volume_id=volume_id, version=volume.version, metadata=metadata
        )

    async def VolumeHeartbeat(self, request: api_pb2.VolumeHeartbeatRequest, caller: Caller):
        return Empty()

    async def VolumeDelete(self, request: api_pb2.VolumeDeleteRequest, caller: Caller):
        self._state.volumes.pop(request.volume_id, None)
        return Empty()

    async def VolumeCommit(self, request: api_pb2.VolumeCommitRequest, caller: Caller):
        self._volumes.commit(caller.task_id, request.volume_id)
        return api_pb2.VolumeCommitResponse(skip_reload=True)

    async def VolumeReload(self, request: api_pb2.VolumeReloadRequest, caller: Caller):
        if caller.task_id:
            self._volumes.reload(caller.task_id, request.volume_id)
        return Empty()

    async def VolumeGetFile2(self, request: api_pb2.VolumeGetFile2Request, caller: Caller):
        try:
            path = self._volumes.path(request.volume_id, request.path)
            size = path.stat().st_size
        except FileNotFoundError:
            raise not_found("File", request.path) from None
        length = min(request.len or size, size - request.start)
        where = f"volumes/{request.volume_id}/{quote(request.path.lstrip('/'))}"
        base = f"{self._files.url(caller.side)}/{where}"
        urls = []
        at, end = request.start, request.start + length
        while at < end:
            block_end = min(end, (at // BLOCK_SIZE + 1) * BLOCK_SIZE)
            urls.append(f"{base}?start={at}&len={block_end - at}")
            at = block_end
        return api_pb2.VolumeGetFile2Response(
            get_urls=urls, size=size, start=request.start, len=length
        )

    def _entries(self, volume_id: str, name: str, *, recursive: bool) -> list[api_pb2.FileEntry]:
        try:
            found = list(self._volumes.entries(volume_id, name, recursive=recursive))
        except FileNotFoundError:
            raise not_found("File", name) from None
        kinds = api_pb2.FileEntry.FileType
        return [
            api_pb2.FileEntry(
                path=entry,
                type=kinds.DIRECTORY if path.is_dir() else kinds.FILE,
                mtime=int(path.stat().st_mtime),
                size=path.stat().st_size,
            )
            for entry, path in found
        ]

    async def VolumeListFiles(
        self, request: api_pb2.VolumeListFilesRequest, caller: Caller
    ) -> AsyncIterator[api_pb2.VolumeListFilesResponse]:
        entries = self._entries(request.volume_id, request.path, recursive=request.recursive)
        yield api_pb2.VolumeListFilesResponse(entries=entries)

    async def VolumeListFiles2(
        self, request: api_pb2.VolumeListFiles2Request, caller: Caller
    ) -> AsyncIterator[api_pb2.VolumeListFiles2Response]:
        entries = self._entries(request.volume_id, request.path, recursive=request.recursive)
        yield api_pb2.VolumeListFiles2Response(entries=entries)

    def _put(self, volume_id: str, name: str, parts: list[Path], *, keep_existing: bool) -> None:
        target = self._volumes.path(volume_id, name)
        if keep_existing and target.exists():
            raise GRPCError(Status.ALREADY_EXISTS, f"{name!r} exists")
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as sink:
            for part in parts:
                sink.write(part.read_bytes())

    async def VolumePutFiles(self, request: api_pb2.VolumePutFilesRequest, caller: Caller):
        keep = request.disallow_overwrite_existing_files
        for file in request.files:
            parts = [self._files.shipped(file.sha256_hex)]
            self._put(request.volume_id, file.filename, parts, keep_existing=keep)
        return Empty()

    async def VolumePutFiles2(self, request: api_pb2.VolumePutFiles2Request, caller: Caller):
        missing = [
            api_pb2.VolumePutFiles2Response.MissingBlock(
                file_index=i,
                block_index=j,
                put_url=f"{self._files.url(caller.side)}/blocks/{block.contents_sha256.hex()}",
            )
            for i, file in enumerate(request.files)
            for j, block in enumerate(file.blocks)
            if not self._files.block(block.contents_sha256.hex()).exists()
        ]
        if missing:
            return api_pb2.VolumePutFiles2Response(missing_blocks=missing)
        keep = request.disallow_overwrite_existing_files
        for file in request.files:
            parts = [self._files.block(block.contents_sha256.hex()) for block in file.blocks]
            self._put(request.volume_id, file.path, parts, keep_existing=keep)
        return api_pb2.VolumePutFiles2Response()

    def _remove(self, volume_id: str, name: str, *, recursive: bool) -> Empty:
        try:
            found = list(self._volumes.entries(volume_id, name, recursive=recursive))
        except FileNotFoundError:
            raise not_found("File", name) from None
        for _, path in reversed(found):
            path.rmdir() if path.is_dir() else path.unlink()
        return Empty()

    async def VolumeRemoveFile(self, request: api_pb2.VolumeRemoveFileRequest, caller: Caller):
        return self._remove(request.volume_id, request.path, recursive=request.recursive)

    async def VolumeRemoveFile2(self, request: api_pb2.VolumeRemoveFile2Request, caller: Caller):
        return self._remove(request.volume_id, request.path, recursive=request.recursive)
