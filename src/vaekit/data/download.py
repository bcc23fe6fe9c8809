"""Finding the files of a published data set: in ``VAEKIT_DATA_DIR``, in the cache, or by downloading them."""

from __future__ import annotations

import hashlib
import os
import secrets
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from vaekit.data.published import PUBLISHED, PublishedData, PublishedFile, lookup

TIMEOUT = 10.0  # seconds until a mirror that does not answer is given up
CHUNK = 2**18

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class CatalogueEntry:
    """One line of the catalogue.

    ``where`` is "included", "drawn", "VAEKIT_DATA_DIR", "cache" or "not yet downloaded".
    """

    name: str
    title: str
    licence: str
    page: str
    size: int
    where: str
    path: Path | None


def catalogue() -> list[CatalogueEntry]:
    """List the data sets known by name and where each is found; files are looked for, but not read."""
    return [_entry(name, data) for name, data in PUBLISHED.items()]


def fetch(name: str, *, progress: Progress | None = None) -> Path:
    """Return the folder that holds the files of a published data set, all checked, downloading what is missing.

    Looked through in this order: ``$VAEKIT_DATA_DIR/<name>``, if it has all files; the cache (`cache_dir`); then the
    mirrors. A file is downloaded under a temporary name and takes its own only when its SHA-256 is right.
    ``progress`` is called with a file's name, the bytes received and the bytes in all. For a data set that ships
    with scikit-learn the folder is scikit-learn's.

    Raises ``ValueError`` for an unknown name and for data without files, ``OSError`` if a file in ``VAEKIT_DATA_DIR``
    is not the published one or no mirror delivers.
    """
    data = lookup(name)
    if data.drawn:
        raise ValueError(f"{name!r} has no files: it is drawn when it is loaded")
    if not data.files:
        return _included_dir()
    own = _own_dir(name)
    if own is not None and all((own / file.name).is_file() for file in data.files):
        for file in data.files:
            if not _is_intact(own / file.name, file):
                raise OSError(
                    f"{own / file.name} is not the published file of {name!r} (its size or SHA-256 differs); replace "
                    "it, or unset VAEKIT_DATA_DIR to download the data"
                )
        return own
    folder = cache_dir() / name
    mirrors = list(data.mirrors)
    for file in data.files:
        if not _is_intact(folder / file.name, file):
            _download(name, file, folder, mirrors, progress)
    return folder


def cache_dir() -> Path:
    """Return the folder for downloads: ``$VAEKIT_CACHE``, else ``vaekit`` in the platform's folder for caches."""
    if chosen := os.environ.get("VAEKIT_CACHE"):
        return Path(chosen).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "vaekit"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "vaekit"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "vaekit" / "Cache"
    return Path.home() / ".cache" / "vaekit"


def _own_dir(name: str) -> Path | None:
    root = os.environ.get("VAEKIT_DATA_DIR")
    return Path(root).expanduser() / name if root else None


def _included_dir() -> Path:
    import sklearn.datasets

    return Path(sklearn.datasets.__file__).parent / "data"


def _entry(name: str, data: PublishedData) -> CatalogueEntry:
    places = {"VAEKIT_DATA_DIR": _own_dir(name), "cache": cache_dir() / name}
    where, path = "not yet downloaded", None
    if not data.files:
        where = "drawn" if data.drawn else "included"
    for title, folder in places.items():
        if data.files and path is None and folder is not None and _has_all(folder, data):
            where, path = title, folder
    size = sum(file.size for file in data.files)
    return CatalogueEntry(name, data.title, data.licence, data.page, size, where, path)


def _has_all(folder: Path, data: PublishedData) -> bool:
    paths = [(folder / file.name, file.size) for file in data.files]
    return all(path.is_file() and path.stat().st_size == size for path, size in paths)


def _is_intact(path: Path, file: PublishedFile) -> bool:
    if not path.is_file() or path.stat().st_size != file.size:
        return False
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest() == file.sha256


def _download(name: str, file: PublishedFile, folder: Path, mirrors: list[str], progress: Progress | None) -> None:
    """Get ``file`` from the first mirror that delivers it, and move that mirror to the front of ``mirrors``."""
    failures = []
    for mirror in list(mirrors):
        temporary = folder / f".{file.name}.{secrets.token_hex(4)}.part"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / file.name).unlink(missing_ok=True)
            temporary.touch(exist_ok=False)
        except OSError as error:
            raise OSError(
                f"cannot write to {folder} ({error.strerror}); set VAEKIT_CACHE to a folder that can be written"
            ) from error
        try:
            _receive(mirror + file.name, temporary, file, progress)
            os.replace(temporary, folder / file.name)
        except (OSError, ValueError) as error:
            failures.append(f"{urlsplit(mirror).netloc}: {_reason(error)}")
        else:
            mirrors.insert(0, mirrors.pop(mirrors.index(mirror)))
            return
        finally:
            temporary.unlink(missing_ok=True)
    raise OSError(
        f"cannot download {file.name} of {name!r} ({'; '.join(failures)}); put the files into "
        f"$VAEKIT_DATA_DIR/{name}, or use 'digits', which need no download"
    )


def _receive(url: str, path: Path, file: PublishedFile, progress: Progress | None) -> None:
    """Write the answer of ``url`` to ``path``; raise ``ValueError`` unless it is exactly ``file``."""
    from http.client import HTTPException
    from urllib.request import Request, urlopen

    digest, received = hashlib.sha256(), 0
    try:
        with urlopen(Request(url, headers={"User-Agent": "vaekit"}), timeout=TIMEOUT) as answer, path.open("wb") as out:
            while received <= file.size and (chunk := answer.read(CHUNK)):
                out.write(chunk)
                digest.update(chunk)
                received += len(chunk)
                if progress:
                    progress(file.name, received, file.size)
    except HTTPException as error:
        raise OSError(f"broken answer ({type(error).__name__})") from error
    if received != file.size:
        raise ValueError(f"{'truncated' if received < file.size else 'too long'}, expected {file.size} bytes")
    if digest.hexdigest() != file.sha256:
        raise ValueError("wrong SHA-256")


def _reason(error: Exception) -> str:
    cause = getattr(error, "reason", error)
    return str(getattr(cause, "strerror", None) or cause)
