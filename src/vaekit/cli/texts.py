"""What the help of each command says, and where the command is."""

from __future__ import annotations

from dataclasses import dataclass, field

ABOUT = """Variational autoencoders: train them, judge them, look into them, use them.

A run is a folder: "train" writes it, every other command reads it.
"""

EXAMPLES = """Start here

  vaekit train digits               a first model, in seconds: runs/digits-1
  vaekit evaluate runs/digits-1     its numbers
  vaekit plot runs/digits-1         its pictures: runs/digits-1/figures
  vaekit train --help               the options of a command, with examples
"""


@dataclass(frozen=True)
class Text:
    """The help of a command: how it is called, a summary, more, and examples.

    ``target`` is where the function is; ``commands`` are those below it.
    """

    usage: str
    summary: str
    more: str = ""
    examples: str = ""
    target: str = ""
    commands: dict[str, Text] = field(default_factory=dict)

    @property
    def help(self) -> str:
        """Summary and more, each a paragraph that the terminal's width breaks into lines."""
        return f"{self.summary}\n\n{' '.join(self.more.split())}".rstrip()


TRAIN = Text(
    "vaekit train [DATA] [OPTIONS]",
    "Train a model and write a run.",
    """DATA comes first: a data set by name (see "vaekit data list"), a table (.csv, .tsv, .parquet), a .npy, .npz or
IDX file, or a folder of images.
Every choice can come from a preset (--preset), from a file (--config) or from the command line; the later ones win.
What is left open is chosen from the data. Ctrl-C saves and stops; --resume goes on as if nothing had happened.""",
    """Examples

  vaekit train digits
  vaekit train fashion-mnist --preset article --out runs/article
  vaekit train photos/ --resize 64 --latent-dim 32 --epochs 50
  vaekit train people.csv --columns people.toml
  vaekit train digits --objective iwae --objective.samples 8
  vaekit train digits --network mlp --network.hidden 256 256 --patience 10
  vaekit train --preset article-fast --schedule.rise 0.3 --seed 1
  vaekit train --config choices.toml --out runs/mine --overwrite
  vaekit train --resume runs/mine --epochs 100
  torchrun --nproc-per-node 4 -m vaekit train mnist --out runs/four
""",
    "vaekit.cli.train:train",
)
EVALUATE = Text(
    "vaekit evaluate RUN [DATA] [OPTIONS]",
    "Estimate how good a run is.",
    """Without DATA the run is judged on the test set of its data, unless it was trained on it, else on the held-out
examples, else on the training examples; the output says which. The numbers are also written to evaluation.json
in the run.""",
    """Examples

  vaekit evaluate runs/digits-1
  vaekit evaluate runs/digits-1 --samples 1000
  vaekit evaluate runs/digits-1 other-digits.npy
  vaekit evaluate runs/digits-1 --json | jq .elbo
""",
    "vaekit.cli.evaluate:evaluate",
)
PLOT = Text(
    "vaekit plot RUN [KIND...] [OPTIONS]",
    "Draw pictures of a run.",
    """KIND is one or more of manifold, clusters, reconstructions, samples, traversals, interpolation, curves
and rate-distortion; without any, all but the last that make sense for the run. The pictures go into the run's
folder "figures".""",
    """Examples

  vaekit plot runs/article
  vaekit plot runs/article manifold --n 10 --range 0.5
  vaekit plot runs/article clusters curves --out pictures/ --format pdf
  vaekit plot runs/mine reconstructions --data photos/ --out both.png
  vaekit plot runs/people clusters --color-by income
""",
    "vaekit.cli.plot:plot",
)
SAMPLE = Text(
    "vaekit sample RUN --out OUT [OPTIONS]",
    "Generate new items.",
    """Latents are drawn from the prior and decoded. What is written depends on --out: .npy and .npz hold the items in
the dtype and layout of the data, .png, .pdf and .svg are one picture of all, and a folder gets one PNG file for
each image. Rows of a table are written as .csv or .parquet.""",
    """Examples

  vaekit sample runs/article -n 100 --out new.png
  vaekit sample runs/article -n 1000 --out new.npy --seed 1
  vaekit sample runs/article --out new/
""",
    "vaekit.cli.generate:sample",
)
RECONSTRUCT = Text(
    "vaekit reconstruct RUN [DATA] --out OUT [OPTIONS]",
    "Encode items and decode them again.",
    """Which items: see "vaekit evaluate --help". What is written depends on --out as in "vaekit sample"; a picture
shows the originals as well.""",
    """Examples

  vaekit reconstruct runs/article --out reconstructions.npy
  vaekit reconstruct runs/article photos/ -n 20 --out both.png
""",
    "vaekit.cli.generate:reconstruct",
)
ENCODE = Text(
    "vaekit encode RUN [DATA] --out FILE [OPTIONS]",
    "Write the latent representation of items.",
    """One row of posterior means for each item. Which items: see "vaekit evaluate --help". .npy holds the means alone,
.npz (z, y, classes), .csv and .parquet also the labels, where they are known.""",
    """Examples

  vaekit encode runs/article --out z.npy
  vaekit encode runs/article --part train --out z.csv
  vaekit encode runs/article photos/ --out z.npz
""",
    "vaekit.cli.generate:encode",
)
DETECT = Text(
    "vaekit detect FILE|RUN [OPTIONS]",
    "Find the most surprising rows of a table, or images, and say why.",
    """FILE is a .csv or .parquet table: a detector is trained on it first (--run keeps it). RUN is the folder of one,
or of any run. A row's surprise is -log p in nats; its p-value is its rank among rows that were held out of the
training. Without --contamination rows are called anomalies whose p-value is at most --false-alarm. The most
surprising rows are printed with the cells that add most, what the row's other cells let expect there, and the verdict
of a linear-Gaussian model. Files are read and scores written part by part, so that they may be larger than the
memory.""",
    """Examples

  vaekit detect people.csv --contamination 0.01 --out scores.csv
  vaekit detect people.csv --run runs/people --picture pictures/
  vaekit detect runs/people --data new.parquet --out scored.parquet --explain 3
  vaekit detect runs/people --data new.csv --json | jq '.most_surprising[0].causes'
""",
    "vaekit.cli.detect:detect",
)
IMPUTE = Text(
    "vaekit impute FILE|RUN --out FILE [OPTIONS]",
    "Fill in the missing cells of a table, or a hidden part of images.",
    """FILE is a .csv or .parquet table: a few models are trained on it, and each missing cell becomes what they
expect of it given the observed cells of its row, which stay as they are. Cells are supposed to be missing at random.
--draws writes tables drawn from p(missing | observed), for multiple imputation, --intervals the ends of an interval
for each cell, calibrated on cells hidden on purpose. The models are an ensemble: VAEs, a Gaussian and its copula,
each weighted by its errors on these cells, which are printed. RUN is a trained run: its own data, or --data, are
filled in; of images the part that --mask hides.""",
    """Examples

  vaekit impute people.csv --out complete.csv
  vaekit impute people.csv --out complete.parquet --draws 5 --intervals --report errors.json
  vaekit impute runs/people --data more.csv --out more-complete.csv
  vaekit impute runs/digits --mask 4:8,0:8 --out filled.png
""",
    "vaekit.cli.impute:impute",
)
SYNTHESIZE = Text(
    "vaekit synthesize FILE|RUN --out FILE [OPTIONS]",
    "Write new rows like those of a table.",
    """FILE is a .csv or .parquet table: a model is trained on it first (preset "synthesis"; --run keeps it). RUN is
one that was. The rows have the table's columns, types, precision and missing cells. --where fixes columns: only rows
with these values are written. --report and --pictures compare as many new rows as there were training rows with real
ones that the training has not used, each number beside that of the training rows themselves.""",
    """Examples

  vaekit synthesize adult.csv -n 10000 --out synthetic.csv --run runs/adult
  vaekit synthesize runs/adult -n 500 --where income=">50K" --where sex=Female --out some.csv
  vaekit synthesize runs/adult --out more.parquet --report report.json --pictures pictures/ --target income
""",
    "vaekit.cli.synthesize:synthesize",
)
COMPRESS = Text(
    "vaekit compress RUN [DATA] [--out FILE.vae] [OPTIONS]",
    "Compress a file or a data set with a trained model, without loss or with --quality.",
    """The size is the model's evidence bound (bits-back coding). DATA is a file (.npy, .npz, IDX, .csv, .tsv)
or a folder of pictures, of which every byte comes back, or a data set by name. Each chunk is decoded again and
compared before the file is kept, unless --no-verify; what the model cannot code is packed without it, and the
output says so. Only the same model, on a machine that computes the same, can decompress the file: it knows, and
refuses all others. With --quality of 0 to 100 pictures become what the model remembers of them: a few bytes for
each; what its reconstruction leaves out comes back at no quality.""",
    """Examples

  vaekit compress runs/mnist new-digits.npy --out new-digits.vae
  vaekit compress runs/mnist mnist --part test --out test.vae
  vaekit compress runs/mnist new-digits.npy --estimate
  vaekit compress runs/mnist new-digits.npy --quality 50 --out small.vae
""",
    "vaekit.cli.compress:compress",
)
DECOMPRESS = Text(
    "vaekit decompress FILE.vae --run RUN --out FILE [OPTIONS]",
    "Get back what was compressed, byte for byte unless a quality was asked for.",
    """RUN is the run that compressed it. Without --rows the file or folder is as it was; a data set, and some
items of an array, are written as .npy or .npz, some rows of a table as a file like the table's. Only the chunks
that hold the rows are decoded. Damaged chunks are noticed; --recover writes the rest and says what is lost.""",
    """Examples

  vaekit decompress new-digits.vae --run runs/mnist --out new-digits.npy
  vaekit decompress test.vae --run runs/mnist --out some.npy --rows 1000:2000
  vaekit decompress damaged.vae --run runs/mnist --out rest.npy --recover
""",
    "vaekit.cli.compress:decompress",
)
COMPARE = Text(
    "vaekit compare DATA ENTRANT... [OPTIONS]",
    "Train several choices side by side and say which is best.",
    """An ENTRANT is a preset or a file of choices. All are trained on the same split, each with several seeds, and
judged on examples that none has seen: one table with 95 % intervals over the seeds, a winner for each measure where
they allow it, and pictures of samples, reconstructions and measures side by side. Options of training apply to all
entrants. Typed again, the command continues where it was stopped, and adds entrants and seeds.""",
    """Examples

  vaekit compare digits pca autoencoder beta-vae --epochs 30
  vaekit compare fashion-mnist article-heldout vq-vae --seeds 1 --out comparisons/sharp
  vaekit compare photos/ mine.toml sigma-vae --resize 32
""",
    "vaekit.cli.compare:compare",
)
REFIT = Text(
    "vaekit refit RUN --prior NAME [OPTIONS]",
    "Give a trained run a better prior.",
    """Encoder and decoder stay as they are; the new prior is fitted to the latents of the training examples, so that
samples look more like the data and the bound gets tighter. --prior.OPTION VALUE sets an option of the prior. The result
is a run of its own; RUN is not changed.""",
    """Examples

  vaekit refit runs/article --prior gaussian-mixture
  vaekit refit runs/mine --prior flow --prior.transforms 6 --epochs 50
  vaekit refit runs/codes --prior code-transformer
""",
    "vaekit.cli.refit:refit",
)
EXPLORE = Text(
    "vaekit explore RUN... [OPTIONS]",
    "Look into a run in the browser.",
    """Opens a page on this machine: the plane of the latent space, decoded live under the pointer, the data as points
in it, walks between items, your own items, samples, and how the training went. RUN is the folder of a run, or one that
holds several; a run that is still being trained is followed. Needs the extra "serve".""",
    """Examples

  vaekit explore runs/article
  vaekit explore runs/ --port 8000 --no-browser
""",
    "vaekit.cli.serve:explore",
)
SERVE = Text(
    "vaekit serve RUN... [OPTIONS]",
    "Answer requests over HTTP.",
    """The tasks of a run as a service: encode, decode, reconstruct, sample, score, detect, impute, compress; JSON, .npy
and PNG both ways. /docs describes it. RUN is the folder of a run, or one that holds several, which requests name by
?run=NAME. Only this machine is answered unless --host says otherwise, which needs a token: --token or $VAEKIT_TOKEN.
Needs the extra "serve".""",
    """Examples

  vaekit serve runs/article
  vaekit serve runs/article runs/people --port 9000
  VAEKIT_TOKEN=$(openssl rand -hex 16) vaekit serve runs/article --host 0.0.0.0
""",
    "vaekit.cli.serve:serve",
)
EXPORT_PAGE = Text(
    "vaekit export-page RUN OUT.html [OPTIONS]",
    'Write what "explore" shows as one file to send to someone.',
    """The file opens in any browser, offline: the plane of the latent space, decoded beforehand, some of the data as
points in it with their reconstructions, the training, and the model's card and numbers. It holds items of the data:
send it only to those who may see them. Needs the extra "serve".""",
    """Examples

  vaekit export-page runs/article article.html
  vaekit export-page runs/people people.html --side 16 --points 500
""",
    "vaekit.cli.export_page:export_page",
)
INFO = Text(
    "vaekit info [RUN|PRESET]",
    "Show what a run or a preset consists of, or what there is.",
    """For a run or a preset: its choices, and its layers with shapes and parameter counts. Without either: versions,
device, presets, and every network, likelihood, prior, objective and schedule with its options and the defaults.""",
    """Examples

  vaekit info
  vaekit info article
  vaekit info runs/article
""",
    "vaekit.cli.info:info",
)
DATA = Text(
    "vaekit data COMMAND",
    "List, show and fetch data sets.",
    examples="""Examples

  vaekit data list
  vaekit data show fashion-mnist
  vaekit data fetch mnist
""",
    commands={
        "list": Text(
            "vaekit data list",
            "List the data sets known by name and where they are.",
            examples="Example\n\n  vaekit data list\n",
            target="vaekit.cli.data:list_sets",
        ),
        "show": Text(
            "vaekit data show DATA [OPTIONS]",
            "Show what is in a data set, and what training on it would choose.",
            """DATA is a name or a path, as for training. Of a table it shows what each column is: its kind, missing
cells, values, recorded precision and frequent values. --save writes this to a file; corrected, "vaekit train" takes it
as --columns.""",
            "Examples\n\n  vaekit data show digits\n  vaekit data show photos/ --resize 64\n"
            "  vaekit data show people.csv --save people.toml\n",
            "vaekit.cli.data:show_set",
        ),
        "fetch": Text(
            "vaekit data fetch NAME",
            "Download a data set, check it and keep it.",
            "Looked for first in $VAEKIT_DATA_DIR, then in the cache ($VAEKIT_CACHE).",
            "Example\n\n  vaekit data fetch fashion-mnist\n",
            "vaekit.cli.data:fetch_set",
        ),
    },
)

COMMANDS = {
    "train": TRAIN,
    "evaluate": EVALUATE,
    "plot": PLOT,
    "sample": SAMPLE,
    "reconstruct": RECONSTRUCT,
    "encode": ENCODE,
    "detect": DETECT,
    "impute": IMPUTE,
    "synthesize": SYNTHESIZE,
    "compress": COMPRESS,
    "decompress": DECOMPRESS,
    "compare": COMPARE,
    "refit": REFIT,
    "explore": EXPLORE,
    "serve": SERVE,
    "export-page": EXPORT_PAGE,
    "info": INFO,
    "data": DATA,
}
