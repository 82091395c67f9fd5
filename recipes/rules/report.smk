# The page, and the names of what may be asked for.


rule trained:
    input:
        [f"trained/{run}.json" for run in RUNS if "train" in system_of(run)],


rule report:
    input:
        rules.trained.input,
        [f"measured/{run}.json" for run in RUNS],
        ["measured/held_out.json"] if TEXT else [],
    output:
        "report/report.json",
    params:
        # What the page says that is no figure.
        **{name: config[name] for name in ("title", "notes", "report", "tables", "command")},
        told=[[s.get(key) for key in ("label", "note", "table", "baseline", "published")] for s in SYSTEMS.values()],
        code=code("evaluation/*.py", "evaluation/sections/*", "evaluation/templates/*", "evaluation/metrics/*.py"),
    log:
        "logs/report.log",
    benchmark:
        "benchmarks/report.tsv"
    shell:
        MODULE + "report . > {log} 2>&1"
