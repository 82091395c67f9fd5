# Trainings. A folder of checkpoints is no output, which Snakemake would delete when a training is
# stopped: the file that is written at its end is.


rule flops:
    input:
        lambda wildcards: f"data/{SYSTEMS[wildcards.system]['data']}/data.json",
    output:
        "flops/{system}.json",
    params:
        data=lambda wildcards: "data/{data}/bin/{form}".format(**{"form": "", **SYSTEMS[wildcards.system]}),
        flags=lambda wildcards: SYSTEMS[wildcards.system]["flags"],
        code=code("flops.py"),
    log:
        "logs/flops-{system}.log",
    benchmark:
        "benchmarks/flops-{system}.tsv"
    priority: 9000
    shell:
        PYTHON + "-m fairseq_genext.flops {params.data} {params.flags} --output {output} > {log} 2>&1"


def needed_to_train(wildcards):
    system = SYSTEMS[wildcards.system]
    needed = {"data": f"data/{system['data']}/data.json"}
    if "start" in system:
        needed["start"] = f"trained/{system['start']}.{wildcards.seed}.json"
    if system["counted"]:
        needed["flops"] = f"flops/{wildcards.system}.json"
    return needed


rule train:
    input:
        unpack(needed_to_train),
    output:
        "trained/{system}.{seed}.json",
    params:
        flags=lambda wildcards: SYSTEMS[wildcards.system]["flags"],
        checkpoint=lambda wildcards: SYSTEMS[wildcards.system]["checkpoint"],
    log:
        "logs/train-{system}.{seed}.log",
    benchmark:
        "benchmarks/train-{system}.{seed}.tsv"
    # Where there are GPUs, compare.py has one of these: fairseq-train takes all GPUs that it sees.
    resources:
        gpus_of_the_machine=1,
    # They start in the order of the file.
    priority: lambda wildcards: len(RUNS) - list(RUNS).index(f"{wildcards.system}.{wildcards.seed}")
    shell:
        PYTHON + "{LIB:q}/train.py experiment.json {wildcards.system} {wildcards.seed} > {log} 2>&1"
