# Texts or images, pieces, and what fairseq-train reads.


rule data:
    input:
        lambda wildcards: DATA[wildcards.data].get("files", []),
    output:
        "data/{data}/data.json",
    params:
        given=lambda wildcards: DATA[wildcards.data],
        contents=lambda wildcards: contents(DATA[wildcards.data].get("files", [])),
    log:
        "logs/data-{data}.log",
    benchmark:
        "benchmarks/data-{data}.tsv"
    priority: 10000
    shell:
        PYTHON + "{LIB:q}/prepare_data.py experiment.json {wildcards.data} > {log} 2>&1"
