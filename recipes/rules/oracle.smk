# Generators measured by the oracle whose text they learned.


use rule measure as oracle with:
    input:
        lambda wildcards: f"trained/{sampled_from(wildcards.run)}.json",
    wildcard_constraints:
        run=runs_of("oracle", "train", "resampled"),
    params:
        # A GAN is a point; a likelihood model is a curve over temperatures.
        command=lambda wildcards: (
            f"oracle {ORACLE}/bin --oracle {ORACLE}/oracle.npz --checkpoint {checkpoint(sampled_from(wildcards.run))} "
            f"--num-samples {SAMPLE['number']} --seed {seed_of(wildcards.run)} --temperatures "
            + ("1.0 " if system_of(wildcards.run)["family"] == "gan" else f"{' '.join(map(str, SAMPLE['temperatures']))} ")
            + f"{how_to_sample(wildcards.run)} --output measured/{wildcards.run}.json"
        ),
        code=code("evaluation/oracle.py", "evaluation/residual.py", "evaluation/metrics/*.py"),
