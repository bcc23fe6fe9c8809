"""Measure vaekit beside its peers; each measurement is a process of its own, peers and ours in turn, several rounds.

    python -m benchmarks speed [--rounds 5]   # step times, memory, start-up: about 10 minutes
    python -m benchmarks article              # the article's 10 epochs, Keras's and ours: an hour or two
    python -m benchmarks members [--steps 400] [--only vamp]    # pythae's VAMP, BetaTCVAE and VQVAE: half an hour
    python -m benchmarks nats mnist-gated     # a test likelihood, or a published one: minutes to hours, see nats.py
    python -m benchmarks samples              # Fréchet distances of article-heldout and codes: half an hour each
    python -m benchmarks table-nats [--seeds 1] [--only Wine]   # rows of 8 tables beside EM and its copula
    python -m benchmarks synthesis            # synthetic rows of Adult, ours and simple generators: 20 minutes a seed
    python -m benchmarks anomalies [--seeds 5] [--rows 50000]   # 22 tables and images against detectors: hours
    python -m benchmarks table-speed          # fits of small tables, steps beside PyOD's VAE: two minutes
    python -m benchmarks compression [--only mnist [--run RUN]]    # bits of test sets: hours of training, or minutes
    python -m benchmarks service [--requests 100000]    # vaekit serve: images a second, latencies, memory: 2 minutes
    python -m benchmarks page [--run RUN]     # the page in a browser: first picture, pointer to frame, 70,000 points
    python -m benchmarks                      # speed, article and members

Ratios are medians over rounds, because machines are noisy. Results are kept in benchmarks/results, one JSON file each.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import statistics
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
RESULTS = HERE / "results"
SPRINT = 3  # epochs of article-fast in which the loss of ten epochs of Keras is to be reached
KERAS = [sys.executable, str(HERE / "peers" / "keras_article.py")]
PYTHAE = [sys.executable, str(HERE / "peers" / "pythae_article.py")]
OURS = [sys.executable, "-m", "benchmarks.ours"]
VAEKIT = [sys.executable, "-m", "vaekit"]


def last_line(command: list[str]) -> dict:
    """The JSON object that a measurement prints last; its error output if it fails."""
    done = subprocess.run(command, capture_output=True, text=True, cwd=HERE.parent, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def seconds(command: list[str]) -> float:
    """Wall time of a command."""
    start = time.perf_counter()
    subprocess.run(command, capture_output=True, cwd=HERE.parent, check=True)
    return time.perf_counter() - start


def processor() -> str:
    """The processor's name, with what matters of its instruction set."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor()
    name = next((line.split(":")[1].strip() for line in text.splitlines() if line.startswith("model name")), "unknown")
    found = [flag for flag in ("avx2", "avx512f", "amx_bf16") if f" {flag}" in text]
    return f"{name}, {os.cpu_count()} cores, {' '.join(found)}"


def keep(name: str, result: dict) -> dict:
    """Write a result with the machine it was measured on, and print it."""
    RESULTS.mkdir(exist_ok=True)
    result = {"processor": processor(), "date": time.strftime("%Y-%m-%d"), **result}
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2), flush=True)
    return result


def speed(rounds: int) -> None:
    """Step time, peak memory and start-up, in interleaved rounds."""
    has_amx = "amx_bf16" in processor()
    sides = {
        "keras_fp32": [*KERAS, "steps"],
        "ours_fp32": [*OURS, "steps"],
        "fast_fp32": [*OURS, "steps", "--preset", "article-fast", "--count", "60"],
        "pythae_fp32": PYTHAE,
        **({"keras_bf16": [*KERAS, "steps", "--precision", "mixed_bfloat16"]} if has_amx else {}),
        **({"ours_bf16": [*OURS, "steps", "--precision", "bf16"]} if has_amx else {}),
        **({"fast_bf16": [*OURS, "steps", "--preset", "article-fast", "--precision", "bf16"]} if has_amx else {}),
        "ceilings": [*OURS, "ceilings", "--precision", "bf16" if has_amx else "fp32"],
    }
    table: dict[str, list[dict]] = {name: [] for name in sides}
    for number in range(rounds):
        for name, command in sides.items():
            table[name].append(last_line(command))
        print(f"round {number + 1} of {rounds} done", file=sys.stderr, flush=True)

    def ratio(numerator: str, denominator: str, of: str = "step_ms", under: str = "step_ms") -> float:
        pairs = zip(table[numerator], table[denominator], strict=True)
        return round(statistics.median(a[of] / b[under] for a, b in pairs), 2)

    best = "ours_bf16" if has_amx else "ours_fp32"
    result = {
        "rounds": rounds,
        "median_step_ms": {
            name: round(statistics.median(row["step_ms"] for row in rows), 1)
            for name, rows in table.items()
            if name != "ceilings"
        },
        "keras_fp32_over_ours_fp32": ratio("keras_fp32", "ours_fp32"),
        f"keras_fp32_over_{best}": ratio("keras_fp32", best),
        "pythae_over_ours": ratio("pythae_fp32", best),
        "keras_over_article_fast_step": ratio("keras_fp32", best.replace("ours", "fast")),
        "ours_over_roofline": ratio(best, "ceilings", under="roofline_ms"),
        "ceilings": {
            key: round(statistics.median(row[key] for row in table["ceilings"]), 1)
            for key in ("gflops", "copy_gb_s", "roofline_ms")
        },
        "peak_mib": {
            name: round(max(r["peak_mib"] for r in rows)) for name, rows in table.items() if name != "ceilings"
        },
        "startup_s": {
            "vaekit --help": round(statistics.median(seconds([*VAEKIT, "--help"]) for _ in range(9)), 3),
            "import vaekit": round(
                statistics.median(seconds([sys.executable, "-c", "import vaekit"]) for _ in range(9)), 3
            ),
            "python -c pass": round(statistics.median(seconds([sys.executable, "-c", "pass"]) for _ in range(9)), 3),
        },
        "all": table,
    }
    keep("speed", result)


def article() -> None:
    """Ten epochs of the article in Keras and in our presets, judged on the same images with the same noise."""
    rows = [line for line in subprocess.run(
        [*KERAS, "train", "--epochs", "10"], capture_output=True, text=True, check=True, cwd=HERE.parent
    ).stdout.splitlines() if line.startswith("{")]  # fmt: skip
    keras = {"epochs": [json.loads(row) for row in rows[:-1]], **json.loads(rows[-1])}
    result: dict[str, object] = {"keras": keras}
    for name, options in {
        "article": ["--preset", "article"],
        "article-fast": ["--preset", "article-fast"],
        f"article-fast-{SPRINT}": ["--preset", "article-fast", "--epochs", str(SPRINT)],
    }.items():
        folder = str(HERE.parent / "runs" / f"bench-{name}")
        subprocess.run([*VAEKIT, "train", *options, "--out", folder, "--overwrite"], check=True, cwd=HERE.parent)
        history = [json.loads(line) for line in (Path(folder) / "metrics.jsonl").read_text().splitlines()]
        result[name] = {"epochs": history, "judged": last_line([*OURS, "judge", folder])}
    keep("article", result | {"time_to_loss": time_to_loss(result)})


def time_to_loss(result: dict) -> dict:
    """Keras's steps times its step over the steps of our few epochs times ours; worth something only if ``reached``."""
    per_step = json.loads((RESULTS / "speed.json").read_text())["keras_over_article_fast_step"]
    goal, ours = result["keras"]["judged"]["loss"], result[f"article-fast-{SPRINT}"]["judged"]["loss"]
    ratio = 10 * math.ceil(70_000 / 128) / (SPRINT * math.ceil(70_000 / 64)) * per_step
    return {"keras_loss": goal, "our_loss": ours, "reached": ours <= goal, "ratio": round(ratio, 2)}


def members(rounds: int, steps: int, only: str) -> None:
    """Members of the nouns against pythae's models of the same name; both in this process."""
    from vaekit.cli.memory import keep_large_buffers

    keep_large_buffers()
    from benchmarks.members import CASES, measure, table

    cases = [name for name in CASES if name.startswith(only)]
    print(table(keep("members", measure(rounds, steps, cases))))


def nats(name: str, seed: int, epochs: int | None, run: str | None) -> None:
    """The test likelihood of a recipe, and how far it is from the published figure."""
    from benchmarks.nats import RECIPES, measure

    if name not in RECIPES:
        sys.exit(f"unknown recipe {name!r}; there are {', '.join(RECIPES)}")
    keep(f"nats-{name}-{seed}", measure(name, HERE.parent / "runs", seed=seed, epochs=epochs, evaluated=run))


def samples() -> None:
    """Samples and reconstructions of the article's model and of codes with a transformer prior, in one comparison."""
    folder = HERE.parent / "runs" / "bench-samples"
    compared = [
        "fashion-mnist",
        "article-heldout",
        str(HERE / "codes.toml"),
        "--seeds",
        "1",
        "--samples",
        "20",
        "--json",
    ]
    numbers = last_line([*VAEKIT, "compare", *compared, "--out", str(folder)])
    article, codes = ({key: row[who]["mean"] for key, row in numbers.items() if who in row}
                      for who in ("article-heldout", "codes"))  # fmt: skip
    ratios = {key: round(codes[key] / article[key], 4) for key in ("frechet", "frechet_means", "mse")}
    keep("samples", {"ratios": ratios, "article-heldout": article, "codes": codes})


def synthesis(seeds: int, only: str) -> None:
    """Synthetic rows of Adult."""
    from benchmarks.synthesis import measure, table

    result, kept = measure(seeds, only), RESULTS / "synthesis.json"
    if only and kept.exists():
        result["entrants"] = {**json.loads(kept.read_text())["entrants"], **result["entrants"]}
    print(table(keep("synthesis", result)))


def table_nats(seeds: int, only: str) -> None:
    """Held-out rows of tables under the default model and under linear ones."""
    from benchmarks.table_nats import measure, table

    result, kept = measure(seeds, only), RESULTS / "table-nats.json"
    if only and kept.exists():
        result["tables"] = {**json.loads(kept.read_text())["tables"], **result["tables"]}
    print(table(keep("table-nats", result)))


def anomalies(seeds: int, rows: int, only: str) -> None:
    """Anomalies in ADBench's tables, and in images."""
    from benchmarks.anomalies import measure, table

    print(table(keep("anomalies", measure(seeds, rows, only.split(), RESULTS / "anomalies-measured.json"))))


def imputation(seeds: int, rows: int, only: str) -> None:
    """Missing cells of HI-VAE's tables, and of breast cancer."""
    from benchmarks.imputation import measure

    keep("imputation", measure(seeds, rows, only))


def table_speed(rounds: int) -> None:
    """Fits of small tables, and steps beside PyOD's VAE."""
    from benchmarks.table_speed import measure

    keep("table-speed", measure(rounds))


def compression(only: str, run: str | None) -> None:
    """Files of test sets and of Adult, by a run or by models that are trained for it."""
    from benchmarks.compression import measure, names, table

    if run is not None and not only:
        sys.exit("--run is a run of one data set: name it with --only")
    path = RESULTS / "compression.json"
    for name in names(only):
        found = measure(name, HERE.parent / "runs", run)
        kept = json.loads(path.read_text()) if path.exists() else {}  # also what others measured meanwhile
        keep("compression", {each: kept[each] for each in names("") if each in kept} | {name: found})
    results = json.loads(path.read_text())
    print(table({name: results[name] for name in names("") if name in results}))


def service(run: str | None, requests: int) -> None:
    """The server under load."""
    from benchmarks.service import measure

    keep("service", measure(run, requests))


def page(run: str | None) -> None:
    """The page in a browser."""
    from benchmarks.page import measure

    keep("page", measure(run))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = [
        "speed",
        "article",
        "members",
        "nats",
        "samples",
        "synthesis",
        "table-nats",
        "anomalies",
        "imputation",
        "table-speed",
        "compression",
        "service",
        "page",
        "all",
    ]
    parser.add_argument("what", nargs="?", choices=parts, default="all")
    parser.add_argument("recipe", nargs="?", default="mnist-gated", help="of nats: what to train")
    parser.add_argument("--seed", type=int, default=0, help="of nats")
    parser.add_argument("--epochs", type=int, help="of nats: shorten every stage, to see that a recipe runs")
    parser.add_argument("--run", help="of nats: judge this run instead of training one")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=400, help="of members: training steps in a round")
    parser.add_argument("--only", default="", help="of members: first letters of cases; of anomalies: methods, images")
    parser.add_argument("--seeds", type=int, default=1, help="of synthesis and anomalies: how many")
    parser.add_argument("--rows", type=int, default=50_000, help="of anomalies: the most of a table")
    parser.add_argument("--requests", type=int, default=20_000, help="of service: over how many memory is watched")
    args = parser.parse_args()
    if not os.environ.get("VAEKIT_DATA_DIR"):
        sys.exit("set VAEKIT_DATA_DIR to the folder that holds fashion-mnist/ and mnist/")
    if args.what in ("speed", "all"):
        speed(args.rounds)
    if args.what in ("article", "all"):
        article()
    if args.what in ("members", "all"):
        members(args.rounds, args.steps, args.only)
    if args.what == "nats":
        nats(args.recipe, args.seed, args.epochs, args.run)
    if args.what == "samples":
        samples()
    if args.what == "synthesis":
        synthesis(args.seeds, args.only)
    if args.what == "table-nats":
        table_nats(args.seeds, args.only)
    if args.what == "anomalies":
        anomalies(args.seeds, args.rows, args.only)
    if args.what == "imputation":
        imputation(args.seeds, args.rows, args.only)
    if args.what == "table-speed":
        table_speed(args.rounds)
    if args.what == "compression":
        compression(args.only, args.run)
    if args.what == "service":
        service(args.run, args.requests)
    if args.what == "page":
        page(args.run)


if __name__ == "__main__":
    main()
