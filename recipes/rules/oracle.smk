# Generators measured by the oracle whose text they learned.

ORACLE = next((f"data/{name}" for name in DATA if DATA[name]["kind"] == "oracle"), None)


rule oracle:
    input:
        "trained/{run}.json",
    output:
        "measured/{run}.json",
    wildcard_constraints:
        run="|".join(runs_of("oracle", "train")) or "none",
    params:
        checkpoint=lambda wildcards: checkpoint(wildcards.run),
        # A GAN is a point; a likelihood model is a curve over temperatures.
        temperatures=lambda wildcards: (
            "1.0"
            if system_of(wildcards.run)["family"] == "gan"
            else " ".join(map(str, SAMPLE["temperatures"]))
        ),
        number=SAMPLE["number"],
        seed=lambda wildcards: RUNS[wildcards.run][1],
        code=code("evaluation/oracle.py", "evaluation/metrics/*.py"),
    log:
        "logs/oracle-{run}.log",
    benchmark:
        "benchmarks/oracle-{run}.tsv"
    priority: 2000
    shell:
        MODULE + "oracle {ORACLE}/bin --oracle {ORACLE}/oracle.npz --checkpoint {params.checkpoint} "
        "--temperatures {params.temperatures} --num-samples {params.number} --seed {params.seed} "
        "--output {output} > {log} 2>&1"
