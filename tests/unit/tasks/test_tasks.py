"""What the tasks feed to models."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from fairseq.data import Dictionary
from omegaconf import OmegaConf

from fairseq_genext.data.noise_dataset import NoiseDataset
from fairseq_genext.gan.progress import Progress
from fairseq_genext.tasks.gan import GANTask, GANTaskConfig
from fairseq_genext.tasks.turns import draw_apart_from_other_processes
from fairseq_genext.tasks.unconditional_generation import (
    UnconditionalGenerationConfig,
    UnconditionalGenerationTask,
)


def setup(task_class, config, corpus, **flags):
    common = {
        "seed": 1,
        "batch_size": 8,
        "batch_size_valid": 8,
        "dataset_impl": None,
        "data_buffer_size": 1,
        "tpu": False,
        "use_plasma_view": False,
        "plasma_path": "",
    }
    values = {**vars(config()), **common, "data": str(corpus / "lm"), **flags}
    return task_class.setup_task(OmegaConf.create(values))


def batch_lengths(task):
    """The set of sentence lengths in each training batch."""
    task.load_dataset("train")
    iterator = task.get_batch_iterator(task.dataset("train"), max_sentences=16, seed=1)
    batches = iterator.next_epoch_itr(shuffle=False)
    return [set(batch["net_input"]["src_lengths"].tolist()) for batch in batches]


def test_gan_batches_mix_lengths_and_language_model_batches_do_not(corpus):
    mixed = batch_lengths(setup(GANTask, GANTaskConfig, corpus))
    sorted_ = batch_lengths(
        setup(UnconditionalGenerationTask, UnconditionalGenerationConfig, corpus)
    )
    assert np.mean([len(lengths) for lengths in mixed]) > 3.5
    assert np.mean([len(lengths) for lengths in sorted_]) < 1.7
    again = batch_lengths(setup(GANTask, GANTaskConfig, corpus))
    assert again == mixed


@pytest.mark.parametrize(
    ("cut", "longest", "fixed", "warned"),
    [
        (10, 100, False, True),
        (10, 10, False, False),  # the model reads no more, and fairseq leaves out the rest
        (12, 100, False, False),
        (10, 100, True, False),
    ],
)
def test_lines_that_are_longer_than_samples(cut, longest, fixed, warned, corpus, caplog):
    """Of 300 lines 17 have more than ten tokens, five of them twelve; it is said once."""
    task = setup(GANTask, GANTaskConfig, corpus, max_sample_length=cut, fixed_length=fixed)
    for split in ("valid", "train"):
        task.load_dataset(split)
    for epoch in (1, 2):
        task.begin_epoch(epoch, SimpleNamespace(longest_sample=lambda: longest))
    told = [text for text in caplog.messages if "the discriminator learns the cut" in text]
    assert len(told) == warned
    if warned:
        assert told[0].startswith("5.7% of the training lines are longer")
        assert "give --max-sample-length 12" in told[0]


def test_samples_from_nothing_have_no_source(corpus):
    task = setup(UnconditionalGenerationTask, UnconditionalGenerationConfig, corpus, num_samples=5)
    task.load_dataset("test")
    assert len(task.dataset("test")) == 5 and task.source_dictionary is None
    assert task.target_dictionary is not None


def test_noise_dataset():
    batch = NoiseDataset(3, eos=2).collater([0, 2])
    assert batch["target"] is None and batch["id"].tolist() == [0, 2]
    assert batch["net_input"]["src_tokens"].tolist() == [[2], [2]]


class Recorder:
    """A generator that records its prompts."""

    def generate(self, models, sample, prefix_tokens, bos_token):
        self.prompts, self.start = prefix_tokens.tolist(), bos_token
        return []


LINES = torch.tensor([[2, 5, 6], [2, 7, 1]])


@pytest.mark.parametrize(
    ("sample", "prefix", "prompts"),
    [
        ({"target": LINES, "nsentences": 2}, None, [[], []]),
        ({"nsentences": 2}, torch.tensor([[5, 6], [7, 2]]), [[5, 6], [7, 1]]),
        ({"nsentences": 2}, torch.tensor([[5, 6, 8], [7, 2, 8]]), [[5, 6, 8], [7, 1, 1]]),
        ({}, None, [[5, 6], [7, 1]]),
        ({"target": LINES}, None, [[5, 6], [7, 1]]),
    ],
)
def test_prompts(corpus, sample, prefix, prompts):
    """None from a data set unless --prefix-size says so; a typed line is one, whether or not
    fairseq gives it a target; each ends where its sentence does."""
    task = setup(UnconditionalGenerationTask, UnconditionalGenerationConfig, corpus)
    recorder = Recorder()
    task.inference_step(recorder, [], {"net_input": {"src_tokens": LINES}, **sample}, prefix)
    assert recorder.prompts == prompts and recorder.start == Dictionary().eos()


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_every_process_draws_for_itself_and_repeats(rank, monkeypatch):
    draws = []
    for process in (0, rank, rank):
        monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
        monkeypatch.setattr(torch.distributed, "get_rank", lambda process=process: process)
        torch.manual_seed(8)  # what the trainer does on every process before every update
        for _ in range(2):
            draw_apart_from_other_processes()
            draws.append(torch.rand(3))
    first, second, repeated = draws[:2], draws[2:4], draws[4:]
    assert all(torch.equal(a, b) for a, b in zip(second, repeated, strict=True))
    assert torch.equal(first[0], second[0]) == (rank == 0)
    assert not torch.equal(second[0], second[1])


def test_turns_scale_the_generators_rate_for_one_step_alone(corpus):
    task = setup(
        GANTask, GANTaskConfig, corpus, generator_pretrain_updates=1,
        discriminator_warmup_updates=0, generator_turns_lr_scale=0.5,
    )  # fmt: skip
    groups = [{"lr": 0.4, "player": "generator"}, {"lr": 0.1, "player": "discriminator"}]
    used = []

    def step(groups):
        used.append((groups, [group["lr"] for group in optimizer.param_groups]))

    optimizer = SimpleNamespace(param_groups=groups, supports_groups=True, step=step)
    model = SimpleNamespace(progress=Progress.empty())
    for update in range(3):
        task.optimizer_step(optimizer, model, update)
    assert [players for players, _ in used] == [{"generator"}, {"discriminator"}, {"generator"}]
    assert used[0][1][0] == 0.4 and used[1][1][1] == 0.1 and used[2][1][0] == 0.2
    assert [group["lr"] for group in groups] == [0.4, 0.1]


def test_a_new_run_from_old_weights_has_a_schedule_of_its_own(corpus, monkeypatch):
    """fairseq loads the buffer with the weights, also where it counts updates anew."""
    monkeypatch.setattr(UnconditionalGenerationTask, "train_step", lambda *_, **__: None)
    for updates, phase in ((0, 0), (4, 1)):
        task = setup(GANTask, GANTaskConfig, corpus, generator_pretrain_updates=9)
        model = SimpleNamespace(progress=Progress.empty())
        Progress(model.progress).set(generator_pretraining=2)
        turns = []
        criterion = SimpleNamespace(
            begin_turn=turns.append, load_progress=lambda _: None, save_progress=lambda _: None
        )
        task.train_step({}, model, criterion, None, updates)
        assert [turn.phase for turn in turns] == [phase]
