"""Times adversarial training at SeqGAN's settings, in turns with a public framework.

Both sides do the same work through their own training code: a discriminator pass reads the real
sequences and as many generated ones for two epochs; a generator step is a policy-gradient update of
a batch of 64 whose tokens are rewarded by 16 rollouts each. Nothing is validated on either side.
"""

import argparse
import contextlib
import io
import json
import logging
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import metrics
from fairseq.trainer import Trainer

import fairseq_genext

BATCH, LENGTH, ROLLOUTS, EPOCHS = 64, 20, 16, 2
LIKELIHOOD_UPDATES = 20


class Ours:
    """fairseq's trainer with the task, model, criterion and optimizer of ``gan_seqgan``.

    Args:
        data: binarised oracle data with ``sentences`` training sequences.
        sentences: their number.
    """

    def __init__(self, data: Path, sentences: int) -> None:
        batches = -(-sentences // BATCH)
        arguments = [
            str(data), "--user-dir", str(Path(fairseq_genext.__file__).parent), "--cpu",
            "--task", "gan", "--arch", "gan_seqgan", "--criterion", "adversarial",
            "--fixed-length", "--max-sample-length", str(LENGTH), "--rollouts", str(ROLLOUTS),
            "--optimizer", "two_player_adamw", "--lr", "0.01", "--discriminator-lr", "0.0001",
            "--clip-norm", "5", "--batch-size", str(BATCH), "--seed", "1",
            "--generator-pretrain-updates", str(LIKELIHOOD_UPDATES),
            "--discriminator-pretrain-updates", "0",
            "--discriminator-steps", str(EPOCHS * batches), "--generator-steps", "1",
        ]  # fmt: skip
        parser = options.get_training_parser()
        config = convert_namespace_to_omegaconf(options.parse_args_and_arch(parser, arguments))
        task = tasks.setup_task(config.task)
        task.load_dataset("train")
        model, criterion = task.build_model(config.model), task.build_criterion(config.criterion)
        self.trainer = Trainer(config, task, model, criterion)
        self.samples = list(self.trainer.get_train_iterator(1).next_epoch_itr(shuffle=True))
        self.full = max(self.samples, key=lambda sample: sample["nsentences"])
        assert len(self.samples) == batches and self.full["nsentences"] == BATCH

    def update(self, sample: dict) -> None:
        """One update of whoever's turn it is."""
        with metrics.aggregate(new_root=True):
            self.trainer.train_step([sample])

    def likelihood(self) -> None:
        """The generator's pretraining, which the schedule puts before the turns."""
        for _ in range(LIKELIHOOD_UPDATES):
            self.update(self.full)

    def discriminator_pass(self) -> None:
        """Every real sequence twice, each time beside a fresh generated one."""
        for sample in self.samples * EPOCHS:
            self.update(sample)

    def generator_step(self) -> None:
        """The update that ends a round of turns."""
        self.update(self.full)


class Peer:
    """SeqGAN of TextGAN-PyTorch, by its own instructor's methods, without its files and metrics.

    Args:
        checkout: folder of its repository.
        sentences: number of real sequences, which are drawn at random, as their content costs
            nothing.
    """

    def __init__(self, checkout: Path, sentences: int) -> None:
        sys.path.insert(0, str(checkout))
        set_device = torch.cuda.set_device
        torch.cuda.set_device = lambda device: None  # its configuration does so without a GPU too
        try:
            import config
        finally:
            torch.cuda.set_device = set_device
        for name, value in {
            "CUDA": False, "batch_size": BATCH, "max_seq_len": LENGTH, "vocab_size": 5000,
            "rollout_num": ROLLOUTS, "gen_embed_dim": 32, "gen_hidden_dim": 32,
            "dis_embed_dim": 64, "gen_init": "normal", "samples_num": sentences,
        }.items():  # fmt: skip
            setattr(config, name, value)
        from instructor.oracle_data.seqgan_instructor import SeqGANInstructor
        from models.SeqGAN_D import SeqGAN_D
        from models.SeqGAN_G import SeqGAN_G
        from utils.data_loader import DisDataIter

        self.batches = DisDataIter
        self.seqgan = SeqGANInstructor.__new__(SeqGANInstructor)  # its own __init__ wants files
        self.seqgan.log = logging.getLogger("peer")
        self.seqgan.cal_metrics = lambda fmt_str: ""
        self.seqgan.gen = SeqGAN_G(32, 32, config.vocab_size, LENGTH, config.padding_idx)
        self.seqgan.dis = SeqGAN_D(64, config.vocab_size, config.padding_idx)
        self.seqgan.gen_adv_opt = torch.optim.Adam(self.seqgan.gen.parameters(), lr=config.gen_lr)
        self.seqgan.dis_opt = torch.optim.Adam(self.seqgan.dis.parameters(), lr=config.dis_lr)
        self.seqgan.dis_criterion = torch.nn.CrossEntropyLoss()
        self.real = torch.randint(config.vocab_size, (sentences, LENGTH))

    def discriminator_pass(self) -> None:
        """What a d_step of its ``train_discriminator`` does before it evaluates."""
        generated = self.seqgan.gen.sample(len(self.real), 4 * BATCH)
        batches = self.batches(self.real, generated)
        for _ in range(EPOCHS):
            self.seqgan.train_dis_epoch(
                self.seqgan.dis, batches.loader, self.seqgan.dis_criterion, self.seqgan.dis_opt
            )

    def generator_step(self) -> None:
        """Its ``adv_train_generator``."""
        self.seqgan.adv_train_generator(1)


def timed(work: Callable[[], None]) -> dict[str, float]:
    """Seconds that it takes by the clock, and of all processors' time."""
    start, start_cpu = time.perf_counter(), time.process_time()
    work()
    return {"s": time.perf_counter() - start, "CPU s": time.process_time() - start_cpu}


def time_in_turns(sides: dict, rounds: int) -> list[dict]:
    """What each kind of work took on each side in each round."""
    records = []
    for number in range(rounds):
        for work in ("discriminator_pass", "generator_step"):
            for name, side in sides.items():
                record = timed(getattr(side, work))
                records.append({"work": work, "side": name, **record})
                print(
                    f"round {number + 1}: {name}, {work}: {record['s']:.2f} s",
                    file=sys.stderr,
                    flush=True,
                )
    return records


def table(records: list[dict], sentences: int) -> pd.DataFrame:
    """A row for each kind of work and clock: medians, spreads, and the ratio of the medians."""
    labels = {
        "generator_step": f"generator step, batch {BATCH}, {ROLLOUTS} rollouts",
        "discriminator_pass": f"discriminator, {EPOCHS} epochs over {sentences:,} + {sentences:,}",
        "likelihood": f"{LIKELIHOOD_UPDATES} likelihood updates of {BATCH} × {LENGTH} tokens",
    }
    rows = []
    for work, label in labels.items():
        for clock in ("s", "CPU s"):
            values = {
                side: [r[clock] for r in records if (r["work"], r["side"]) == (work, side)]
                for side in ("ours", "peer")
            }
            row = {"work": label, "in": clock}
            for side, seconds in values.items():
                if seconds:
                    row[side] = f"{statistics.median(seconds):.2f}"
                    row[f"{side}, from … to"] = f"{min(seconds):.2f} … {max(seconds):.2f}"
            if values["peer"]:
                ratio = statistics.median(values["peer"]) / statistics.median(values["ours"])
                row["times as fast"] = f"{ratio:.1f}"
            rows.append(row)
    return pd.DataFrame(rows).fillna("")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path, help="binarised oracle data")
    parser.add_argument("--sentences", type=int, required=True, help="training sequences in it")
    parser.add_argument("--peer", type=Path, help="a checkout of TextGAN-PyTorch")
    parser.add_argument("--rounds", type=int, required=True)
    parser.add_argument("--output", type=Path, help="a file for the figures as JSON")
    args = parser.parse_args()
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")  # fairseq's and hydra's about their own code
    torch.manual_seed(1)
    sides = {"ours": Ours(args.data, args.sentences)}
    if args.peer is not None:
        with contextlib.redirect_stdout(io.StringIO()):
            sides["peer"] = Peer(args.peer.resolve(), args.sentences)
    records = [{"work": "likelihood", "side": "ours", **timed(sides["ours"].likelihood)}]
    records += time_in_turns(sides, args.rounds)
    print(f"\n{torch.get_num_threads()} threads, medians of {args.rounds} rounds\n")
    print(table(records, args.sentences).to_markdown(index=False, disable_numparse=True))
    if args.output is not None:
        figures = {
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "sentences": args.sentences,
            "records": records,
        }
        args.output.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
