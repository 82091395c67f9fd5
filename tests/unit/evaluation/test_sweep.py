"""The sweep's flags, what it samples again, and its curves."""

import pytest
import torch

from fairseq_genext.errors import UsageError
from fairseq_genext.evaluation import sample as sample_command
from fairseq_genext.evaluation import sweep
from fairseq_genext.evaluation.checkpoints import named_checkpoints
from fairseq_genext.evaluation.generation import Generated
from fairseq_genext.evaluation.sample import Sampling

FLAGS = {
    "data": "data",
    "--checkpoints": "gpt=gpt.pt gan=gan.pt",
    "--references": "test.txt",
    "--output": "swept",
}


def parse(monkeypatch, folder, **changes):
    for name in ("gpt.pt", "gan.pt"):
        torch.save({}, folder / name)
    (folder / "text").write_text("no checkpoint and no pieces")
    monkeypatch.chdir(folder)
    flags = FLAGS | {f"--{name.replace('_', '-')}": value for name, value in changes.items()}
    argv = [flags.pop("data")]
    for name, value in flags.items():
        argv += [name, *str(value).split()]
    monkeypatch.setattr("sys.argv", ["genext-sweep", *argv])
    return sweep.parse_arguments()


def test_points_and_their_files(monkeypatch, tmp_path):
    args = parse(monkeypatch, tmp_path, temperatures="0.7 1", top_p="0.9")
    assert args.points == {"t0.70": (0.7, 1.0), "t1.00": (1.0, 1.0), "p0.90": (1.0, 0.9)}
    assert args.checkpoints == {"gpt": "gpt.pt", "gan": "gan.pt"}


def test_a_path_may_have_an_equals_sign(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    torch.save({}, "x=1.pt")
    assert named_checkpoints(["a=x=1.pt"]) == {"a": "x=1.pt"}
    assert named_checkpoints([]) == {}


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"checkpoints": "gpt"}, "'gpt' is no checkpoint with a name: write NAME=PATH"),
        ({"checkpoints": "a/b=gpt.pt"}, "write NAME=PATH"),
        ({"checkpoints": "gpt=nowhere.pt"}, "nowhere.pt does not exist"),
        ({"checkpoints": "gan=gan.pt gan=gpt.pt"}, "two checkpoints are called 'gan'"),
        ({"temperatures": "1 0"}, "--temperatures is 0.0; it must be at least 1e-06"),
        ({"temperatures": "1 0.999"}, "the same to two decimals"),
        ({"top_p": "1.5"}, "has 1.5; each must lie between 0 and 1"),
        ({"num_samples": 1}, "--num-samples is 1; it must be 2 or greater"),
        ({"batch_size": 0}, "--batch-size is 0"),
        ({"max_length": 0}, "--max-length is 0"),
        ({"output": "text"}, "--output text is a file; name a folder"),
        ({"checkpoints": "gpt=text"}, "text is no checkpoint"),
        ({"sentencepiece_model": "text"}, "text is no sentencepiece model"),
    ],
)
def test_one_line_for_what_is_wrong(monkeypatch, tmp_path, changes, says):
    with pytest.raises(UsageError, match=says):
        parse(monkeypatch, tmp_path, **changes)


SAMPLING = Sampling("data", num_samples=2, max_length=9, batch_size=2, seed=1)


def test_a_point_is_sampled_again_only_when_something_changed(monkeypatch, tmp_path):
    calls = []

    def draw(*arguments):
        calls.append(arguments)
        return Generated([f"text {len(calls)}", "other"], seconds=2.0, tokens=6)

    monkeypatch.setattr(sample_command, "draw", draw)
    checkpoint, path = tmp_path / "gpt.pt", tmp_path / "swept" / "gpt" / "t1.00.txt"
    checkpoint.write_text("weights")

    def sample(sampling=SAMPLING, weights=checkpoint):
        return sweep.point_of(sampling, str(weights), 1.0, 1.0, path)

    speed = sample()
    assert speed == {"seconds": 2.0, "tokens_per_second": 3.0}
    assert path.read_text() == "text 1\nother\n"
    moved = tmp_path / "moved.pt"
    moved.write_text("weights")
    assert sample() == speed and sample(weights=moved) == speed and len(calls) == 1
    sample(Sampling("data", num_samples=2, max_length=9, batch_size=2, seed=2))
    assert path.read_text() == "text 2\nother\n"
    checkpoint.write_text("better weights")
    sample()
    assert len(calls) == 3
    path.unlink()
    sample()
    assert path.read_text() == "text 4\nother\n"


def test_an_interrupted_point_leaves_no_samples(monkeypatch, tmp_path):
    def draw(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(sample_command, "draw", draw)
    (tmp_path / "gpt.pt").write_text("weights")
    path = tmp_path / "gpt" / "t1.00.txt"
    with pytest.raises(KeyboardInterrupt):
        sweep.point_of(SAMPLING, str(tmp_path / "gpt.pt"), 1.0, 1.0, path)
    assert not path.exists()
