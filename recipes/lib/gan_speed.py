"""Times adversarial training at SeqGAN's settings, in turns with a public framework.

Times gan_seqgan's discriminator pass (2 epochs over the real sequences and as many generated ones)
and generator step (a policy-gradient update of a batch of 64 of length 20, whose tokens are
rewarded by 16 rollouts each), and likelihood pretraining; prints medians over rounds and writes
them to FOLDER/gan_speed.json. PEER is a checkout of TextGAN-PyTorch (git clone
https://github.com/williamSYSU/TextGAN-PyTorch), whose SeqGAN then does the same work in turns with
ours, each through its own training code. Nothing is validated on either side. OMP_NUM_THREADS sets
the threads of both. On two cores a round takes one minute, with PEER three.
"""

import argparse
import contextlib
import io
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from experiment import OneLine, positive
from fairseq import options, tasks
from fairseq.dataclass.utils import convert_namespace_to_omegaconf
from fairseq.logging import metrics
from fairseq.trainer import Trainer
from prepare_data import prepare_oracle

import fairseq_genext
from fairseq_genext.errors import UsageError
from fairseq_genext.files import write_whole

PROJECT = Path(__file__).resolve().parents[2]
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
            "--discriminator-warmup-updates", "0",
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
        """Every real sequence twice, each time with a fresh generated one."""
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
    read = pd.DataFrame(records).melt(["work", "side"], var_name="in", value_name="seconds")
    groups = read.groupby(["work", "in", "side"], sort=False)["seconds"]
    medians = groups.median().unstack()
    spreads = groups.agg(lambda s: f"{s.min():.2f} … {s.max():.2f}").unstack()
    told = medians.map("{:.2f}".format, na_action="ignore")
    told = told.join(spreads.add_suffix(", from … to"))
    if "peer" in medians:
        ratios = medians["peer"] / medians["ours"]
        told["times as fast"] = ratios.map("{:.1f}".format, na_action="ignore")
    return told.loc[list(labels)].rename(index=labels).sort_index(axis=1).reset_index().fillna("")


def main() -> None:
    """The command line."""
    parser = OneLine(
        prog="bash recipes/gan_speed.sh",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("peer", nargs="?", type=Path, metavar="PEER")
    parser.add_argument("--rounds", default="3", help="default: 3")
    parser.add_argument("--sentences", default="10000", help="real sequences (default: 10000)")
    default = PROJECT / "runs" / "gan_speed"
    parser.add_argument("--output", type=Path, default=default, metavar="FOLDER")
    args = parser.parse_args()
    rounds = positive(args.rounds, "--rounds")
    sentences = positive(args.sentences, "--sentences", least=BATCH)
    if args.peer is not None and not (args.peer / "models" / "SeqGAN_G.py").is_file():
        raise UsageError(f"{args.peer} is not a checkout of TextGAN-PyTorch; see --help")
    data = args.output / f"oracle-{sentences}"
    data.mkdir(parents=True, exist_ok=True)
    prepare_oracle({"flags": f"--train {sentences} --held-out {BATCH}"}, data)
    logging.disable(logging.INFO)
    warnings.simplefilter("ignore")  # fairseq's and hydra's about their own code
    torch.manual_seed(1)
    sides = {"ours": Ours(data / "bin", sentences)}
    if args.peer is not None:
        with contextlib.redirect_stdout(io.StringIO()):
            sides["peer"] = Peer(args.peer.resolve(), sentences)
    records = [{"work": "likelihood", "side": "ours", **timed(sides["ours"].likelihood)}]
    records += time_in_turns(sides, rounds)
    print(f"\n{torch.get_num_threads()} threads, medians of {rounds} rounds\n")
    print(table(records, sentences).to_markdown(index=False, disable_numparse=True))
    figures = {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "sentences": sentences,
        "records": records,
    }
    write_whole(args.output / "gan_speed.json", json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
