"""A run folder's bytes: atomic writes, checksums, and what may be read; knows no class of the project.

A run is a folder with the files that `RunFolder` names, told by its ``config.json``. Nothing in it is a pickle.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

FORMAT = 1  # the version of the run folder; raised when older programs could no longer read it
FIGURE_SUFFIXES = (".png", ".svg", ".pdf")
TEMPORARY = ".vaekit-"  # how the names of files that are still being written start
MOST_JSON = 64 * 2**20


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Lend a temporary path beside ``path``, with its suffix, whose file takes its place when the block succeeds.

    The file is flushed to disk first. If anything fails, the temporary file is removed and ``path`` is as before.
    Raises ``OSError`` with one sentence if the file cannot be written.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        yield temporary
        with temporary.open("rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _cannot("write", path, error) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Lend a temporary folder beside ``path``, which becomes it when the block succeeds, and is removed otherwise.

    Raises ``FileExistsError`` if there is something already, except for an empty folder.
    """
    path = Path(path)
    temporary = path.with_name(f"{TEMPORARY}{secrets.token_hex(4)}-{path.name}")
    try:
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
        if path.exists():
            raise FileExistsError(17, "there is something already", str(path))
        temporary.mkdir()
        yield temporary
        os.rename(temporary, path)
    except OSError as error:
        raise _cannot("write", path, error) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is there completely or, after an error, as it was before."""
    with replacing(path) as temporary:
        temporary.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file like `write_bytes`."""
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write JSON, indented, like `write_bytes`; raise ``ValueError`` for what JSON cannot hold (NaN: use None)."""
    write_text(path, _to_json(content, path, indent=2) + "\n")


def read_json(path: Path) -> Any:
    """Return the content of a JSON file.

    Raises ``FileNotFoundError`` or another ``OSError`` if it cannot be read, and ``ValueError`` naming the place if it
    is damaged, larger than 64 MiB, or holds NaN or infinite numbers.
    """
    return _from_json(_read(path), path)


def append_jsonl(path: Path, row: Mapping[str, Any]) -> None:
    """Add an object as one line to a file of such lines; what a killed program left of a last line is removed."""
    path = Path(path)
    line = _to_json(row, path).encode() + b"\n"
    if path.exists() and _read(path)[-1:] not in (b"", b"\n"):
        truncate_jsonl(path, len(read_jsonl(path)))
    try:
        with path.open("ab") as stream:
            size = stream.tell()
            try:
                stream.write(line)
                stream.flush()
                os.fsync(stream.fileno())
            except OSError:
                os.truncate(path, size)
                raise
    except OSError as error:
        raise _cannot("write", path, error) from error


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file with one on each line; a last line that was cut off is left out.

    Raises ``ValueError`` naming the line if another one is damaged or not an object.
    """
    lines = _read(path).split(b"\n")
    rows = []
    for number, line in enumerate(lines, start=1):
        try:
            row = _from_json(line, path, number) if line.strip() else None
        except ValueError:
            if number == len(lines):
                break
            raise
        if row is None:
            continue
        if not isinstance(row, dict):
            raise ValueError(f"{path}, line {number}: expected an object, but got {type(row).__name__}")
        rows.append(row)
    return rows


def truncate_jsonl(path: Path, rows: int) -> None:
    """Keep at most the first ``rows`` objects of a file with one on each line, atomically; no file is no rows."""
    path = Path(path)
    if path.exists():
        write_text(path, "".join(_to_json(row, path) + "\n" for row in read_jsonl(path)[:rows]))


def write_tensors(path: Path, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str] | None = None) -> None:
    """Write named arrays and texts as a safetensors file, like `write_bytes`.

    Raises ``ValueError`` for an array of a dtype that safetensors does not know.
    """
    from safetensors import SafetensorError
    from safetensors.numpy import save

    dense = {name: np.asarray(array, order="C") for name, array in tensors.items()}
    try:
        data = save(dense, dict(metadata) if metadata else None)
    except (SafetensorError, TypeError) as error:
        raise ValueError(f"cannot write {path}: {error}") from error
    write_bytes(path, data)


def read_tensors(path: Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Return the named arrays and the texts of a safetensors file.

    Raises ``FileNotFoundError`` or another ``OSError`` if it cannot be read, ``ValueError`` if it is damaged, is not a
    safetensors file, or holds a dtype that numpy lacks.
    """
    from safetensors import SafetensorError, safe_open

    try:
        with Path(path).open("rb"), safe_open(path, framework="np") as stream:
            return {name: stream.get_tensor(name) for name in stream.keys()}, dict(stream.metadata() or {})  # noqa: SIM118
    except OSError as error:
        raise _cannot("read", path, error) from error
    except (SafetensorError, TypeError, KeyError, ValueError) as error:
        raise ValueError(f"{path} is damaged or not a safetensors file of plain arrays ({error})") from error


class RunFolder:
    """The folder of a run, got with `open` or `create`, and the paths of what is in it.

    ``config``: what was trained, and how. ``schema``: scaling, columns, class names, split. ``model``: the trained
    weights. ``checkpoint``: what is needed to continue. ``metrics``: one object for each epoch. ``evaluation``: the
    numbers of the last evaluation. ``card``: the model card. ``figures``: the folder of the pictures.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).expanduser()
        self.config = self.path / "config.json"
        self.schema = self.path / "schema.json"
        self.model = self.path / "model.safetensors"
        self.checkpoint = self.path / "checkpoint.safetensors"
        self.metrics = self.path / "metrics.jsonl"
        self.evaluation = self.path / "evaluation.json"
        self.card = self.path / "README.md"
        self.figures = self.path / "figures"

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """Return the folder of an existing run.

        Raises ``FileNotFoundError`` if there is none, ``ValueError`` if the folder is not a run, its ``config.json``
        is damaged, or a newer version wrote it.
        """
        folder = cls(path)
        folder.read_config()
        return folder

    @classmethod
    def create(cls, path: str | Path, *, overwrite: bool = False) -> RunFolder:
        """Return a folder for a new run, made if need be; an empty folder is as good as none.

        With ``overwrite`` the known files of a run that is already there are removed, its ``config.json`` excepted
        (so that the folder stays a run until that is replaced), and other files are left alone.

        Raises ``FileExistsError`` if there is a run already and ``overwrite`` is not set, or a file or folder that is
        not a run; another ``OSError`` if the folder cannot be made.
        """
        folder = cls(path)
        try:
            folder.path.mkdir(parents=True, exist_ok=True)
            empty = not any(folder.path.iterdir())
        except FileExistsError:
            raise FileExistsError(f"{folder.path} is a file; give the path of a folder") from None
        except OSError as error:
            raise _cannot("create", folder.path, error) from error
        if not empty:
            folder._clear(overwrite)
        return folder

    def read_config(self) -> dict[str, Any]:
        """Return the content of ``config.json`` after checking that it is a run's, of a known format version."""
        if not self.path.is_dir():
            raise FileNotFoundError(f"there is no run at {self.path}: no such folder")
        if not self.config.is_file():
            raise ValueError(f"{self.path} exists, but is not a run: it has no config.json")
        config = read_json(self.config)
        version, program = (config.get("format"), config.get("vaekit")) if isinstance(config, dict) else (None, None)
        if type(version) is not int or version < 1 or not isinstance(program, str):
            raise ValueError(
                f"{self.path} exists, but is not a run: 'format' or 'vaekit' is missing in its config.json"
            )
        if version > FORMAT:
            raise ValueError(
                f"{self.path} was written by a newer vaekit ({program[:40]}, format {version}, this one reads up to "
                f"{FORMAT}); upgrade vaekit"
            )
        return config

    def checksum(self, name: str) -> str:
        """Return the SHA-256 of a file of the run, in hexadecimal digits."""
        path = self.path / name
        try:
            with path.open("rb") as stream:
                return hashlib.file_digest(stream, "sha256").hexdigest()
        except OSError as error:
            raise _cannot("read", path, error) from error

    def _clear(self, overwrite: bool) -> None:
        try:
            self.read_config()
        except ValueError as error:
            raise FileExistsError(f"{error}; choose another folder for the new run") from error
        if not overwrite:
            raise FileExistsError(
                f"{self.path} holds a run; overwrite it (--overwrite), continue it (--resume) or choose another folder"
            )
        known = [self.schema, self.model, self.checkpoint, self.metrics, self.evaluation, self.card]
        known += self.path.glob(f"{TEMPORARY}*")
        if self.figures.is_dir():
            known += [path for path in self.figures.iterdir() if path.suffix in FIGURE_SUFFIXES]
        try:
            for path in known:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise _cannot("remove", error.filename or self.path, error) from error


def runs_in(path: str | Path) -> list[Path]:
    """The folder itself if it is a run, else the runs directly below it. Raises like :meth:`RunFolder.open`."""
    path = Path(path).expanduser()
    if path.is_dir() and not (path / "config.json").exists():
        below = sorted(inner for inner in path.iterdir() if (inner / "config.json").exists())
        if below:
            return [RunFolder.open(inner).path for inner in below]
    return [RunFolder.open(path).path]


def _to_json(content: Any, path: Path, indent: int | None = None) -> str:
    try:
        return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError(f"cannot write {path} as JSON: {error}; use None for values that are not numbers") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} is not a JSON value")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _from_json(data: bytes, path: Path, line: int | None = None) -> Any:
    """Parse JSON text; ``line`` is where it stands in its file if it is one line of several."""
    try:
        return json.loads(data.decode(), parse_constant=_finite, parse_float=_finite)
    except json.JSONDecodeError as error:
        place = f"line {line or error.lineno}, column {error.colno}"
        raise ValueError(f"{path} is damaged: {place}: {error.msg}") from error
    except (ValueError, RecursionError) as error:
        place = "" if line is None else f" line {line}:"
        raise ValueError(f"{path} is damaged:{place} {error}") from error


def _read(path: Path) -> bytes:
    path = Path(path)
    try:
        if path.stat().st_size > MOST_JSON:
            raise ValueError(f"{path} is larger than {MOST_JSON // 2**20} MiB and not read; is it a file of a run?")
        return path.read_bytes()
    except OSError as error:
        raise _cannot("read", path, error) from error


def _cannot(verb: str, path: Path | str, error: OSError) -> OSError:
    """Return an error of the same type whose message is a sentence with the path and the reason."""
    return type(error)(f"cannot {verb} {path}: {(error.strerror or str(error)).lower()}")
