import subprocess
import sys
from itertools import pairwise

import matplotlib as mpl
import numpy as np
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from PIL import Image

from vaekit import plots

RNG = np.random.default_rng(7)
CLASSES = ("shoe", "shirt", "bag")
ROWS = [
    {"epoch": e, "loss": 300.0 / e, "reconstruction": 290.0 / e, "kl": 4.0 + e, "val_loss": v, "lr": 1e-3 / e}
    for e, v in [(1, 310.0), (2, 160.0), (3, 140.0), (4, 150.0)]
]


def texts(labels):
    return [label.get_text() for label in labels]


def column_labels(ax):
    return texts(ax.get_xticklabels())


def row_labels(ax):
    return texts(ax.get_yticklabels())


def line_values(collection, low, high):
    """The vectors behind line profiles, read back from the height of each line within its tile."""
    return [
        low + (high - low) * (0.5 - (y - row) / 0.72)
        for segment in collection.get_segments()
        for y, row in [(segment[:, 1], np.round(segment[:, 1].mean()))]
    ]


@pytest.mark.parametrize("shape", [(6, 5), (6, 5, 3), (6, 5, 1)])
def test_manifold_puts_each_tile_at_its_latent_point(shape):
    images = RNG.random((3, 4, *shape))
    figure = plots.manifold(images, ([-3, -1, 1, 3], [-0.5, 0, 0.5]), axes=("a", "b"), title="plane")
    (ax,) = figure.axes
    (image,) = ax.get_images()
    x = dict(zip(column_labels(ax), ax.get_xticks(), strict=True))
    y = dict(zip(row_labels(ax), ax.get_yticks(), strict=True))
    assert list(x) == ["−3", "−1", "1", "3"]
    assert list(y) == ["0.5", "0.0", "−0.5"]
    assert (ax.get_xlabel(), ax.get_ylabel(), ax.get_title("left")) == ("a", "b", "plane")
    left, right, bottom, top = image.get_extent()
    assert (left, right, bottom, top) == (-0.5, 3.5, 2.5, -0.5)
    mosaic = image.get_array()
    for column, first in enumerate(x.values()):
        for row, second in enumerate(reversed(y.values())):
            i, j = round((second - top) * 6 - 3), round((first - left) * 5 - 2.5)
            expected = images[row, column, :, :, 0] if shape[-1] == 1 else images[row, column]
            np.testing.assert_array_equal(mosaic[i : i + 6, j : j + 5], expected)
    figure.draw_without_rendering()
    up = [ax.transData.transform((0, y[label]))[1] for label in ("−0.5", "0.0", "0.5")]
    assert up == sorted(up)
    box = ax.get_window_extent()
    assert box.height / box.width == pytest.approx(3 * 6 / (4 * 5), rel=1e-3)


def test_labels_have_as_few_decimals_as_tell_neighbours_apart():
    article = np.linspace(-0.5, 0.5, 10)
    ax = plots.manifold(np.zeros((20, 10, 2, 2)), (article, np.arange(20.0))).axes[0]
    assert column_labels(ax)[:3] == ["−0.50", "−0.39", "−0.28"]
    assert row_labels(ax)[::-1] == [str(i) if i % 2 == 0 else "" for i in range(20)]
    assert len(ax.get_yticks()) == 20
    ax = plots.manifold(np.zeros((1, 2, 2, 2)), ([-1e-9, 2], [0.001])).axes[0]
    assert (column_labels(ax), row_labels(ax)) == (["0", "2"], ["0.001"])


def test_samples_stand_in_order_on_white():
    images = RNG.random((5, 20, 10))
    (ax,) = plots.samples(images, columns=3).axes
    mosaic = ax.get_images()[0].get_array()
    assert mosaic.shape == (41, 32)
    for index, image in enumerate(images):
        row, column = divmod(index, 3)
        top, left = 21 * row, 11 * column
        np.testing.assert_array_equal(mosaic[top : top + 20, left : left + 10], image)
    assert np.all(mosaic[21:, 22:] == 1)
    assert np.all(mosaic[20] == 1)


def test_grids_are_about_square_with_a_full_last_row():
    (ax,) = plots.samples(np.zeros((100, 10, 12))).axes  # nine columns would be nearer to a square
    assert ax.get_images()[0].get_array().shape == (10 * 11 - 1, 10 * 13 - 1)


def test_values_a_little_outside_are_clipped():
    (ax,) = plots.samples([[[-0.1, 0.5], [1.2, 1.0]]]).axes
    np.testing.assert_array_equal(ax.get_images()[0].get_array(), [[0, 0.5], [1, 1]])


@pytest.mark.parametrize("size", [1, 2, 9])
def test_vectors_are_lines_on_one_scale(size):
    vectors = RNG.normal(size=(4, 3, size)).cumsum(-1)
    low, high = vectors.min(), vectors.max()
    for figure in (
        plots.manifold(vectors[::-1], ([0, 1, 2], [0, 1, 2, 3])),
        plots.samples(vectors.reshape(12, size), columns=3),
        plots.traversals(vectors, [0, 1, 2]),
        plots.interpolation(vectors),
    ):
        (ax,) = figure.axes
        drawn = line_values(ax.collections[0], low, high)
        np.testing.assert_allclose(
            drawn, np.broadcast_to(vectors.reshape(12, size), (12, size)).repeat(2 if size == 1 else 1, axis=1)
        )
        assert ax.get_title("right") == f"each tile spans {low:.3g} to {high:.3g}".replace("-", "−")
        centers = [segment[:, 0].mean() for segment in ax.collections[0].get_segments()]
        np.testing.assert_allclose(centers, [0, 1, 2] * 4, atol=1e-12)


def test_reconstructions_stand_below_their_originals():
    before, after = RNG.random((2, 23, 4, 4))
    figure = plots.reconstructions(before, after, n=11, errors=np.arange(23) / 100, error_name="squared error")
    assert len(figure.axes) == 2
    drawn = []
    for ax in figure.axes:
        assert row_labels(ax) == ["original", "reconstruction"]
        mosaic = ax.get_images()[0].get_array()
        assert mosaic.shape == (9, 29)
        drawn += [(mosaic[:4, i : i + 4], mosaic[5:, i : i + 4]) for i in range(0, 29, 5)]
    for index in range(11):
        np.testing.assert_array_equal(drawn[index][0], before[index])
        np.testing.assert_array_equal(drawn[index][1], after[index])
    assert np.all(np.stack(drawn[11]) == 1)
    assert column_labels(figure.axes[0]) == ["0.000", "0.010", "0.020", "0.030", "0.040", "0.050"]
    assert figure.axes[1].get_xlabel() == "squared error"
    assert len(plots.reconstructions(before[:3], after[:3]).axes[0].get_images()[0].get_array()[0]) == 14


def test_vectors_and_their_reconstructions_share_tile_and_scale():
    before, after = RNG.normal(size=(2, 7, 12))
    (ax,) = plots.reconstructions(before, after, errors=np.full(7, 0.25)).axes
    low, high = min(before.min(), after.min()), max(before.max(), after.max())
    lines = [c for c in ax.collections if len(c.get_segments()) == 7 and len(c.get_segments()[0]) == 12]
    np.testing.assert_allclose(line_values(lines[0], low, high), before)
    np.testing.assert_allclose(line_values(lines[1], low, high), after)
    assert texts(ax.get_legend().get_texts()) == ["original", "reconstruction", "in each corner: error"]
    legend_colors = [to_rgb(line.get_color()) for line in ax.get_legend().get_lines()]
    assert legend_colors[:2] == [to_rgb(c.get_color()[0]) for c in lines]
    assert texts(ax.texts) == ["0.250"] * 7


def test_traversals_label_dimensions_values_and_divergence():
    images = RNG.random((2, 3, 4, 4))
    (ax,) = plots.traversals(images, [-2, 0, 2], dims=[5, 1], kl=[3.14159, 0]).axes
    assert row_labels(ax) == ["z[5]", "z[1]"]
    assert column_labels(ax) == ["−2", "0", "2"]
    assert texts(ax.texts) == ["3.14", "0.00", "KL (nats)"]
    mosaic = ax.get_images()[0].get_array()
    np.testing.assert_array_equal(mosaic[5:, 10:], images[1, 2])


def test_interpolation_frames_both_ends_of_each_strip():
    (ax,) = plots.interpolation(RNG.random((2, 6, 4, 4))).axes
    assert [patch.get_xy() for patch in ax.patches] == [(-0.5, -0.5), (4.5, -0.5), (-0.5, 0.5), (4.5, 0.5)]
    assert dict(zip(ax.get_xticks(), column_labels(ax), strict=True)) == {0: "start", 5: "end"}


def test_scatter_shows_each_point_in_the_color_of_its_class():
    z, labels = RNG.normal(size=(300, 2)), RNG.integers(0, 3, 300)
    figure = plots.clusters(z, labels, classes=CLASSES)
    ax = figure.axes[0]
    (points,) = ax.collections
    offsets, order = points.get_offsets(), np.argsort(z[:, 0])
    drawn = np.argsort(offsets[:, 0])
    np.testing.assert_array_equal(offsets[drawn], z[order])
    figure.draw_without_rendering()
    palette = [to_rgb(c) for c in ("#3f90da", "#ffa90e", "#bd1f01")]
    np.testing.assert_allclose(points.get_facecolors()[drawn][:, :3], np.take(palette, labels[order], axis=0))
    assert points.get_rasterized()
    assert not np.array_equal(offsets, z)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z[0]", "z[1]")
    assert ax.get_aspect() == 1
    again = plots.clusters(z, labels, classes=CLASSES).axes[0].collections[0]
    np.testing.assert_array_equal(again.get_offsets(), offsets)


@pytest.mark.parametrize(
    ("labels", "classes", "names"),
    [
        ([0, 2, 2], CLASSES, list(CLASSES)),
        ([0.0, 2.0, 2.0], CLASSES, list(CLASSES)),
        (["bag", "bag", "shoe"], CLASSES, list(CLASSES)),
        (["b", "a", "b"], (), ["a", "b"]),
        (np.array(["b", 1, "b"], dtype=object), (), ["1", "b"]),
        ([7, 7, 3], (), ["3", "7"]),
        ([True, False, True], (), ["False", "True"]),
    ],
)
def test_color_bar_names_the_classes_from_top_to_bottom(labels, classes, names):
    figure = plots.clusters(RNG.normal(size=(3, 2)), labels, classes=classes)
    bar = figure.axes[0].child_axes[0]
    heights = [bar.transData.transform((0, tick))[1] for tick in bar.get_yticks()]
    assert row_labels(bar) == names
    assert all(a > b for a, b in pairwise(heights))


def test_many_classes_and_real_labels_share_a_continuous_scale():
    z, labels = RNG.normal(size=(90, 2)), np.arange(90)
    names = [f"class {i}" for i in range(90)]
    (bar,) = plots.clusters(z, labels, classes=names).axes[0].child_axes
    assert row_labels(bar) == names[::5]
    for values in (labels, labels / 7):
        ax = plots.clusters(z, values, label_name="age").axes[0]
        (points,) = ax.collections
        drawn, order = np.argsort(points.get_offsets()[:, 0]), np.argsort(z[:, 0])
        np.testing.assert_array_equal(points.get_array()[drawn], values[order])
        assert points.cmap.name == "viridis"
        assert points.get_clim() == (values.min(), values.max())
        assert ax.child_axes[0].get_ylabel() == "age"


def test_projection_is_the_principal_plane_and_says_so():
    z = RNG.normal(size=(500, 5)) * [1, 4, 2, 0.5, 0.1] + 3
    ax = plots.clusters(z).axes[0]
    centered = z - z.mean(0)
    _, singular, directions = np.linalg.svd(centered, full_matrices=False)
    expected = centered @ directions[:2].T
    drawn = ax.collections[0].get_offsets()[np.argsort(np.random.default_rng(0).permutation(500))]
    np.testing.assert_allclose(np.abs(drawn), np.abs(expected), atol=1e-9)
    shares = np.round(100 * singular**2 / np.sum(singular**2)).astype(int)
    assert ax.get_xlabel() == f"PC 1 of 5-D latent space ({shares[0]} % of variance)"
    assert ax.get_ylabel() == f"PC 2 of 5-D latent space ({shares[1]} % of variance)"


@pytest.mark.parametrize(("options", "dims"), [({"axes": (3, 1)}, [3, 1]), ({"projection": None}, [0, 1])])
def test_dimensions_are_drawn_as_they_are_on_request(options, dims):
    z = RNG.normal(size=(40, 4))
    ax = plots.clusters(z, **options).axes[0]
    offsets = ax.collections[0].get_offsets()
    np.testing.assert_array_equal(np.sort(offsets, axis=0), np.sort(z[:, dims], axis=0))
    assert ax.get_xlabel() == f"z[{dims[0]}] of 4-D latent space"


def test_axes_end_at_quantiles_and_tell_how_many_points_are_outside():
    z = RNG.normal(size=(5000, 2))
    z[:4] = [[500, 0], [0, -500], [-500, 0], [500, 500]]
    ax = plots.clusters(z).axes[0]
    assert max(map(abs, (*ax.get_xlim(), *ax.get_ylim()))) < 5
    inside = np.all((z >= [ax.get_xlim()[0], ax.get_ylim()[0]]) & (z <= [ax.get_xlim()[1], ax.get_ylim()[1]]), axis=1)
    low, high = np.quantile(z, [0.001, 0.999], axis=0)
    assert np.all(np.all((z >= low) & (z <= high), axis=1) <= inside)
    assert ax.texts[-1].get_text() == f"outside the axes: {np.sum(~inside)} of 5,000 points"
    assert plots.clusters(z[4:50]).axes[0].get_title("right") == ""


def test_one_dimension_is_a_histogram_by_class():
    z, labels = RNG.normal(size=(400, 1)), RNG.integers(0, 3, 400)
    ax = plots.clusters(z, labels, classes=CLASSES).axes[0]
    edges = np.append([bar.get_x() for bar in ax.containers[0]], ax.get_xlim()[1])
    for container, label in zip(ax.containers, (2, 1, 0), strict=True):
        expected, _ = np.histogram(z[labels == label, 0], edges)
        np.testing.assert_array_equal([bar.get_height() for bar in container], expected)
    assert row_labels(ax.child_axes[0]) == list(CLASSES)
    ax = plots.clusters(z, z[:, 0] ** 2, label_name="age").axes[0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("z[0]", "age")


def test_curves_show_the_rows_and_mark_the_best_held_out_epoch():
    rows = [ROWS[3], ROWS[0], {**ROWS[1], "loss": 1.0}, *ROWS[1:3]]
    figure = plots.curves(rows)
    loss, reconstruction, kl, lr = figure.axes
    epochs = [1, 2, 3, 4]
    for ax, line, key in [
        (loss, 0, "loss"),
        (loss, 1, "val_loss"),
        (reconstruction, 0, "reconstruction"),
        (kl, 0, "kl"),
        (lr, 0, "lr"),
    ]:
        np.testing.assert_array_equal(ax.lines[line].get_data(), [epochs, [row[key] for row in ROWS]])
    assert loss.get_title("right") == "best held out: 140.0 at epoch 3"
    assert all(any(list(line.get_xdata()) == [3, 3] for line in ax.lines) for ax in figure.axes)
    assert loss.get_ylabel() == reconstruction.get_ylabel() == kl.get_ylabel() == "nats per example"
    assert (kl.get_xlabel(), lr.get_xlabel(), lr.get_ylabel()) == ("epoch", "epoch", "× 10⁻³")
    assert lr.yaxis.get_major_formatter()(5e-4) == "0.5"


def test_curves_without_held_out_data_mark_no_epoch():
    figure = plots.curves([{**row, "val_loss": None} for row in ROWS])
    assert [len(ax.lines) for ax in figure.axes] == [1, 1, 1, 1]
    assert figure.axes[0].get_legend() is None
    partly = plots.curves([{**row, "val_loss": row["val_loss"] if row["epoch"] % 2 else None} for row in ROWS])
    np.testing.assert_array_equal(partly.axes[0].lines[1].get_xdata(), [1, 3])


def test_a_single_epoch_is_visible():
    figure = plots.curves([{**ROWS[0], "val_loss": None}])
    figure.draw_without_rendering()
    for ax in figure.axes:
        (line,) = ax.lines
        assert line.get_marker() == "o"
        assert ax.viewLim.contains(*line.get_xydata()[0])
        assert np.ptp(ax.get_ylim()) > 1e-3 * ax.get_ylim()[1]


@pytest.mark.parametrize("suffix", [".png", ".PNG", ".pdf", ".svg"])
def test_saved_files_are_complete_and_repeatable(tmp_path, suffix):
    images = RNG.random((2, 2, 8, 8))
    figures = [plots.manifold(images, ([0, 1], [0, 1])) for _ in range(2)]
    paths = [plots.save(figure, tmp_path / "new" / f"{i}{suffix}") for i, figure in enumerate(figures)]
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    assert first.startswith({".png": b"\x89PNG", ".pdf": b"%PDF", ".svg": b"<?xml"}[suffix.lower()])
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [f"0{suffix}", f"1{suffix}"]


def test_saved_png_has_the_size_of_what_is_drawn(tmp_path):
    figure = plots.manifold(RNG.random((3, 3, 8, 8)), ([0, 1, 2], [0, 1, 2]))
    path = plots.save(figure, str(tmp_path / "plane.png"), dpi=80)
    box = figure.get_tightbbox()
    with Image.open(path) as image:
        image.load()
        expected = [80 * (side + 0.24) for side in (box.width, box.height)]
        np.testing.assert_allclose(image.size, expected, atol=2)
        assert image.info["dpi"] == pytest.approx((80, 80), abs=0.1)
        assert image.convert("RGB").getpixel((0, 0)) == (255, 255, 255)


def test_many_points_stay_small_in_a_pdf(tmp_path):
    path = plots.save(plots.clusters(RNG.normal(size=(20_000, 2))), tmp_path / "z.pdf", dpi=50)
    assert path.stat().st_size < 200_000


def test_a_failed_save_leaves_the_old_file_alone(tmp_path, monkeypatch):
    path = tmp_path / "plane.png"
    path.write_bytes(b"old")

    def fail(self, file, **options):
        file.write(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space left"):
        plots.save(plots.samples(RNG.random((1, 2, 2))), path)
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("plane.png", b"old")]


@pytest.mark.parametrize("name", ["plane.jpg", "plane"])
def test_an_unknown_suffix_is_answered_with_the_valid_ones(tmp_path, name):
    with pytest.raises(ValueError, match=r"\.pdf, \.png or \.svg"):
        plots.save(plots.samples(RNG.random((1, 2, 2))), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_global_state_stays_as_it_was():
    def settings():
        return {key: mpl.rcParams[key] for key in mpl.rcParams if key != "backend"}

    before, state = settings(), np.random.get_state()[1].copy()
    figure = plots.clusters(RNG.normal(size=(50, 8)), RNG.integers(0, 3, 50))
    figure._repr_png_()
    assert settings() == before
    np.testing.assert_array_equal(np.random.get_state()[1], state)


def test_the_picture_does_not_depend_on_the_users_settings():
    def draw():
        return plots.manifold(np.linspace(0, 1, 36).reshape(2, 2, 3, 3), ([0, 1], [0, 1]))._repr_png_()

    expected = draw()
    with mpl.rc_context(
        {"font.size": 22, "axes.facecolor": "black", "xtick.major.size": 20, "savefig.facecolor": "red"}
    ):
        assert draw() == expected


def test_neither_pyplot_nor_heavy_packages_are_loaded():
    code = """if True:
        import sys
        import numpy as np
        from vaekit import plots
        figure = plots.samples(np.zeros((2, 4, 4)))
        assert figure._repr_png_().startswith(b"\\x89PNG")
        print([name for name in ("matplotlib.pyplot", "sklearn", "torch", "pandas") if name in sys.modules])
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_figure_shows_itself_in_a_notebook():
    data, _ = DisplayFormatter().format(plots.samples(RNG.random((4, 8, 8))))
    assert data["image/png"].startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.manifold(np.zeros((1, 1, 2, 2)), ([0], [0])),
        lambda: plots.samples(np.zeros((2, 3))),
        lambda: plots.reconstructions(np.zeros((1, 3)), np.zeros((1, 3)), errors=[0]),
        lambda: plots.clusters([[0.0, 0.0]], [1.5]),
        lambda: plots.clusters([[1.0]], ["a"]),
        lambda: plots.clusters(np.ones((9, 4)), np.zeros(9, int)),
        lambda: plots.curves([{**ROWS[0], "lr": 0, "kl": 0, "loss": 0}]),
    ],
)
@pytest.mark.filterwarnings("error")
def test_degenerate_data_can_be_drawn(draw):
    draw()._repr_png_()


NAN, PLANE = np.full((2, 2, 2, 2), np.nan), np.zeros((2, 2, 2, 2))


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: plots.manifold(NAN, ([0, 1], [0, 1])), "images must be finite, but 16 of its 16 values"),
        (lambda: plots.manifold(PLANE[0, 0], ([0, 1], [0, 1])), r"images must be images of shape \(rows, cols, H, W\)"),
        (lambda: plots.manifold(PLANE, ([0, 1, 2], [0, 1])), r"axis_values\[0\] must hold one number per column"),
        (lambda: plots.manifold(PLANE, ([0, 1], [1, 0])), r"axis_values\[1\] must ascend strictly"),
        (lambda: plots.manifold(PLANE, ([0, 1],)), "axis_values must be the coordinates of the two axes"),
        (lambda: plots.samples([]), "images must not be empty"),
        (lambda: plots.samples(np.zeros(3)), r"\(N, H, W\).*or vectors of shape \(N, D\).*\(3,\)"),
        (lambda: plots.samples(np.zeros((2, 3, 8, 8))), "1 or 3 channels last"),
        (lambda: plots.samples(np.full((2, 2, 2), 255)), r"in \[0, 1\], but the values run from 255 to 255"),
        (lambda: plots.samples([["a"]]), "images must be an array of numbers"),
        (lambda: plots.samples(PLANE[0], columns=0), "columns must be at least 1, got 0"),
        (lambda: plots.reconstructions(PLANE[0], PLANE[0, :1]), "must have the same shape"),
        (lambda: plots.reconstructions(PLANE[0], PLANE[0], n=0), "n must be at least 1, got 0"),
        (lambda: plots.reconstructions(PLANE[0], PLANE[0], errors=[1]), "errors must hold one number per example"),
        (lambda: plots.traversals(PLANE, [1]), "values must hold one number per column"),
        (lambda: plots.traversals(PLANE, [1, 2], dims=[0]), "dims must hold one index per row"),
        (lambda: plots.traversals(PLANE, [1, 2], kl=[1, np.inf]), "kl must be finite"),
        (lambda: plots.interpolation(PLANE[:, :1]), "at least two steps"),
        (lambda: plots.clusters([1.0, 2.0]), r"shape \(N, D\)"),
        (lambda: plots.clusters([[1.0, np.nan]]), "z must be finite"),
        (lambda: plots.clusters(np.ones((3, 2)), [0, 1]), "labels must hold one label per point"),
        (lambda: plots.clusters(np.ones((2, 2)), [0.0, np.nan]), "labels must be finite"),
        (lambda: plots.clusters(np.ones((2, 2)), np.array(["a", None])), "some are missing"),
        (lambda: plots.clusters(np.ones((2, 2)), [0, 3], classes=CLASSES), "indices from 0 to 2, but one is 3"),
        (lambda: plots.clusters(np.ones((2, 2)), ["bag", "hat"], classes=CLASSES), "but one is hat"),
        (lambda: plots.clusters(np.ones((2, 3)), axes=(0, 3)), "axes must be two dimensions from 0 to 2"),
        (lambda: plots.clusters(np.ones((2, 1)), axes=(0, 1)), "axes must be two dimensions from 0 to 0"),
        (lambda: plots.clusters(np.ones((2, 3)), projection="tsne"), "projection must be 'pca' or None, got 'tsne'"),
        (lambda: plots.clusters(np.ones((1, 3))), "needs at least two points"),
        (lambda: plots.curves([]), "at least one epoch"),
        (lambda: plots.curves([{**ROWS[0], "kl": None}]), "finite number 'kl', but one has None"),
        (lambda: plots.curves([{**ROWS[0], "val_loss": np.nan}]), "finite number 'val_loss'"),
    ],
)
def test_bad_input_is_answered_with_a_sentence(draw, sentence):
    with pytest.raises(ValueError, match=sentence) as caught:
        draw()
    assert str(caught.value).endswith(".")
