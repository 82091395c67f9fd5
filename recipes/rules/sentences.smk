# Free text: samples, language models that score them, figures.

TEXT = next((f"data/{name}" for name in DATA if DATA[name]["kind"] == "sentences"), None)
PIECES = f"--sentencepiece-model {TEXT}/pieces.model"


def sampled_from(run):
    """The run whose checkpoint is sampled: its own, or that of the system it is like, untrained."""
    system, seed = RUNS[run]
    return f"{SYSTEMS[system].get('untrained', system)}.{seed}"


rule sample:
    input:
        lambda wildcards: f"trained/{sampled_from(wildcards.run)}.json",
    output:
        "samples/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("sentences", "train", "untrained")) or "none",
    params:
        checkpoint=lambda wildcards: checkpoint(sampled_from(wildcards.run)),
        untrained=lambda wildcards: (
            "--untrained" if "untrained" in system_of(wildcards.run) else ""
        ),
        points=f"--temperatures {' '.join(map(str, SAMPLE['temperatures']))} "
        + (f"--top-p {' '.join(map(str, SAMPLE['top_p']))} " if SAMPLE["top_p"] else "")
        + f"--num-samples {SAMPLE['number']} --max-length {SAMPLE['max_length']} "
        f"--batch-size {SAMPLE['batch_size']}",
        seed=lambda wildcards: RUNS[wildcards.run][1],
        code=code("evaluation/sample.py", "evaluation/generation.py"),
    log:
        "logs/sample-{run}.log",
    benchmark:
        "benchmarks/sample-{run}.tsv"
    # Before all trainings, and fresh weights after trained ones: the first samples are waited for.
    priority: lambda wildcards: 2000 - ("untrained" in system_of(wildcards.run))
    shell:
        MODULE + "sample {TEXT}/bin --checkpoint {params.checkpoint} {params.untrained} {params.points} "
        "--seed {params.seed} {PIECES} --output samples/{wildcards.run} > {log} 2>&1"


rule unigram:
    input:
        f"{TEXT}/data.json",
    output:
        "samples/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("sentences", "unigram")) or "none",
    params:
        number=SAMPLE["number"],
        seed=lambda wildcards: RUNS[wildcards.run][1],
        code=code("evaluation/unigram.py"),
    log:
        "logs/unigram-{run}.log",
    benchmark:
        "benchmarks/unigram-{run}.tsv"
    priority: 2000
    shell:
        MODULE + "unigram {TEXT}/train.pieces {TEXT}/test.pieces --number {params.number} "
        "--seed {params.seed} --samples samples/{wildcards.run}.txt --json {output} > {log} 2>&1"


rule given_samples:
    input:
        lambda wildcards: system_of(wildcards.run)["samples"],
    output:
        "samples/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("sentences", "samples")) or "none",
    shell:
        """printf '{{"points": [{{"temperature": 1.0, "top_p": 1.0, "samples": "%s"}}]}}\\n' {input} > {output}"""


rule held_out:
    input:
        f"{TEXT}/data.json",
    output:
        text="samples/held_out.txt",
        points="samples/held_out.json",
    params:
        number=SAMPLE["number"],
    shell:
        # As many as samples, since Self-BLEU grows with their number.
        """
        head -n {params.number} {TEXT}/valid.txt > {output.text}
        printf '{{"points": [{{"temperature": null, "top_p": null, "samples": "%s"}}]}}\\n' {output.text} \\
            > {output.points}
        """


# The language model that scores samples reads real text, best such that no system was trained on:
# copying must earn nothing. One that scores the references reads a system's samples of the first seed.
# All have the same budget, and none is chosen by validation, so that only the text they read differs.
rule scoring_language_model:
    input:
        f"{TEXT}/data.json",
        lambda wildcards: [] if wildcards.run == "real" else f"samples/{wildcards.run}.json",
    output:
        "scorers/{run}.json",
    params:
        text=lambda wildcards: (
            f"{TEXT}/valid.txt" if wildcards.run == "real" else f"samples/{wildcards.run}/t1.00.txt"
        ),
        updates=SCORE and SCORE["updates"],
    log:
        "logs/scorer-{run}.log",
    benchmark:
        "benchmarks/scorer-{run}.tsv"
    priority: 1000
    shell:
        PYTHON + "{RECIPES}/lib/train_scorer.py {params.text} --data {TEXT} --updates {params.updates} "
        "--output scorers/{wildcards.run} > {log} 2>&1"


def reverse_scored(run):
    """Whether a language model is trained on the run's samples: those of the first seed."""
    trained = run in RUNS and "train" in system_of(run)
    return SCORE and trained and RUNS[run][1] == system_of(run)["seeds"][0]


rule measure:
    input:
        samples="samples/{run}.json",
        data=f"{TEXT}/data.json",
        scorers=lambda wildcards: (["scorers/real.json"] if SCORE else [])
        + ([f"scorers/{wildcards.run}.json"] if reverse_scored(wildcards.run) else []),
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run="|".join([*runs_of("sentences", "train", "untrained", "unigram", "samples"), "held_out"]),
    params:
        scorers=lambda wildcards: (
            (f"--scorer scorers/real/checkpoint_last.pt --scorer-data {TEXT}/bin {PIECES} " if SCORE else "")
            + (
                f"--reverse-scorer scorers/{wildcards.run}/checkpoint_last.pt"
                if reverse_scored(wildcards.run)
                else ""
            )
        ),
        code=code("evaluation/measure.py", "evaluation/metrics/*.py"),
    log:
        "logs/measure-{run}.log",
    benchmark:
        "benchmarks/measure-{run}.tsv"
    priority: 2000
    shell:
        MODULE + "measure {input.samples} --references {TEXT}/test.txt --train {TEXT}/train.txt "
        "{params.scorers} --output {output} > {log} 2>&1"
