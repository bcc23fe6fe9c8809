"""``vaekit compress`` and ``vaekit decompress``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from . import show
from .common import RunPath, Which, load_run, note, refuse, status

if TYPE_CHECKING:
    from vaekit.recipes import Run
    from vaekit.recipes.codec import Compressed, Restored
    from vaekit.recipes.codec_items import Source
    from vaekit.recipes.codec_report import CodecReport


def compress(
    run: RunPath,
    data: Annotated[
        str | None, Parameter(help="a file, a folder of images or the name of a data set; the run's own if left out")
    ] = None,
    /,
    *,
    out: Annotated[
        str | None, Parameter(help=".vae file to write; the name of the data and .vae if left out", metavar="FILE")
    ] = None,
    part: Which = None,
    quality: Annotated[
        float | None, Parameter(help="0 to 100: keep what the latents say of pictures; everything if left out")
    ] = None,
    estimate: Annotated[
        bool, Parameter(help="say how large the file would be, and write none", show_default=False)
    ] = False,
    report: Annotated[
        bool, Parameter(help="compare with the model's own bound and with other programs", show_default=False)
    ] = False,
    verify: Annotated[bool, Parameter(help="decode each chunk again and compare", negative="--no-verify")] = True,
    with_model: Annotated[
        bool, Parameter(help="put the model, its weights rounded, into the file: it needs no run", show_default=False)
    ] = False,
    overwrite: Annotated[bool, Parameter(help="replace the file if it is there", show_default=False)] = False,
) -> None:
    """Write a file, or a data set, in as few bytes as the model needs."""
    from vaekit import store
    from vaekit.recipes import codec, codec_files
    from vaekit.tasks.lossy import check_lossy

    if report:
        refuse("--report is about whole files without loss", {"--quality": quality is not None, "--estimate": estimate})
    path = Path(out or f"{Path(data).name if data else 'data'}.vae")
    if not estimate:
        _check_out(path, data, overwrite)
    loaded = load_run(run, "cpu")
    if quality is not None:
        check_lossy(loaded.model, quality)
    with status("reading"):
        source = codec_files.open_source(loaded, data, part)
    for remark in source.remarks:
        note(remark)
    if estimate:
        with status("estimating"):
            size = codec.estimate(loaded, source, quality)
        print(f"about {show.bytes_in_words(round(size))}")
        return
    if report:
        _compare(loaded, source, data, path, with_model)
        return
    with store.replacing(path) as temporary, temporary.open("wb") as stream, _bar("compressing") as progress:
        found = codec.compress(
            loaded, source, stream, quality=quality, verify=verify, with_model=with_model, progress=progress
        )
    _print_compressed(found.size, found, path)


def decompress(
    file: Annotated[str, Parameter(help=".vae file")],
    /,
    *,
    run: Annotated[str | None, Parameter(help="folder of the run whose model compressed it")] = None,
    out: Annotated[
        str, Parameter(help="the file that was compressed; of a data set or of some rows .npy or .npz", metavar="FILE")
    ],
    rows: Annotated[str | None, Parameter(help="only some items, first:end", metavar="FIRST:END")] = None,
    recover: Annotated[
        bool, Parameter(help="of a damaged file, write the items that are intact", show_default=False)
    ] = False,
    overwrite: Annotated[bool, Parameter(help="replace the file if it is there", show_default=False)] = False,
) -> int:
    """Write what was compressed, byte for byte."""
    from vaekit.container import Reader
    from vaekit.recipes import codec

    from . import files

    path = Path(out)
    if path.is_dir() and any(path.iterdir()):
        raise FileExistsError(f"{path} is a folder that is not empty; name another")
    _check_out(path, file, overwrite)
    reader = Reader(_read(Path(file)))
    if reader.header.get("form") == "array":
        files.check_array(path)
    loaded = None if run is None else load_run(run, "cpu")
    with _bar("decompressing") as progress:
        found = codec.decompress(loaded, reader, _rows(rows), recover=recover, progress=progress)
    if rows is not None and not found.count:
        raise ValueError(f"there are no items in --rows {rows}: the file holds {reader.header['count']:,}")
    if found.damage and not found.intact and found.form != "folder":
        raise ValueError(f"{found.damage[0]}, and there is nothing else to recover")
    _write(found, path, rows is None)
    for sentence in found.damage:
        note(sentence)
    print(f"{found.intact:,} items in {path}")
    return 1 if found.damage else 0


def _compare(run: Run, source: Source, data: str | None, path: Path, with_model: bool) -> None:
    """Write the file and print what it comes to, if it comes back."""
    from vaekit import store
    from vaekit.recipes.codec_report import report

    with store.replacing(path) as temporary, temporary.open("wb") as stream, status("comparing"):
        found = report(run, source, data, with_model=with_model, stream=stream)
        if not found.exact:
            raise ValueError("the file does not come back as it was; without --report what does not is packed")
    _print_compressed(found.size + with_model * found.model, found, path)
    _print_report(found)


def _write(found: Restored, path: Path, is_whole: bool) -> None:
    """The file or folder as it was; items of arrays also as arrays, where they are not all, or asked for so."""
    from vaekit.recipes import codec_files
    from vaekit.recipes.codec_items import Arrays

    from . import files

    is_part = found.damage or not is_whole
    wants_array = path.suffix.lower() in files.ARRAYS
    if found.form == "array" or (isinstance(found.items, Arrays) and is_part and (wants_array or found.form == "file")):
        files.write_array(path, codec_files.array(found))
    else:
        codec_files.write_back(found, path)


def _check_out(path: Path, source: str | None, overwrite: bool) -> None:
    """Raises OSError where a file cannot be written, or must not be replaced."""
    from . import files

    files.check_parent(path)
    if path.is_file() and not overwrite:
        raise FileExistsError(f"{path} is there already; replace it with --overwrite")
    if path.exists() and not path.is_file() and not path.is_dir():
        raise FileExistsError(f"{path} is no file that can be replaced; name another")
    if source is not None and path.exists() and Path(source).exists() and path.samefile(source):
        raise FileExistsError(f"{path} is what is to be read; name another")


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is a folder, not a .vae file" if path.is_dir() else f"no such file: {path}")
    return path.read_bytes()


def _rows(text: str | None) -> slice | None:
    if text is None:
        return None
    try:
        start, end = (int(part) if part else None for part in text.split(":"))
        return slice(start, end)
    except ValueError as error:
        raise ValueError(f"--rows is first:end, such as 1000:2000, got {text!r}") from error


def _print_compressed(size: int, found: Compressed | CodecReport, path: Path) -> None:
    from vaekit.recipes.codec import NO_MODEL

    share = f", {size / found.content:.1%} of {show.bytes_in_words(found.content)}" if found.content else ""
    print(f"{show.bytes_in_words(size)}{share} in {path}")
    for reason, count in found.packed.items():
        if reason != NO_MODEL:  # a remark has said so
            note(f"{count:,} of {found.items:,} items are packed without the model: {reason}")


def _print_report(found: CodecReport) -> None:
    sizes = {"vaekit": found.size, "vaekit and its model": found.size + found.model}
    if found.bound:
        sizes[f"the model's own bound ({found.gap:+.2%})"] = round(found.bound + found.side)
    rows = [
        (name, show.bytes_in_words(size), f"{found.bits(size):.3f}", f"{size / max(found.content, 1):.1%}")
        for name, size in sorted((sizes | found.peers).items(), key=lambda item: item[1])
    ]
    show.console().print(show.table(rows, ("", "size", "bits each", "of all"), right=(1, 2, 3)))
    rates = (found.items / max(seconds, 1e-9) for seconds in found.seconds)
    print("{:,.0f} items a second in, {:,.0f} out".format(*rates))


@contextmanager
def _bar(what: str) -> Iterator[Callable[[int, int], None] | None]:
    """A progress bar on terminals, and the function that moves it."""
    from rich.progress import Progress

    console = show.console(stderr=True)
    if not console.is_terminal:
        yield None
        return
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
