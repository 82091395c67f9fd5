# Images of every saved checkpoint.

IMAGES = next((f"data/{name}" for name in DATA if DATA[name]["kind"] == "images"), None)


rule draw:
    input:
        "trained/{run}.json",
    output:
        "images/{run}.json",
    params:
        number=SAMPLE["number"],
        seed=lambda wildcards: RUNS[wildcards.run][1],
        code=code("evaluation/image_samples.py"),
    log:
        "logs/draw-{run}.log",
    benchmark:
        "benchmarks/draw-{run}.tsv"
    shell:
        # The best checkpoint has no use here: a GAN's losses do not say how good its images are.
        "shopt -s nullglob; "
        + MODULE
        + "image_samples models/{wildcards.run}/checkpoint_*_*.pt models/{wildcards.run}/checkpoint_last.pt "
        "--num-samples {params.number} --seed {params.seed} --output images/{wildcards.run}/ "
        "--json {output} > {log} 2>&1"


rule measure_images:
    input:
        "images/{run}.json",
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("images", "train")) or "none",
    params:
        code=code("evaluation/image_quality.py", "evaluation/metrics/*.py"),
    log:
        "logs/measure-{run}.log",
    benchmark:
        "benchmarks/measure-{run}.tsv"
    shell:
        MODULE + "image_quality {IMAGES} {input} --points {output} "
        "--held-out measured/held_out_images.json > {log} 2>&1"
