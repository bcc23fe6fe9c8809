"""Several choices, trained on one split of the data with several seeds and judged by the same measures."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaekit import store
from vaekit.data import Dataset
from vaekit.evaluation.seeds import Better, SeedMean, winner
from vaekit.training import Reporter

from .examples import Examples, choose_examples, parts_of
from .items import load_run_data
from .learning import resume, train
from .presets import PRESETS, preset
from .registry import NOUNS, unknown
from .request import TrainRequest, merged, read_config_file
from .run import Run

SPLIT = 0  # the seed of what is held out, the same for all


@dataclass(frozen=True)
class Measure:
    """A number by which runs are compared: what it is called, its unit, which way is better, and what it says."""

    title: str
    unit: str
    better: Better | None
    about: str


@dataclass(frozen=True)
class Score:
    """What came of one entrant with one seed."""

    entrant: str
    seed: int
    numbers: Mapping[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """The scores of all entrants with all seeds, on which examples, and what the measures are."""

    entrants: tuple[str, ...]
    scores: tuple[Score, ...]
    measures: Mapping[str, Measure]
    description: str

    def values(self, measure: str) -> dict[str, list[float]]:
        """The values of a measure by entrant, those without left out."""
        found: dict[str, list[float]] = {}
        for score in self.scores:
            value = score.numbers.get(measure)
            if value is not None:
                found.setdefault(score.entrant, []).append(value)
        return found

    def interval(self, measure: str, entrant: str) -> SeedMean | None:
        """Mean and confidence interval over the seeds, None where the entrant has no such number."""
        values = self.values(measure).get(entrant)
        return None if values is None else SeedMean.of(values)

    def winner(self, measure: str) -> str | None:
        """The entrant that is better than all others which have the measure, as far as the seeds allow to say."""
        better = self.measures[measure].better
        return None if better is None else winner(self.values(measure), better)

    def shown(self) -> list[str]:
        """The measures that at least one entrant has."""
        return [name for name in self.measures if self.values(name)]

    def to_csv(self) -> str:
        """One line for each entrant and seed."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        names = self.shown()
        writer.writerow(["entrant", "seed", *names])
        for score in self.scores:
            row = [score.numbers.get(name) for name in names]
            writer.writerow([score.entrant, score.seed, *("" if value is None else repr(value) for value in row)])
        return text.getvalue()


def entrant_options(name: str) -> tuple[str, dict[str, Any]]:
    """A preset's name, or the path of a file of choices, as the entrant's name and its options.

    Raises ValueError for an unknown name, OSError for a file that cannot be read.
    """
    path = Path(name)
    if name in PRESETS:
        return name, preset(name)
    if path.suffix in (".toml", ".yaml", ".yml", ".json"):
        options = read_config_file(path)
        inside = options.pop("preset", None)
        return path.stem, {**({} if inside is None else preset(str(inside))), **options}
    raise ValueError(f"{unknown('preset', name, PRESETS)}; or give a .toml, .yaml or .json file of choices")


def requests(data: str, names: Sequence[str], changes: Mapping[str, Any], seeds: int) -> dict[str, list[TrainRequest]]:
    """What is trained for each entrant, one request a seed. Raises ValueError and OSError for what cannot be."""
    if len(names) < 1 or seeds < 1:
        raise ValueError(f"a comparison needs at least one preset or file and one seed, got {len(names)} and {seeds}")
    found: dict[str, list[TrainRequest]] = {}
    for given in names:
        name, options = entrant_options(given)
        if name in found:
            raise ValueError(f"two entrants are called {name!r}; rename a file of choices")
        for key, value in changes.items():
            options[key] = merged(key, options.get(key), value) if key in NOUNS else value
        common = {"data": data, "include_test": False, "split_seed": SPLIT}
        common["held_out"] = changes.get("held_out", TrainRequest.model_fields["held_out"].default)
        found[name] = [TrainRequest.parse({**options, **common, "seed": seed}) for seed in range(seeds)]
    return found


def compare(
    entrants: Mapping[str, Sequence[TrainRequest]],
    out: str | Path,
    judge: Callable[[Run, Examples, Examples], dict[str, float | None]],
    measures: Mapping[str, Measure],
    *,
    overwrite: bool = False,
    reporter: Callable[[str], Reporter | None] = lambda title: None,
) -> Comparison:
    """Train and judge every request, keeping all of it in the folder ``out``; what is done there already is not redone.

    ``judge`` gives the numbers of a run on examples that no entrant has seen, knowing the training examples. Raises
    ValueError where ``out`` holds another comparison, and what :func:`vaekit.recipes.train` raises.
    """
    folder = _claim(Path(out), entrants, overwrite)
    dataset = load_run_data(next(iter(entrants.values()))[0])
    scores, description = [], ""
    for name, seeded in entrants.items():
        for request in seeded:
            numbers, kept = {}, folder / name / f"seed-{request.seed}.json"
            if kept.exists():
                content = store.read_json(kept)
                numbers, description = content["numbers"], content["examples"]
            else:
                title = f"{name}, seed {request.seed}"
                run = _trained(request, dataset, kept.with_suffix(""), reporter(title))
                examples = choose_examples(run)
                numbers = judge(run, examples, parts_of(run)["train"]) | _costs(run)
                description = examples.description
                store.write_json(kept, {"numbers": numbers, "examples": description})
            scores.append(Score(name, request.seed, numbers))
    comparison = Comparison(tuple(entrants), tuple(scores), measures, description)
    store.write_text(folder / "comparison.csv", comparison.to_csv())
    return comparison


def runs_of(entrants: Mapping[str, Sequence[TrainRequest]], out: str | Path) -> Iterator[tuple[str, Run]]:
    """The run of each entrant's first seed in a comparison's folder."""
    for name in entrants:
        yield name, Run.load(Path(out) / name / "seed-0")


def _claim(folder: Path, entrants: Mapping[str, Sequence[TrainRequest]], overwrite: bool) -> Path:
    """Make the folder this comparison's, or check that it is."""
    content = {name: [request.to_json() for request in seeded] for name, seeded in entrants.items()}
    stored = folder / "comparison.json"
    if stored.exists() and not overwrite:
        before = store.read_json(stored)
        differing = next((name for name in content if not _agree(before.get(name, []), content[name])), None)
        if differing is not None:
            raise ValueError(
                f"{folder} holds another comparison, in which {differing!r} is trained otherwise; "
                "choose another --out or give --overwrite"
            )
        content = before | {name: max(before.get(name, []), content[name], key=len) for name in content}
    elif folder.exists() and any(folder.iterdir()) and not stored.exists():
        raise FileExistsError(f"{folder} is not empty and holds no comparison; choose another --out")
    elif overwrite:
        for pattern in ("*/seed-*.json", "*/seed-*/README.md", "*/seed-*/checkpoint.safetensors"):
            for kept in folder.glob(pattern):
                kept.unlink()
    folder.mkdir(parents=True, exist_ok=True)
    store.write_json(stored, content)
    return folder


def _agree(before: Sequence[Any], now: Sequence[Any]) -> bool:
    """Whether the requests are the same, as far as both have any: seeds may be added."""
    return all(a == b for a, b in zip(before, now, strict=False))


def _trained(request: TrainRequest, dataset: Dataset, folder: Path, reporter: Reporter | None) -> Run:
    """The run in the folder, trained from where it stands."""
    if (folder / "README.md").exists():  # written last
        return Run.load(folder)
    if (folder / "checkpoint.safetensors").exists():
        return resume(folder, reporter=reporter)
    return train(request, folder, dataset=dataset, overwrite=True, reporter=reporter)


def _costs(run: Run) -> dict[str, float | None]:
    return {
        "parameters": float(sum(p.numel() for p in run.model.parameters())),
        "seconds": float(sum(row["seconds"] for row in run.history)),
    }
