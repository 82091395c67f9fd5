"""Experiment files: what they come to, and one line for what is wrong with them."""

import copy
import json
import shlex
import shutil
import time
from pathlib import Path

import pytest
import yaml
from experiment import flags_of, read
from fairseq import options

from fairseq_genext.errors import UsageError

EXPERIMENTS = Path(__file__).parents[3] / "recipes" / "experiments"
SHIPPED = [path for path in sorted(EXPERIMENTS.glob("*.yaml")) if path.stem != "bench"]
MINIMAL = {
    "title": "Two models, {{ updates }} updates",
    "options": {
        "updates": {"default": 40, "help": "of each"},
        "size": {
            "default": "small",
            "help": "of the models",
            "choices": {"small": {"width": 8}, "N": {"width": "{{ N }}"}},
        },
    },
    "data": {"mine": {"kind": "sentences", "folder": "texts", "vocabulary": 30}},
    "seeds": [1, 2],
    "flags": {"common": "--task x --max-update {{ updates }}"},
    "systems": {
        "one": {"train": "{{ common }} --width {{ width }} --warmup {{ half }}",
                "set": {"half": "{{ updates // 2 }}"}},
        "two": {"start": "one", "family": "gan", "checkpoint": "last", "include": "named",
                "train": "{{ common }} --from {{ start }} --steps {{ flops.generator // 10**8 }}"},
        "one_untrained": {"untrained": "one"},
        "unigram": {"unigram": True},
    },
    "report": ["quality"],
}  # fmt: skip


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes MINIMAL with changes, given as paths and values; None takes an entry out."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "texts").mkdir()
    for split in ("train", "test"):
        (tmp_path / "texts" / f"{split}.txt").write_text("a b\n" * 40)

    def write(**changes):
        entries = copy.deepcopy(MINIMAL)
        for place, value in changes.items():
            *parents, last = place.split("__")
            target = entries
            for name in parents:
                target = target.setdefault(name, {})
            if value is None:
                del target[last]
            else:
                target[last] = value
        path = tmp_path / "mine.yaml"
        path.write_text(yaml.safe_dump(entries, sort_keys=False))
        return path

    return write


def test_options_flags_and_what_a_system_sets(write):
    experiment, args = read(write(), ["--updates", "100", "--size", "12", "--jobs", "3"])
    assert experiment["title"] == "Two models, 100 updates" and args.jobs == "3"
    assert experiment["systems"]["one"]["flags"] == (
        "--task x --max-update 100 --width 12 --warmup 50"
    )
    assert not experiment["systems"]["one"]["counted"]
    assert experiment["seeds"] == [1, 2]
    assert list(experiment["systems"]) == ["one", "one_untrained", "unigram"]
    assert json.loads(json.dumps(experiment)) == experiment


def test_a_chosen_system_brings_what_it_starts_from(write):
    experiment, _ = read(write(), ["--systems", "two", "--seed", "5"])
    assert list(experiment["systems"]) == ["one", "two"]
    assert experiment["seeds"] == [5]
    two = experiment["systems"]["two"]
    assert two["counted"]
    known = {"start": "models/one.5/checkpoint_best.pt", "data": {}}
    flags = flags_of(experiment, "two", "two", flops={"generator": 7 * 10**8}, **known)
    assert flags[-4:] == ["--from", "models/one.5/checkpoint_best.pt", "--steps", "7"]


def test_a_system_may_be_left_out_and_have_seeds_of_its_own(write):
    path = write(
        systems__three={"unigram": True, "only": "{{ updates > 50 }}", "seeds": "first"},
    )
    assert "three" not in read(path, [])[0]["systems"]
    assert read(path, ["--updates", "60"])[0]["systems"]["three"]["seeds"] == [1]
    with pytest.raises(UsageError, match="system three needs another value of --updates: see"):
        read(path, ["--systems", "three"])


def test_a_number_stays_a_number_and_a_date_is_a_text(write):
    path = write(
        title="{{ rate * 2 }}",
        options__rate={"default": 0.5, "help": "50% of it"},
        systems__one__set={"half": 1, "day": "DAY"},
    )
    path.write_text(path.read_text().replace("DAY", "2024-01-01"))
    experiment, _ = read(path, ["--rate", "0.2"])
    assert experiment["title"] == "0.4" and experiment["options"]["rate"] == 0.2
    assert experiment["systems"]["one"]["set"]["day"] == "2024-01-01"
    with pytest.raises(SystemExit) as error:
        read(path, ["--help"])
    assert error.value.code == 0


def test_a_score_without_keys_has_its_defaults(write):
    score = read(write(language_model_score={}), [])[0]["language_model_score"]
    assert (
        score == {"updates": 200, "points": "plain"}
        and read(write(), [])[0]["language_model_score"] is None
    )


def test_an_empty_text_is_told(write):
    path = write()
    (path.parent / "texts/test.txt").write_text("")
    with pytest.raises(UsageError, match=r"data.mine: .*/test.txt is empty"):
        read(path, [])


def test_samples_made_elsewhere_are_as_many_as_others_and_there_once(write):
    path = write(systems__mine={"samples": "texts/test.txt"}, sample={"number": 40})
    assert read(path, [])[0]["systems"]["mine"]["seeds"] == [1]
    path = write(systems__mine={"samples": "texts/test.txt"}, sample={"number": 41})
    with pytest.raises(UsageError, match=r"systems.mine: .*/test.txt has 40 lines, and sample.num"):
        read(path, [])


def test_samples_made_elsewhere_at_several_temperatures(write):
    path = write(systems__mine={"samples": "made"}, sample={"number": 40})
    folder = path.parent / "made"
    folder.mkdir()
    for name in ("t0.70.txt", "p0.90.txt", "notes.txt"):
        shutil.copy(path.parent / "texts/test.txt", folder / name)
    with pytest.raises(
        UsageError, match=r"systems.mine: .*/made has no t1.00.txt, samples at temp"
    ):
        read(path, [])
    shutil.copy(path.parent / "texts/test.txt", folder / "t1.00.txt")
    assert read(path, [])[0]["systems"]["mine"]["points"] == [
        {"samples": str(folder / "p0.90.txt"), "temperature": 1.0, "top_p": 0.9},
        {"samples": str(folder / "t0.70.txt"), "temperature": 0.7, "top_p": 1.0},
        {"samples": str(folder / "t1.00.txt"), "temperature": 1.0, "top_p": 1.0},
    ]
    for name in ("t0.8.txt", "T0.80.txt", "t0.00.txt", "t-1.00.txt", "p1.00.txt"):
        (folder / name).write_text("a text\n" * 40)
        with pytest.raises(UsageError, match=f"{name} names no temperature above 0"):
            read(path, [])
        (folder / name).unlink()
    (folder / "t0.70.txt").write_text("one line\n")
    with pytest.raises(UsageError, match=r"systems.mine: .*/t0.70.txt has 1 lines, and sample.num"):
        read(path, [])


def test_a_section_that_the_chosen_systems_do_not_fill_is_left_out(write):
    path = write(systems__two__partition_samples=9, report=["quality", "residual"])
    assert read(path, ["--systems", "two"])[0]["report"] == ["quality", "residual"]
    assert read(path, ["--systems", "one"])[0]["report"] == ["quality"]


def test_what_a_training_alone_can_know(write):
    path = write(
        systems__one__train="--x {{ data.lines.train }} --y {{ data.pieces }}",
        systems__two__train="--from={{ start }} --steps {{ flops.discriminator }}",
    )
    systems = read(path, ["--systems", "two"])[0]["systems"]
    assert not systems["one"]["counted"] and systems["two"]["counted"]


PAIRS = {"kind": "pairs", "corpus": "kjv-bbe", "source": "a", "target": "b", "vocabulary": 30}


def test_what_is_left_out_is_neither_reported_nor_compared_with(write):
    on_pairs = {"train": "x", "data": "pairs", "table": "t", "baseline": "base"}
    path = write(
        data__pairs=PAIRS, systems__base=on_pairs, systems__other=on_pairs,
        report=["quality", "translation", "costs"], translate={"greedy": ""},
    )  # fmt: skip
    experiment, _ = read(path, ["--systems", "other"])
    assert experiment["report"] == ["translation", "costs"] and list(experiment["data"]) == [
        "pairs"
    ]
    assert "baseline" not in experiment["systems"]["other"]
    assert read(path, [])[0]["systems"]["other"]["baseline"] == "base"
    assert read(path, ["--systems", "one"])[0]["report"] == ["quality", "costs"]


WRONG_FILES = [
    ({"colour": "red"}, "mine.yaml has an unknown key 'colour'; known: about, data"),
    ({"systems__one__rate": 1}, "systems.one has an unknown key 'rate'"),
    ({"data__mine__language": "en"}, "data.mine has an unknown key 'language'"),
    ({"sample": {"size": 3}}, "sample has an unknown key 'size'"),
    ({"title": None}, "mine.yaml has no title"),
    ({"options__updates__help": None}, "options.updates has no help"),
    ({"data__mine__kind": "songs"}, "data.mine needs a kind, one of sentences"),
    ({"data__mine__vocabulary": None}, "data.mine has no vocabulary"),
    ({"data__mine__folder": "nowhere"}, "nowhere is not a folder"),
    ({"data__mine__folder": "."}, "has no train.txt"),
    ({"data__mine__folder": "", "data__mine__corpus": "psalms"}, "or a corpus, one of clauses"),
    ({"data__more": {"kind": "sentences", "corpus": "clauses"}}, "data.more: there is other data"),
    ({"systems__two__start": "three"}, "systems.two: start 'three' is no system"),
    ({"systems__two__start": "unigram"}, "systems.two: unigram is not trained"),
    ({"systems__one__start": "two"}, "systems.one starts from itself"),
    ({"systems__one__data": "other"}, "systems.one: there is no data 'other'"),
    ({"systems__mine": {"samples": "no.txt"}}, "no.txt is not a file"),
    ({"systems__one__unigram": True}, "systems.one needs one of train, untrained"),
    (
        {"systems__one__checkpoint": "first"},
        "systems.one: checkpoint: Input should be 'best' or 'last'",
    ),
    ({"systems__one__train": "--lr {{ rate }}"}, "systems.one.train: 'rate' is undefined"),
    ({"systems__one__train": "--lr {{ updates / 0 }}"}, "systems.one.train: division by zero"),
    ({"systems__one__train": "--lr '3"}, "systems.one.train: No closing quotation"),
    ({"systems__one__train": "--seed 3"}, "systems.one.train: --seed is given by the recipe"),
    ({"systems__one__train": "--seed=3"}, "systems.one.train: --seed is given by the recipe"),
    ({"systems__one__train": "--restore-file x"}, "--restore-file is given by the recipe"),
    ({"systems__one__train": "--lr {{ flops.all }}"}, "has no attribute 'all'"),
    ({"systems__one__train": "--lr {{ data.height }}"}, "has no attribute 'height'"),
    ({"systems__one__train": "{{ start }}"}, "systems.one: start and {{ start }} in train go"),
    ({"flags__common": "{{ common }}"}, "names never come to an end"),
    ({"systems__a b": {"unigram": True}}, "a name has letters, digits, - and _ only"),
    ({"seeds": [1, 1]}, "mine.yaml: seeds has 1 twice"),
    ({"seeds": []}, "mine.yaml: seeds is empty"),
    ({"sample": {"temperatures": [1.0, 1.001]}}, "sample.temperatures has two that are the same"),
    ({"translate": {"beam 5": "--beam 5", "beam-5": "--beam 5"}}, "too like the name of another"),
    ({"translate": {"a=b": "--beam 5"}}, "translate: 'a=b' has a ="),
    ({"translate": {"greedy": "--beam '1"}}, "translate.greedy: No closing quotation"),
    (
        {"data__pairs": PAIRS, "systems__unigram": {"train": "x", "data": "pairs"}},
        "translate is empty, and there are systems on data of kind pairs",
    ),
    ({"systems__one__seeds": [2, 2]}, "systems.one: seeds has 2 twice"),
    ({"report": ["quality", "poems"]}, "report.1: Input should be 'quality', 'curves', "),
    ({"report": ["quality", "quality"]}, "report has quality twice"),
    ({"sample": {"number": 1}}, "sample: number: Input should be greater than or equal to 2"),
    ({"sample": {"top_p": [1.5]}}, "sample: top_p.0: Input should be less than 1, not 1.5"),
    ({"systems": ["one"]}, "systems: Input should be a valid dictionary, not ['one']"),
    ({"systems__one": "train"}, "systems.one must be a mapping"),
    ({"data__mine": [1]}, "data.mine needs a kind, one of sentences"),
    ({"data__mine__vocabulary": "many"}, "vocabulary: Input should be a valid integer"),
    ({"notes": "one"}, "notes: Input should be a valid list, not 'one'"),
    ({"sample": {"temperatures": [0.7]}}, "sample.temperatures must have 1.0"),
    ({"report": ["oracle"]}, "report: oracle needs a system on data of kind oracle"),
    ({"report": ["residual"]}, "report: residual needs a system with partition_samples"),
    ({"systems__one__curve": ["three"]}, "systems.one: curve 'three' is no system"),
    (
        {"data__pairs": PAIRS, "systems__like": {"untrained": "one", "data": "pairs"}},
        "systems.like: a system on data of kind pairs needs train or samples",
    ),
    ({"data__pairs": PAIRS, "systems__one__data": "pairs"}, "start 'one' is a system on other"),
    ({"systems__two__table": "t", "systems__two__baseline": "one"}, "stands in another table"),
    (
        {"systems__two__baseline": "one", "systems__one__baseline": "two"},
        "systems.one: baseline 'two' has a baseline itself",
    ),
    ({"systems__kept": {"resampled": "three", "candidates": 2}}, "resampled 'three' is no system"),
    ({"systems__kept": {"resampled": "one"}}, "systems.kept: resampled needs candidates"),
    ({"systems__one__candidates": 2}, "systems.one: candidates goes with resampled"),
    ({"systems__one__weight": 2}, "systems.one: weight goes with resampled"),
    (
        {"systems__kept": {"resampled": "one", "candidates": 2, "weight": 0}},
        "systems.kept: weight: Input should be greater than 0",
    ),
    ({"systems__unigram__partition_samples": 9}, "partition_samples goes with train"),
    (
        {"systems__unigram__temperatures": [1.0]},
        "systems.unigram: temperatures goes with resampled or train or untrained",
    ),
    (
        {
            "data__pairs": PAIRS,
            "systems__unigram": {"train": "x", "data": "pairs", "temperatures": [1.0]},
        },
        "systems.unigram: temperatures goes with data of kind sentences",
    ),
    ({"systems__one__temperatures": [0.7]}, "systems.one.temperatures must have 1.0"),
    ({"systems__one__temperatures": [1.0, 1.001]}, "systems.one.temperatures has two that are"),
    ({"systems__unigram__label": "one"}, "systems.one: unigram has the label 'one' too"),
    (
        {"systems__one__seeds": [1]},
        "systems.two: seeds: one has no seed 2",
    ),
    ({"data": {"o": {"kind": "oracle", "folder": "texts"}}}, "of kind oracle has no folder"),
    (
        {"data": {"o": {"kind": "oracle", "corpus": "oracle", "weights": "no.npz"}}},
        "/no.npz is not a file",
    ),
    (
        {"data": {"o": {"kind": "images", "folder": "texts"}}},
        "texts has no train.npz or train-images",
    ),
    ({"options__updates__default": True}, "options.updates: default"),
    ({"options__updates__default": [1]}, "options.updates: default"),
    ({"title": "{{ '{0}'.format() }}"}, "title: "),
    ({"title": "{{ [1] }}"}, "title: Input should be a valid string, not [1]"),
    ({"title": True}, "title: Input should be a valid string, not True"),
    ({"seeds": "1"}, "seeds: Input should be a valid list, not '1'"),
    ({"seeds": ["1"]}, "seeds.0: Input should be a valid integer, not '1'"),
    ({"seeds": [True]}, "seeds.0: Input should be a valid integer, not True"),
    ({"seeds": [1.0]}, "seeds.0: Input should be a valid integer, not 1.0"),
    ({"seeds": [10**30]}, "seeds.0: Input should be less than 1000000000"),
    ({"sample": {"number": 40.0}}, "sample: number: Input should be a valid integer, not 40.0"),
    ({"sample": {"temperatures": [1.0, float("inf")]}}, "temperatures.1: Input should be a finite"),
    ({"sample": {"temperatures": [1.0, True]}}, "temperatures.1: Input should be a valid number"),
    ({"data__mine__vocabulary": "30"}, "vocabulary: Input should be a valid integer, not '30'"),
    ({"data__mine__folder": "a\0b"}, "embedded null byte"),
    ({"data__mine__normalization": "nfd"}, "normalization: Input should be 'identity', 'nfkc'"),
    ({"tokenize": "words"}, "tokenize: Input should be 'none', 'zh'"),
    ({"options__updates__path": "yes"}, "options.updates: path: Input should be a valid boolean"),
    ({"systems__one__set": {"half": float("inf")}}, "has a value that is no text, number or list"),
    ({"systems__one__set": {"half": b"1"}}, "has a value that is no text, number or list"),
    # Expressions that reach out, or grow.
    ({"title": "{{ ''.__class__.__mro__ }}"}, "title: access to attribute '__class__'"),
    ({"title": "{{ range }}"}, "title: Object of type function is not JSON serializable"),
    ({"title": "{{ range(10**9) | list }}"}, "title: Range too big"),
    ({"title": "{{ 'a' * 10**10 }}"}, "takes too much memory"),
    ({"title": "{{ 99999**99999**99 }}"}, "takes more than 0.5 seconds"),
    ({"title": "{{ 1 }}{% for i in range(9) %}{% endfor %}"}, "title: expressions may be {{ … }}"),
    ({"title": "{{ " + "(" * 5000}, "title: "),
    (
        {
            "flags": {"f0": "x" * 99, **{f"f{n}": f"{{{{ f{n - 1} }}}}" * 40 for n in range(1, 9)}},
            "systems__one__train": "{{ f8 }}",
        },
        "comes to more than 100,000 characters",
    ),
    ({"options__jobs": {"default": 3, "help": "h"}}, "options.jobs: the name is taken"),
    ({"options__train_only": {"default": 3, "help": "h"}}, "options.train_only: the name is"),
    ({"options__flops": {"default": 3, "help": "h"}}, "options.flops: the name is taken"),
    ({"options__a-b": {"default": 3, "help": "h"}}, "options.a-b: a name has letters, digits and"),
    ({"flags__updates": "--x"}, "flags.updates: the name is taken"),
    ({"flags__more": ["--x"]}, "flags.more: Input should be a valid string, not ['--x']"),
    ({"systems__one__set": {"data": 3}}, "systems.one.set.data: the name is taken"),
    ({"data": {"../mine": {"kind": "sentences"}}}, "data.../mine: a name has letters, digits, -"),
    ({"systems__held_out": {"unigram": True}}, "systems.held_out: real data has this name"),
]


@pytest.mark.parametrize(("changes", "says"), WRONG_FILES)
def test_a_wrong_file_is_one_line_that_names_the_place(write, monkeypatch, changes, says):
    monkeypatch.setattr("limits.SECONDS", 0.5)
    with pytest.raises(UsageError) as error:
        read(write(**changes), ["--systems", "one two unigram"])
    assert says in str(error.value) and "\n" not in str(error.value)
    assert "mine.yaml" in str(error.value)


def bomb(wrapped: str) -> str:
    """Ten levels of aliases, ten in each."""
    levels = ["a0: &a0 {k: 1}"]
    for level in range(1, 10):
        levels.append(f"a{level}: &a{level} " + wrapped.format(", ".join([f"*a{level - 1}"] * 10)))
    return "\n".join(levels)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("title: [", "mine.yaml is no valid YAML"),
        ("- title", "mine.yaml must be a mapping"),
        ("title: a\ntitle: b", "'title' stands twice in the mapping from line 1"),
        ("seeds: [010]", "010 in line 1: write a number without leading 0 or :"),
        ("seeds: [1:30]", "1:30 in line 1: write a number"),
        ("systems:\n  a: {unigram: true}\n  a: {unigram: true}", "'a' stands twice"),
        ("", "mine.yaml must be a mapping"),
        ("title: \xe9\0", "is no valid YAML: unacceptable character"),
        ("title:\n\ta: b", "is no valid YAML: while scanning"),
        ("title: a\n---\ntitle: b", "is no valid YAML: expected a single document"),
        (
            "title: !!python/object/apply:os.getcwd []",
            "is no valid YAML: could not determine",
        ),
        ("title: !!int a", "is no valid YAML: invalid literal for int"),
        ("? [a]\n: b", "is no valid YAML: while constructing a mapping"),
        ("title: " + "[" * 50_000, "is no valid YAML: it is more than 30 levels deep"),
        ("".join(" " * n + "a:\n" for n in range(99)), "it is more than 30 levels deep"),
        ("title: &a [*a]", "an alias in line 1 is part of itself"),
        ("title: " + "a" * 1_000_000, "has more than 1,000,000 bytes"),
        (bomb("[{}]"), "it has more than 100,000 entries, aliases counted out"),
        (bomb("{{<<: [{}]}}"), "it has more than 100,000 entries, aliases counted out"),
    ],
)
def test_what_is_no_experiment(write, text, says):
    path = write()
    path.write_text(text)
    begun = time.process_time()
    with pytest.raises(UsageError, match=says) as error:
        read(path, [])
    assert "\n" not in str(error.value)
    assert time.process_time() - begun < 2


def test_another_encoding_is_told(write):
    path = write()
    path.write_bytes(b"title: caf\xe9")
    with pytest.raises(UsageError, match="is no valid YAML: 'utf-8' codec can't decode"):
        read(path, [])


@pytest.mark.parametrize(
    ("argv", "says"),
    [
        (["--seeds", ""], "--seeds is empty"),
        (["--seeds", "1 x"], "--seeds: x is not a positive whole number"),
        (["--seeds", "1 1"], "--seeds has 1 twice"),
        (["--seeds"], "argument --seeds/--seed: expected one argument; see --help"),
        (["--systems", "one three"], "there is no system three; choose among one, two"),
        (["--systems", "one one"], "--systems has one twice"),
        (["--systems", " "], "--systems is empty"),
        (["--updates", "some"], "--updates: some is not a positive whole number"),
        (["--updates", "0"], "--updates: 0 is not a positive whole number"),
        (["--size", "huge"], "--size huge does not exist; choose one of small, N"),
        (["--rate", "x"], "--rate: x is no number"),
        (["--jobs", "0"], "--jobs: 0 is not a positive whole number"),
        (["--jobs", "all"], "--jobs: all is not a positive whole number"),
        (["--fast"], "unrecognized arguments: --fast"),
        (["there"], "unrecognized arguments: there"),
    ],
)
def test_wrong_arguments(write, argv, says):
    with pytest.raises(UsageError) as error:
        read(write(options__rate={"default": 0.5, "help": "of learning"}), argv)
    assert says in str(error.value) and "\n" not in str(error.value)


def test_a_change_of_any_parameter_is_seen():
    """Snakemake does not compare those that are made from input, output, threads or resources."""
    for path in (EXPERIMENTS.parent / "rules").glob("*.smk"):
        assert "lambda wildcards, " not in path.read_text(encoding="utf-8"), path


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_fairseq_takes_the_flags_of_every_shipped_system(path, tmp_path):
    """With all systems, and every named budget."""
    (tmp_path / "t1.00.txt").write_text("a b c\n" * 1000)
    conditions = {"ablation": "5", "other_gan": tmp_path, "other_likelihood": tmp_path}
    entries = yaml.safe_load(path.read_text(encoding="utf-8"))
    choices = (entries.get("options") or {}).get("budget", {}).get("choices") or {}
    budgets = [["--budget", "3" if name == "N" else name] for name in choices] or [[]]
    more = [
        word
        for name, value in conditions.items()
        if name in (entries.get("options") or {})
        for word in (f"--{name.replace('_', '-')}", str(value))
    ]
    for budget in budgets:
        experiment, _ = read(path, [*budget, *more, "--systems", " ".join(entries["systems"])])
        assert list(experiment["systems"]) == list(entries["systems"])
        for name, system in experiment["systems"].items():
            if "train" not in system:
                continue
            flags = ["data", "--user-dir", "fairseq_genext", *shlex.split(system["flags"])]
            args = options.parse_args_and_arch(options.get_training_parser(), flags)
            assert args.max_update + args.max_epoch > 0, name
            assert args.save_interval_updates == 0 or args.save_interval_updates > 0
