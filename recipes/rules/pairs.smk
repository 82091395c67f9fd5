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
        command=lambda wildcards: (
            f"translate {PAIRS}/bin --checkpoint {checkpoint(wildcards.run)} {DECODINGS} "
            f"--sentencepiece-model {PAIRS}/pieces.model --output translations/{wildcards.run} "
            f"--json measured/{wildcards.run}.json"
        ),
        code=code("evaluation/translate.py", "evaluation/generation.py"),


use rule given_samples as given_translations with:
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run=runs_of("pairs", "samples"),
    params:
        contents=lambda wildcards: contents([system_of(wildcards.run)["samples"]]),
        made=lambda wildcards: points(
            {
                "translations": system_of(wildcards.run)["samples"],
                "decoding": next(iter(config["translate"]), ""),
            }
        ),
