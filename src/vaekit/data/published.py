"""The data sets that are known by name: what they are, where they are published, and what their files must be."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

DIGITS = tuple("0123456789")


@dataclass(frozen=True)
class PublishedFile:
    """A published file: its name, its size in bytes and its SHA-256."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class PublishedData:
    """A published data set.

    ``files`` hold, in this order, the training images, training labels, test images and test labels; a data set
    without files ships with scikit-learn, or is ``drawn`` by vaekit itself. Each of ``mirrors`` is an address to which
    a file's name is appended.
    """

    title: str
    page: str
    licence: str
    classes: tuple[str, ...]
    files: tuple[PublishedFile, ...] = ()
    mirrors: tuple[str, ...] = ()
    drawn: bool = False


PUBLISHED = {
    "digits": PublishedData(
        title="1,797 handwritten digits, 8 x 8, 17 grey levels; ships with scikit-learn",
        page="https://archive.ics.uci.edu/dataset/80/optical+recognition+of+handwritten+digits",
        licence="CC BY 4.0",
        classes=DIGITS,
    ),
    "fashion-mnist": PublishedData(
        title="70,000 pictures of clothes, 28 x 28, grey",
        page="https://github.com/zalandoresearch/fashion-mnist",
        licence="MIT",
        classes=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        files=(
            PublishedFile(
                "train-images-idx3-ubyte.gz",
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz",
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            PublishedFile(
                "t10k-images-idx3-ubyte.gz",
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz",
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        ),
        mirrors=(
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ),
    ),
    "mnist": PublishedData(
        title="70,000 handwritten digits, 28 x 28, grey",
        page="https://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        classes=DIGITS,
        files=(
            PublishedFile(
                "train-images-idx3-ubyte.gz",
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            PublishedFile(
                "train-labels-idx1-ubyte.gz",
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            PublishedFile(
                "t10k-images-idx3-ubyte.gz",
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            PublishedFile(
                "t10k-labels-idx1-ubyte.gz",
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        ),
        mirrors=(
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
    ),
    "shapes": PublishedData(
        title="6,144 squares, ellipses and hearts, 32 x 32, binary, one for each combination of five known factors",
        page="drawn by vaekit in the manner of https://github.com/google-deepmind/dsprites-dataset",
        licence="Apache-2.0",
        classes=("square", "ellipse", "heart"),
        drawn=True,
    ),
}


def lookup(name: str) -> PublishedData:
    """Return the published data set of that name; raise ``ValueError`` with the nearest name and all names if none."""
    if name in PUBLISHED:
        return PUBLISHED[name]
    near = difflib.get_close_matches(name.lower().replace("_", "-"), PUBLISHED, n=1)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise ValueError(
        f"unknown data set {name!r}; {hint}Known are {', '.join(PUBLISHED)}, and paths of .npy, .npz and IDX files "
        "and of folders of images"
    )
