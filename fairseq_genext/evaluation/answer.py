"""Answers the questions of a data folder with one checkpoint, greedily, and scores the answers.

    python -m fairseq_genext.evaluation.answer DATA --checkpoint PATH --questions test.tsv \\
        --form lines --sentencepiece-model PIECES.model --output answers/gpt.txt --json gpt.json

The test split of DATA has the questions of test.tsv (see ``data.questions``), in order: with --form
lines a language model's lines, prompt <sep> answer, with --form pairs a translation model's pairs
of prompt and answer. The JSON has one point: the path of the answers, exact_match and f1 of all
questions, by_task, and by_facts, the number of facts to combine, each with its number of questions.
"""

import statistics
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from fairseq_genext.data.questions import SEPARATOR, Question, read_questions
from fairseq_genext.errors import UsageError, require_positive
from fairseq_genext.evaluation import command
from fairseq_genext.evaluation.checkpoints import require_checkpoint
from fairseq_genext.evaluation.generation import generate
from fairseq_genext.evaluation.metrics.bootstrap import half_width
from fairseq_genext.evaluation.metrics.question_answering import exact_match, f1
from fairseq_genext.files import write_lines

FORMS = {
    "lines": ["--task", "unconditional_generation", "--loss-on", SEPARATOR],
    "pairs": ["--task", "translation"],
}


def score(answers: list[str], questions: list[Question]) -> dict:
    """Figures of answers, one for each of the questions: see the top of this file.

    Raises:
        UsageError: there are not as many answers as questions.
    """
    if len(answers) != len(questions) or len(questions) < 2:
        raise UsageError(
            f"{len(answers)} answers for {len(questions)} questions; each needs one, and there "
            "must be at least two"
        )
    rows = [
        (question, exact_match(answer, question.answer), f1(answer, question.answer))
        for answer, question in zip(answers, questions, strict=True)
    ]

    def means(chosen: list[tuple]) -> dict:
        _, exact, overlap = zip(*chosen, strict=True)
        return {
            "exact_match": statistics.fmean(exact),
            "f1": statistics.fmean(overlap),
            "questions": len(chosen),
        }

    def grouped(key: Callable[[Question], str | int]) -> dict:
        groups: dict = defaultdict(list)
        for row in rows:
            groups[key(row[0])].append(row)
        return {str(name): means(groups[name]) for name in sorted(groups) if name}

    return {
        **means(rows),
        "exact_match_ci": half_width([exact for _, exact, _ in rows]),
        "f1_ci": half_width([overlap for *_, overlap in rows]),
        "by_task": grouped(lambda question: question.task),
        "by_facts": grouped(lambda question: question.facts),
    }


def main() -> None:
    """The command line."""
    parser = command.parser("answer", __doc__)
    parser.add_argument("data", help="binarised data folder")
    parser.add_argument("--checkpoint", required=True)
    parser.add_argument("--questions", required=True, help="TSV of the folder's test split")
    parser.add_argument("--form", choices=FORMS, required=True, help="what the model reads")
    parser.add_argument("--max-length", type=int, default=20, help="of an answer, in tokens")
    parser.add_argument("--batch-size", type=int, default=250)
    parser.add_argument("--sentencepiece-model", help="joins the model's pieces to words")
    parser.add_argument("--output", type=Path, required=True, help="file of the answers")
    parser.add_argument("--json", required=True, help="file to write the figures to")
    args = parser.parse_args()
    require_checkpoint(args.checkpoint)
    require_positive(args, "max_length", "batch_size")
    questions = read_questions(args.questions)
    flags = [
        args.data, *FORMS[args.form], "--path", args.checkpoint, "--gen-subset", "test",
        "--beam", "1", "--max-len-b", str(args.max_length), "--batch-size", str(args.batch_size),
    ]  # fmt: skip
    if args.sentencepiece_model:
        flags += ["--bpe", "sentencepiece", "--sentencepiece-model", args.sentencepiece_model]
    answers = generate(flags).texts
    point = score(answers, questions)
    write_lines(args.output, answers)
    command.write_json(args.json, settings={}, points=[{"answers": str(args.output), **point}])
    print(f"{args.output}: exact match {point['exact_match']:.3f}, F1 {point['f1']:.3f}")


if __name__ == "__main__":
    main()
