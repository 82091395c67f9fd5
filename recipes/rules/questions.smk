# Answers to the questions of the test split.


use rule measure as answer with:
    input:
        "trained/{run}.json",
    wildcard_constraints:
        run=runs_of("questions", "train"),
    params:
        command=lambda wildcards: (
            f"answer {QUESTIONS}/bin/{answered(wildcards.run)} --checkpoint {checkpoint(wildcards.run)} "
            f"--form {answered(wildcards.run)} --questions {QUESTIONS}/test.tsv "
            f"--sentencepiece-model {QUESTIONS}/pieces.model "
            f"--output answers/{wildcards.run}.txt --json measured/{wildcards.run}.json"
        ),
        code=code("evaluation/answer.py", "evaluation/generation.py", "evaluation/metrics/question_answering.py"),


def answered(run):
    """The form in which a run is asked: who was trained on text is a language model of lines."""
    return "pairs" if system_of(run)["form"] == "pairs" else "lines"
