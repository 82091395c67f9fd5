# Translations of the test split.

PAIRS = next((f"data/{name}" for name in DATA if DATA[name]["kind"] == "pairs"), None)


rule translate:
    input:
        "trained/{run}.json",
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("pairs", "train")) or "none",
    params:
        checkpoint=lambda wildcards: checkpoint(wildcards.run),
        decodings=" ".join(
            f"--decoding {shlex.quote(f'{name}={flags}')}" for name, flags in config["translate"].items()
        ),
        code=code("evaluation/translate.py", "evaluation/generation.py"),
    log:
        "logs/translate-{run}.log",
    benchmark:
        "benchmarks/translate-{run}.tsv"
    priority: 2000
    shell:
        MODULE + "translate {PAIRS}/bin --checkpoint {params.checkpoint} {params.decodings} "
        "--sentencepiece-model {PAIRS}/pieces.model --output translations/{wildcards.run} "
        "--json {output} > {log} 2>&1"


rule given_translations:
    input:
        lambda wildcards: system_of(wildcards.run)["samples"],
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("pairs", "samples")) or "none",
    params:
        decoding=next(iter(config["translate"]), ""),
    shell:
        """printf '{{"settings": {{}}, "points": [{{"decoding": "%s", "translations": "%s"}}]}}\\n' \\
            {params.decoding:q} {input} > {output}"""
