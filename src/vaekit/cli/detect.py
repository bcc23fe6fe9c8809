"""``vaekit detect``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from cyclopts import Parameter
from cyclopts.validators import Number

from . import show
from .common import AT_LEAST_ONE, Device, note, refuse, status

if TYPE_CHECKING:
    from vaekit import VAEDetector

ROWS = 50_000  # scored at once
KEPT = 200_000  # scores kept for the picture, from the first on
SHARE = Number(gt=0, lt=1)


def detect(
    source: Annotated[str, Parameter(help="a table to learn from (.csv, .tsv, .parquet), or the folder of a run")],
    /,
    *,
    data: Annotated[str | None, Parameter(help="rows to judge, instead of those of SOURCE", metavar="FILE")] = None,
    out: Annotated[str | None, Parameter(help="write every row's score: .csv or .parquet", metavar="FILE")] = None,
    explain: Annotated[
        int, Parameter(help="how many of the most surprising rows to explain", validator=Number(gte=0))
    ] = 5,
    contamination: Annotated[
        float | None, Parameter(help="share of the rows learned from that are anomalies", validator=SHARE)
    ] = None,
    false_alarm: Annotated[
        float, Parameter(help="without contamination: share of normal rows that may be called so", validator=SHARE)
    ] = 0.01,
    robustness: Annotated[
        float,
        Parameter(help="weight of the model of the core; 0 where all rows are normal", validator=Number(gte=0, lte=1)),
    ] = 0.1,
    trim: Annotated[
        float,
        Parameter(help="share of the rows, those unlike the others, not in the core", validator=Number(gte=0, lt=1)),
    ] = 0.4,
    run: Annotated[str | None, Parameter(help="folder to keep the detector in that is trained", metavar="RUN")] = None,
    picture: Annotated[str | None, Parameter(help="folder for pictures of surprises and causes", metavar="DIR")] = None,
    epochs: Annotated[int | None, Parameter(help="passes over the rows in training", validator=AT_LEAST_ONE)] = None,
    as_json: Annotated[bool, Parameter(name="--json", help="print JSON, not text", show_default=False)] = False,
    seed: Annotated[int, Parameter(help="seed of training and scores")] = 0,
    device: Device = "auto",
) -> None:
    """Find the most surprising rows of a table, or images, and say why."""
    from . import files

    if out is not None:
        files.check_table(out)
    choices: dict[str, Any] = {"contamination": "auto" if contamination is None else contamination, "device": device,
                               "false_alarm": false_alarm, "seed": seed, "robustness": robustness, "trim": trim,
                               "epochs": epochs}  # fmt: skip
    detector = _loaded(source, run, choices) if Path(source).is_dir() else _trained(source, run, choices)
    found = _judged(detector, _parts(detector, source, data), out, explain)
    found.explain(detector)
    if picture is not None:
        _draw(found, Path(picture))
    if as_json:
        print(json.dumps(found.to_json(), default=str))
    else:
        _print(found, explain)
        if out is not None:
            print(f"{found.rows:,} scores in {out}")


@dataclass
class Found:
    """Counts over all rows, and the most surprising ones: where they are, the rows themselves, why."""

    threshold: float
    rows: int = 0
    anomalies: int = 0
    scores: list[np.ndarray] = field(default_factory=list)
    top: list[tuple[float, int, Any]] = field(default_factory=list)
    causes: list[list[str]] = field(default_factory=list)
    p_values: list[float] = field(default_factory=list)
    baseline: list[float] | None = None
    explanation: Any = None

    def take(self, scores: np.ndarray, part: Any, count: int) -> None:
        """Count a part's rows, and keep the most surprising of them and those before."""
        best = np.argsort(-scores, kind="stable")[:count]
        rows = [(float(scores[at]), self.rows + int(at), part[np.array([at])]) for at in best]
        self.top = sorted([*self.top, *rows], key=lambda row: -row[0])[:count]
        if self.rows < KEPT:
            self.scores.append(scores)
        self.rows, self.anomalies = self.rows + len(scores), self.anomalies + int((scores > self.threshold).sum())

    def explain(self, detector: VAEDetector) -> None:
        """Say of the most surprising rows what makes them so."""
        if not self.top:
            return
        rows = joined([row for _, _, row in self.top])
        self.explanation = detector.explain(rows, top=3)
        self.p_values = detector.p_values(rows).tolist()
        verdict = detector.baseline_p_values(rows)
        self.baseline = None if verdict is None else verdict.tolist()
        self.causes = [[str(c) for c in self.explanation.causes if c.row == at] for at in range(len(self.top))]

    def to_json(self) -> dict[str, Any]:
        """What is printed, as plain objects."""
        tops = [
            {
                "row": index,
                "surprise": score,
                "p_value": self.p_values[at],
                "baseline_p_value": None if self.baseline is None else self.baseline[at],
                "latent": float(self.explanation.latent[at]),
                "causes": [c for c in self.explanation.to_records() if c["row"] == at],
            }
            for at, (score, index, _) in enumerate(self.top)
        ]
        return {"rows": self.rows, "anomalies": self.anomalies, "threshold": self.threshold, "most_surprising": tops}


def joined(parts: list[Any]) -> Any:
    """Tables, or arrays, one below the other."""
    first = parts[0]
    if isinstance(first, np.ndarray):
        return np.concatenate(parts)
    columns = {name: np.concatenate([part.columns[name] for part in parts]) for name in first.columns}
    return type(first)(columns, first.dtypes, first.native)


def _trained(source: str, out: str | None, choices: dict[str, Any]) -> VAEDetector:
    """A detector that has learned from a file."""
    from vaekit import VAEDetector

    detector = VAEDetector(**choices).fit(source)
    if out is not None:
        note(f"the detector is in {detector.save(out)}")
    return detector


def _loaded(source: str, out: str | None, choices: dict[str, Any]) -> VAEDetector:
    """The detector in a folder, or one of the run that is there. Raises ValueError for choices that come too late."""
    from vaekit import VAEDetector
    from vaekit.recipes.detection import FILE

    is_detector, usual = (Path(source) / FILE).exists(), VAEDetector().get_params()
    free = ("device",) if is_detector else ("device", "seed", "contamination", "false_alarm")
    late = {f"--{name.replace('_', '-')}": choices[name] != usual[name] for name in choices if name not in free}
    refuse(f"{source} is trained already", {"--run": out, **late})
    if is_detector:
        return VAEDetector.load(source, device=choices["device"])
    with status("finding the threshold"):
        return VAEDetector.from_run(source, **{name: choices[name] for name in free})


def _parts(detector: VAEDetector, source: str, data: str | None) -> Iterator[Any]:
    """The items to judge, some at a time; a file's are read as they are needed."""
    from vaekit.data.frames import FILES
    from vaekit.recipes import choose_examples

    path = data if data is not None or Path(source).is_dir() else source
    schema = detector.runs_[0].schema
    if schema.kind == "table" and path is not None and Path(path).suffix.lower() in FILES:
        yield from schema.stream(path, ROWS)
        return
    x = choose_examples(detector.runs_[0], data).x
    for start in range(0, len(x), ROWS):
        yield x[start : start + ROWS]


def _judged(detector: VAEDetector, parts: Iterator[Any], out: str | None, count: int) -> Found:
    """Score all parts, one after the other, and write the scores."""
    from vaekit.tasks import p_values

    from .scores import ScoreFile

    found = Found(-detector.offset_)
    with ScoreFile(out) as file, status("scoring") as waiting:
        for part in parts:
            scores = -detector.score_samples(part)
            p = p_values(scores, detector.held_out_)
            start = found.rows
            found.take(scores, part, count)
            file.write({"row": np.arange(start, found.rows), "surprise": scores, "p_value": p,
                        "anomaly": scores > found.threshold})  # fmt: skip
            if waiting:
                waiting.update(f"scoring: {found.rows:,} rows")
    return found


def _draw(found: Found, folder: Path) -> None:
    """The distribution of surprises, and the causes of the most surprising rows."""
    from vaekit import plots

    folder.mkdir(parents=True, exist_ok=True)
    plots.save(plots.surprise(np.concatenate(found.scores), found.threshold), folder / "surprise.png")
    names = ["surprise.png"]
    why = found.explanation
    if why is not None and why.columns:
        rows = [f"row {index:,}" for _, index, _ in found.top]
        values = [[str(row.columns[name][0]) for name in why.columns] for _, _, row in found.top]
        plots.save(plots.causes(why.added, why.columns, rows, values), folder / "causes.png")
        names.append("causes.png")
    note(f"{', '.join(names)} in {folder}")


def _print(found: Found, count: int) -> None:
    out = show.console()
    share = f"{found.anomalies:,} of {found.rows:,} rows are anomalies"
    out.print(f"{share}: more surprising than {found.threshold:,.1f} nats", style="bold", soft_wrap=True)
    for at, (score, index, _) in enumerate(found.top[:count]):
        verdict = "" if found.baseline is None else f", linear-Gaussian p = {found.baseline[at]:.4f}"
        out.print(f"\nrow {index:,}: {score:,.1f} nats, p = {found.p_values[at]:.4f}{verdict}", style="bold")
        for cause in found.causes[at]:
            out.print(f"  {cause}", soft_wrap=True)
        out.print(f"  latent part: {found.explanation.latent[at]:,.1f} nats", style="dim")
