# The page, and the names of what may be asked for.


rule trained:
    input:
        [f"trained/{run}.json" for run in RUNS if "train" in system_of(run)],


rule report:
    input:
        rules.trained.input,
        [f"measured/{run}.json" for run in RUNS if DATA[system_of(run)["data"]]["kind"] != "characters"],
        ["measured/held_out.json"] if TEXT else [],
    output:
        "report/report.json",
    params:
        # What the page says that is no figure; by a function, or braces in a text would be wildcards.
        told=lambda wildcards: json.dumps(
            [config[name] for name in ("title", "notes", "report", "tables", "command", "systems")]
            + [config.get("tokenize")]
        ),
        code=code("evaluation/*.py", "evaluation/sections/*", "evaluation/templates/*", "evaluation/metrics/*.py"),
    log:
        "logs/report.log",
    shell:
        MODULE + "report . > {log} 2>&1"
