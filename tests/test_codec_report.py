"""What a compressed file is compared with."""

import gzip
import io
import lzma

import numpy as np
import pytest
from PIL import Image

from small_codec import run_on
from vaekit.evaluation import codecs
from vaekit.recipes.codec_files import of_array
from vaekit.recipes.codec_report import report


@pytest.fixture(scope="module")
def pictures() -> np.ndarray:
    x = np.random.default_rng(0).integers(-400, 256, (60, 8, 8)).clip(0)
    return x.astype(np.uint8)


def test_general_compressors_are_the_libraries_own(pictures):
    content = pictures.tobytes()
    sizes = codecs.general(content)
    assert sizes["xz"] == len(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))
    assert sizes["gzip"] == len(gzip.compress(content, 9))


def test_pictures_are_counted_one_by_one_and_on_a_sheet(pictures):
    sizes, each = codecs.of_pictures(pictures), 0
    for picture in pictures:
        file = io.BytesIO()
        Image.fromarray(picture).save(file, "PNG", optimize=True)
        each += len(file.getvalue())
    assert sizes["PNG each"] == each
    assert sizes["PNG sheet"] < each
    assert codecs.of_pictures(pictures[:0]) == {}


def test_a_table_is_counted_as_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    path = tmp_path / "table.csv"
    path.write_text("a,b\n" + "1,x\n" * 500)
    assert 0 < codecs.of_table(path)["Parquet with zstd"] < 5000
    assert codecs.of_table(tmp_path / "missing.csv") == {}


def test_a_report_of_a_file_that_came_back(pictures):
    run = run_on(pictures)
    found = report(run, of_array(run, pictures))
    assert found.exact
    assert found.content == found.dimensions == pictures.size
    assert found.size == pytest.approx(found.bound, rel=0.2)
    assert found.to_json()["bits_per_dimension"]["xz"] == pytest.approx(8 * found.peers["xz"] / pictures.size, abs=1e-4)
