# Free text: samples, language models that score them, figures. Other kinds of data use `sample` and
# `measure` with commands of their own.

PIECES = f"--sentencepiece-model {TEXT}/pieces.model"
TOKENIZE = f"--tokenize {config['tokenize']}" if config.get("tokenize") else ""


def sampled_from(run):
    """The run whose checkpoint is sampled: its own, or that of the system it is like."""
    system = system_of(run)
    return f"{system.get('untrained', system.get('resampled', RUNS[run][0]))}.{seed_of(run)}"


def points_of(run):
    """Temperatures and top-p at which a run is sampled; a system's own temperatures stand for all."""
    system = system_of(run)
    return {"temperatures": system["temperatures"], "top_p": []} if "temperatures" in system else SAMPLE


def point_flags(run):
    """Flags of `evaluation.sample` for what a run is sampled at."""
    points = points_of(run)
    return (
        f"--temperatures {' '.join(map(str, points['temperatures']))} "
        f"--top-p {' '.join(map(str, points['top_p']))} --num-samples {SAMPLE['number']} "
        f"--max-length {SAMPLE['max_length']} --batch-size {SAMPLE['batch_size']}"
    )


def how_to_sample(run):
    """Flags of `evaluation.sample` and `evaluation.oracle` for a run's system."""
    system = system_of(run)
    flags = ["--untrained"] if "untrained" in system else []
    for key, flag in {
        "candidates": "--resample",
        "weight": "--resample-weight",
        "partition_samples": "--partition-samples",
    }.items():
        flags += [flag, str(system[key])] if key in system else []
    return " ".join(flags)


rule sample:
    input:
        lambda wildcards: f"trained/{sampled_from(wildcards.run)}.json",
    output:
        "samples/{run}.json",
    wildcard_constraints:
        run=runs_of("sentences", "train", "untrained", "resampled"),
    params:
        command=lambda wildcards: (
            f"sample {TEXT}/bin --checkpoint {checkpoint(sampled_from(wildcards.run))} "
            f"{how_to_sample(wildcards.run)} {point_flags(wildcards.run)} {PIECES} "
            f"--seed {seed_of(wildcards.run)} --output samples/{wildcards.run}"
        ),
        code=code("evaluation/sample.py", "evaluation/generation.py", "evaluation/residual.py"),
    log:
        "logs/sample-{run}.log",
    benchmark:
        "benchmarks/sample-{run}.tsv"
    # Before all trainings, and fresh weights after trained ones: the first samples are waited for.
    priority: lambda wildcards: 2000 - ("untrained" in system_of(wildcards.run))
    shell:
        MODULE + "{params.command} > {log} 2>&1"


use rule sample as unigram with:
    input:
        f"{TEXT}/data.json",
    wildcard_constraints:
        run=runs_of("sentences", "unigram"),
    params:
        command=lambda wildcards: (
            f"unigram {TEXT}/train.pieces {TEXT}/test.pieces --number {SAMPLE['number']} "
            f"--seed {seed_of(wildcards.run)} --samples samples/{wildcards.run}.txt "
            f"--json samples/{wildcards.run}.json"
        ),
        code=code("evaluation/unigram.py"),


rule given_samples:
    input:
        lambda wildcards: [point["samples"] for point in system_of(wildcards.run)["points"]],
    output:
        "samples/{run}.json",
    wildcard_constraints:
        run=runs_of("sentences", "samples"),
    params:
        contents=lambda wildcards: contents(
            [point["samples"] for point in system_of(wildcards.run)["points"]]
        ),
        made=lambda wildcards: points(*system_of(wildcards.run)["points"]),
    shell:
        "echo {params.made:q} > {output}"


rule held_out:
    input:
        f"{TEXT}/data.json",
    output:
        text="samples/held_out.txt",
        points="samples/held_out.json",
    params:
        number=SAMPLE["number"],
        made=points({"samples": "samples/held_out.txt", "temperature": None, "top_p": None}),
    shell:
        # As many as samples, since Self-BLEU grows with their number.
        "head -n {params.number} {TEXT}/valid.txt > {output.text}; echo {params.made:q} > {output.points}"


# The language model that scores samples reads real text, best such that no system was trained on:
# copying must earn nothing. One that scores the references reads a system's samples of the first seed.
# All have the same budget, and none is chosen by validation, so that only the text they read differs.
def scorer_texts(run):
    """What the language models of a run read: validation text, or samples, one each."""
    if run == "real":
        return f"{TEXT}/valid.txt"
    temperatures = points_of(run)["temperatures"] if SCORE["points"] == "all" else [1.0]
    return " ".join(f"samples/{run}/t{temperature:.2f}.txt" for temperature in temperatures)


rule scoring_language_model:
    input:
        f"{TEXT}/data.json",
        lambda wildcards: [] if wildcards.run == "real" else f"samples/{wildcards.run}.json",
    output:
        "scorers/{run}.json",
    params:
        texts=lambda wildcards: scorer_texts(wildcards.run),
        updates=SCORE and SCORE["updates"],
    log:
        "logs/scorer-{run}.log",
    benchmark:
        "benchmarks/scorer-{run}.tsv"
    priority: 1000
    shell:
        PYTHON + "{LIB:q}/train_scorer.py {TEXT} {params.updates} scorers/{wildcards.run} {params.texts} > {log} 2>&1"


def reverse_scored(run):
    """Whether a language model is trained on the run's samples: those of the first seed."""
    sampled = run in RUNS and not {"train", "resampled"}.isdisjoint(system_of(run))
    return SCORE and sampled and seed_of(run) == system_of(run)["seeds"][0]


rule measure:
    input:
        samples="samples/{run}.json",
        data=f"{TEXT}/data.json",
        scorers=lambda wildcards: (["scorers/real.json"] if SCORE else [])
        + ([f"scorers/{wildcards.run}.json"] if reverse_scored(wildcards.run) else []),
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run=runs_of("sentences", "train", "untrained", "resampled", "unigram", "samples") + "|held_out",
    params:
        command=lambda wildcards: (
            f"measure samples/{wildcards.run}.json --references {TEXT}/test.txt --train {TEXT}/train.txt {PIECES} {TOKENIZE} "
            + (f"--scorer scorers/real/valid/checkpoint_last.pt --scorer-data {TEXT}/bin " if SCORE else "")
            + ("--score-all-points " if SCORE and SCORE["points"] == "all" else "")
            # Held-out text is what the scoring language model has read, so the references stand for it.
            + (f"--scored {TEXT}/test.txt " if SCORE and wildcards.run == "held_out" else "")
            + (f"--reverse-scorers scorers/{wildcards.run} " if reverse_scored(wildcards.run) else "")
            + f"--output measured/{wildcards.run}.json"
        ),
        code=code("evaluation/measure.py", "evaluation/metrics/*.py"),
    log:
        "logs/measure-{run}.log",
    benchmark:
        "benchmarks/measure-{run}.tsv"
    priority: 2000
    shell:
        MODULE + "{params.command} > {log} 2>&1"
