# Translations of the test split.

DECODINGS = " ".join(
    f"--decoding {shlex.quote(f'{name}={flags}')}" for name, flags in config["translate"].items()
)


use rule measure as translate with:
    input:
        "trained/{run}.json",
    wildcard_constraints:
        run=runs_of("pairs", "train"),
    params:
        command=lambda wildcards, output: (
            f"translate {PAIRS}/bin --checkpoint {checkpoint(wildcards.run)} {DECODINGS} "
            f"--sentencepiece-model {PAIRS}/pieces.model --output translations/{wildcards.run} "
            f"--json {output}"
        ),
        code=code("evaluation/translate.py", "evaluation/generation.py"),


use rule given_samples as given_translations with:
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run=runs_of("pairs", "samples"),
    params:
        made=lambda wildcards, input: points(
            translations=str(input), decoding=next(iter(config["translate"]), "")
        ),
