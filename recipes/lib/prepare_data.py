"""Makes one data set of an experiment: its texts or images, pieces, and binarised folder.

    python recipes/lib/prepare_data.py EXPERIMENT.json NAME

writes data/NAME/ and at the end data/NAME/data.json: ``train``, the folder for fairseq-train, its
``digest``, the number of ``lines`` of each split, ``pieces``, and the images' ``height`` and
``width``.
"""

import hashlib
import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from fairseq import options
from fairseq_cli import preprocess

from fairseq_genext.data import bible, digits, pieces, questions
from fairseq_genext.errors import UsageError
from fairseq_genext.files import read_json, read_lines, write_lines, write_whole

SPLITS = ("train", "valid", "test")
VALID_SHARE = 20  # without valid.txt, every twentieth sentence of train.txt is held out


def write_bible(given: dict, folder: Path) -> None:
    """Texts of a corpus out of the Bible packages."""
    for name, lines in bible.corpora(given.get("verses"), given.get("max_words")).items():
        corpus, file = name.split("/")
        if corpus == given["corpus"]:
            write_lines(folder / file, lines)


def copy_sentences(given: dict, folder: Path) -> None:
    """A user's sentences without empty lines; a validation split is cut off where there is none."""
    splits = {
        path.stem: [line for line in read_lines(path) if line.strip()]
        for path in map(Path, given["files"])
    }
    if "valid" not in splits:
        train = splits["train"]
        splits["valid"] = train[VALID_SHARE - 1 :: VALID_SHARE]
        del train[VALID_SHARE - 1 :: VALID_SHARE]
    for split, lines in splits.items():
        if not lines:
            raise UsageError(f"{given['from']}: {split} has no sentence")
        write_lines(folder / f"{split}.txt", lines)


def copy_pairs(given: dict, folder: Path) -> None:
    """A user's parallel texts, plain or packed, under the names of splits."""
    files = iter(map(Path, given["files"]))
    sizes: dict[str, int] = {}
    for language in (given["source"], given["target"]):
        for split in SPLITS:
            path = next(files)
            lines = read_lines(path)
            write_lines(folder / f"{split}.{language}", lines)
            if sizes.setdefault(split, len(lines)) != len(lines):
                raise UsageError(
                    f"{path} has {len(lines)} lines, and the other side of {split} {sizes[split]}"
                )


def cut(folder: Path, sides: dict[str, str]) -> None:
    """Cuts the splits' texts into pieces: ``split.pieces…`` of each text's ending."""
    for name in (f"{folder}/{split}" for split in SPLITS):
        for end, cut_end in sides.items():
            pieces.encode(f"{folder}/pieces.model", name + end, f"{name}.pieces{cut_end}")


def binarise(folder: Path, *flags: str, splits: tuple[str, ...] = SPLITS, form: str = "") -> None:
    """fairseq-preprocess on the splits' texts of pieces, into ``bin`` or ``bin/form``."""
    target = folder / "bin" / form
    shutil.rmtree(target, ignore_errors=True)  # fairseq refuses a dict.txt that it finds
    prefixes = [item for s in splits for item in (f"--{s}pref", str(folder / f"{s}.pieces"))]
    parser = options.get_preprocessing_parser()
    preprocess.main(parser.parse_args([*flags, *prefixes, "--destdir", str(target)]))


def prepare_text(given: dict, folder: Path) -> None:
    """Sentences, or both sides of pairs, cut into joint pieces and binarised."""
    if given["kind"] == "pairs":
        source, target = given["source"], given["target"]
        copy, sides = copy_pairs, {f".{source}": f".{source}", f".{target}": f".{target}"}
        flags = ["-s", source, "-t", target, "--joined-dictionary"]
    else:
        copy, sides, flags = copy_sentences, {".txt": ""}, ["--only-source"]
    (copy if "from" in given else write_bible)(given, folder)
    texts = [f"{folder}/train{end}" for end in sides]
    pieces.train(f"{folder}/pieces", texts, given["vocabulary"], given["normalization"])
    cut(folder, sides)
    binarise(folder, *flags)


def prepare_questions(given: dict, folder: Path) -> None:
    """Questions as lines with their answers, as pairs, and as text without answers.

    All have the same pieces and the same dictionary, so that a model of one form can go on with
    another. The text is what is known without answers, with clauses of the Bible where the
    questions are generated.
    """
    if "from" in given:
        for path in map(Path, given["files"]):
            shutil.copyfile(path, folder / path.name)
    else:
        flags = shlex.split(given.get("flags", ""))
        subprocess.run(
            [sys.executable, "-m", "fairseq_genext.data.questions", folder, *flags], check=True
        )
    clauses = {} if "from" in given else bible.corpora()
    for split in SPLITS:
        asked = questions.read_questions(folder / f"{split}.tsv")
        prompts = [question.prompt for question in asked]
        lines = [f"{one.prompt} {questions.SEPARATOR} {one.answer}" for one in asked]
        write_lines(folder / f"{split}.txt", lines)
        write_lines(folder / f"{split}.text", prompts + clauses.get(f"clauses/{split}.txt", []))
        write_lines(folder / f"{split}.prompt", prompts)
        write_lines(folder / f"{split}.answer", (question.answer for question in asked))
    texts = [f"{folder}/train.txt", f"{folder}/train.text"]
    pieces.train(f"{folder}/pieces", texts, given["vocabulary"], symbols=[questions.SEPARATOR])
    forms = {
        "lines": ({".txt": ""}, ["--only-source"]),
        "text": ({".text": ""}, ["--only-source"]),
        "pairs": (
            {".prompt": ".prompt", ".answer": ".answer"},
            ["-s", "prompt", "-t", "answer", "--joined-dictionary"],
        ),
    }
    known = [line.split("\t")[0] for line in read_lines(folder / "pieces.vocab")]
    write_lines(
        folder / "dict.txt", (f"{piece} 1" for piece in known[3:])
    )  # without <unk> <s> </s>
    for form, (sides, flags) in forms.items():
        cut(folder, sides)
        binarise(folder, *flags, "--srcdict", str(folder / "dict.txt"), form=form)


def prepare_characters(given: dict, folder: Path) -> None:
    """A text character by character: its first 90 per cent to train on, the rest held out.

    As nanoGPT cuts it. A blank is ▁, and the end of a line that of a sentence.
    """
    if "from" in given:
        (path,) = given["files"]
        text = "".join(f"{line}\n" for line in read_lines(path))
        end = int(0.9 * len(text))
        parts = {"train": text[:end], "valid": text[end:]}
    else:
        clauses = bible.corpora()
        parts = {split: "\n".join(clauses[f"clauses/{split}.txt"]) for split in ("train", "valid")}
    for split, part in parts.items():
        lines = part.removesuffix("\n").split("\n")
        write_lines(folder / f"{split}.txt", lines)
        write_lines(
            folder / f"{split}.pieces", (" ".join(line.replace(" ", "▁")) for line in lines)
        )
    binarise(folder, "--only-source", splits=tuple(parts))


def prepare_oracle(given: dict, folder: Path) -> None:
    """Sequences of an oracle, and its weights."""
    weights = ["--weights", given["weights"]] if given.get("weights") else []
    flags = shlex.split(given.get("flags", ""))
    subprocess.run(
        [sys.executable, "-m", "fairseq_genext.data.oracle", folder, *weights, *flags], check=True
    )
    for split in SPLITS:
        shutil.copyfile(folder / f"{split}.txt", folder / f"{split}.pieces")
    binarise(folder, "--only-source", "--srcdict", str(folder / "dict.txt"))


def prepare_images(given: dict, folder: Path) -> None:
    """Images in the formats of ``data/images.py``."""
    if "from" in given:
        for path in map(Path, given["files"]):
            shutil.copyfile(path, folder / path.name)
    else:
        digits.write(folder, digits.split(digits.digits()))


def describe(given: dict, folder: Path) -> dict:
    """What trainings and the report need to know of the data."""
    if given["kind"] == "images":
        from fairseq_genext.data.images import read_split

        shapes = {split: read_split(folder, split).pixels.shape for split in ("train", "valid")}
        if shapes["train"][1:] != shapes["valid"][1:]:
            raise UsageError(f"{given['from']}: train and valid differ in their images' size")
        found = {"train": str(folder), "number": shapes["train"][0]}
        found |= {"height": shapes["train"][1], "width": shapes["train"][2]}
    else:
        ending = given.get("target", "txt")
        texts = {split: folder / f"{split}.{ending}" for split in SPLITS}
        lines = {split: len(read_lines(path)) for split, path in texts.items() if path.exists()}
        found = {"train": str(folder / "bin"), "lines": lines}
        if (folder / "pieces.vocab").exists():
            found["pieces"] = len(read_lines(folder / "pieces.vocab"))
    digest = hashlib.sha256()
    for path in sorted(Path(found["train"]).rglob("*")):
        if path.is_file() and path.name not in ("preprocess.log", "data.json"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return found | {"digest": digest.hexdigest()}


def main() -> None:
    """The command line."""
    experiment = read_json(sys.argv[1])
    given = experiment["data"][sys.argv[2]]
    folder = Path(given["folder"])
    shutil.rmtree(folder, ignore_errors=True)  # of other settings
    folder.mkdir(parents=True)
    prepare = {
        "sentences": prepare_text,
        "pairs": prepare_text,
        "oracle": prepare_oracle,
        "images": prepare_images,
        "questions": prepare_questions,
        "characters": prepare_characters,
    }
    prepare[given["kind"]](given, folder)
    described = json.dumps(describe(given, folder), indent=1)
    write_whole(folder / "data.json", described + "\n")


if __name__ == "__main__":
    main()
