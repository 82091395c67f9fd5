"""One side of a measurement: sets up once, and then works as often as it is told.

    python recipes/lib/bench_worker.py '{"run": "train", …}'

``bench.py`` starts one for every side and asks them in turns. It writes a line with the number of
updates (or batches) to make and whether to time their parts, and is answered by a line of JSON:
processor seconds, seconds, and the tokens or sentences that were worked on. The first line comes
when the side has made its first update. What is measured is what users run: fairseq's and nanoGPT's
own training scripts from their command lines, stopped where an update ends.

Nothing of the plugin is imported here: a side without it is fairseq as it is.
"""

import functools
import importlib.metadata
import itertools
import json
import logging
import os
import runpy
import shlex
import sys
import time
from collections import defaultdict
from pathlib import Path

BEGUN = time.perf_counter()
import torch  # noqa: E402  its import is part of what a start costs

CUDA = torch.cuda.is_available()


class Pace:
    """Stops the work where an update ends, until more of it is asked for.

    Args:
        spec: what was measured, for the first answer.
        answers: where they are written.
    """

    def __init__(self, spec: dict, answers) -> None:
        self.spec, self.answers = spec, answers
        self.left, self.units, self.parts, self.timing = 0, 0, defaultdict(float), False
        self.start, self.start_processor, self.first = BEGUN, 0.0, True

    def update_ends(self) -> None:
        """Returns when another update is to begin."""
        if self.left > 1:
            self.left -= 1
            return
        synchronize()
        self.answer()
        request = sys.stdin.readline()
        if not request:
            os._exit(0)  # out of the middle of a script that would go on
        self.left, self.timing = json.loads(request)
        self.units, self.parts = 0, defaultdict(float)
        self.start, self.start_processor = time.perf_counter(), time.process_time()

    def answer(self) -> None:
        """Says what the work since the last request has cost."""
        said = {
            "processor": time.process_time() - self.start_processor,
            "seconds": time.perf_counter() - self.start,
            "units": int(self.units),
            "peak_mib": peak_memory(),
            "parts": self.parts,
        }
        if self.first:
            said |= {"device": torch.cuda.get_device_name() if CUDA else "cpu"}
            said |= {"versions": versions(self.spec["run"])}
            self.first = False
        print(json.dumps(said), file=self.answers, flush=True)

    def time_part(self, owner, name: str, part: str) -> None:
        """From now on calls of ``owner.name`` are timed as a part of an update, when asked for."""
        called = getattr(owner, name)

        @functools.wraps(called)
        def timed(*args, **kwargs):
            if not self.timing:
                return called(*args, **kwargs)
            synchronize()
            start = clock()
            try:
                return called(*args, **kwargs)
            finally:
                synchronize()
                self.parts[part] += clock() - start

        setattr(owner, name, timed)


clock = time.perf_counter if CUDA else time.process_time


def synchronize() -> None:
    """Waits for the GPU, if there is one."""
    if CUDA:
        torch.cuda.synchronize()


def peak_memory() -> float:
    """MiB: of a GPU what tensors took, else the largest resident set of this process."""
    if CUDA:
        return torch.cuda.max_memory_allocated() / 2**20
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def versions(run: str) -> dict[str, str]:
    """Of the packages that the side runs on."""
    names = ["torch", "numpy"] + ["ve-fairseq"] * (run in ("train", "generate"))
    names += ["transformers"] * (run == "huggingface")
    return {name: importlib.metadata.version(name) for name in names}


def run_train(pace: Pace, spec: dict) -> None:
    """fairseq-train; a unit is a token of the target."""
    from fairseq.data.iterators import GroupedIterator
    from fairseq.trainer import Trainer
    from fairseq_cli.train import cli_main

    begin = Trainer.train_step
    pace.time_part(GroupedIterator, "__next__", "data")
    pace.time_part(Trainer, "_prepare_sample", "data")
    pace.time_part(Trainer, "clip_grad_norm", "clipping")
    pace.time_part(Trainer, "_reduce_and_log_stats", "logging")
    pace.time_part(torch.Tensor, "backward", "backward")

    def train_step(trainer, samples, *args, **kwargs):
        if trainer.get_num_updates() > 0:
            pace.update_ends()
        else:
            pace.time_part(trainer.criterion, "forward", "forward")
            pace.time_part(trainer.optimizer, "multiply_grads", "clipping")
            pace.time_part(trainer.optimizer, "step", "optimizer")
            pace.time_part(trainer.optimizer, "zero_grad", "optimizer")
        pace.units += sum(sample["ntokens"] for sample in samples)
        return begin(trainer, samples, *args, **kwargs)

    Trainer.train_step = train_step
    sys.argv = ["fairseq-train", *fairseq_flags(spec), "--no-save", "--disable-validation"]
    sys.argv += ["--save-dir", spec["scratch"], "--num-workers", "0"]
    cli_main()


def fairseq_flags(spec: dict, key: str = "flags") -> list[str]:
    """The data and flags of a side on fairseq."""
    plugin = ["--user-dir", spec["plugin"]] if spec.get("plugin") else []
    return [spec["data"], *shlex.split(spec[key]), *plugin, *([] if CUDA else ["--cpu"])]


def run_generate(pace: Pace, spec: dict) -> None:
    """fairseq-generate's search with fresh weights; a unit is a token or a sentence."""
    from fairseq import options, tasks, utils
    from fairseq.dataclass.utils import convert_namespace_to_omegaconf

    def config(parser, *arguments):
        args = options.parse_args_and_arch(parser, list(arguments))
        return convert_namespace_to_omegaconf(args)

    trained = config(options.get_training_parser(), *fairseq_flags(spec))
    flags = fairseq_flags(spec, "generate")
    cfg = config(options.get_generation_parser(), *flags, "--path", "none")
    torch.manual_seed(1)
    task = tasks.setup_task(cfg.task)
    model = task.build_model(trained.model).eval()
    model.prepare_for_inference_(cfg)
    if CUDA:
        model.cuda()
    task.load_dataset("test")
    batches = task.get_batch_iterator(
        task.dataset("test"),
        max_sentences=cfg.dataset.batch_size,
        max_positions=utils.resolve_max_positions(task.max_positions(), model.max_positions()),
    )
    generator = task.build_generator([model], cfg.generation)
    for batch in itertools.cycle(list(batches.next_epoch_itr(shuffle=False))):
        batch = utils.move_to_cuda(batch) if CUDA else batch
        found = task.inference_step(generator, [model], batch)
        pace.units += len(found) if spec["unit"] == "sentence" else len(found) * spec["new"]
        pace.update_ends()


def run_nanogpt_train(pace: Pace, spec: dict) -> None:
    """nanoGPT's train.py; a unit is a token."""
    sys.path.insert(0, spec["checkout"])
    os.chdir(spec["checkout"])
    from model import GPT

    configure = GPT.configure_optimizers

    def configured(model, *args, **kwargs):
        optimizer = configure(model, *args, **kwargs)
        if not spec.get("compiled"):  # a compiled model cannot be looked into
            pace.time_part(model, "forward", "forward")
        pace.time_part(torch.Tensor, "backward", "backward")
        pace.time_part(torch.nn.utils, "clip_grad_norm_", "clipping")
        pace.time_part(optimizer, "step", "optimizer")
        pace.time_part(optimizer, "zero_grad", "optimizer")
        script = sys._getframe(1).f_globals
        get_batch = script["get_batch"]

        class Data:
            get = staticmethod(get_batch)

        pace.time_part(Data, "get", "data")
        script["get_batch"] = lambda split: Data.get(split)
        clear = optimizer.zero_grad

        def zero_grad(*args, **kwargs):  # the last thing that an update does
            clear(*args, **kwargs)
            pace.units += spec["tokens"]
            pace.update_ends()

        optimizer.zero_grad = zero_grad
        return optimizer

    GPT.configure_optimizers = configured
    sys.argv = ["train.py", f"--dataset={spec['data']}", f"--out_dir={spec['scratch']}"]
    sys.argv += [f"--device={'cuda' if CUDA else 'cpu'}", "--eval_iters=1"]
    sys.argv += ["--eval_interval=1000000000", *shlex.split(spec["flags"])]
    runpy.run_path("train.py", run_name="__main__")


def run_nanogpt_sample(pace: Pace, spec: dict) -> None:
    """nanoGPT's ``generate``, of which every step reads the whole text again; a unit is a token."""
    sys.path.insert(0, spec["checkout"])
    from model import GPT, GPTConfig

    shape = {name: spec[name] for name in ("vocab_size", "block_size", "n_layer", "n_head")}
    model = GPT(GPTConfig(**shape, n_embd=spec["n_embd"])).eval()
    repeat_generation(pace, model, spec, lambda given: model.generate(given, spec["new"]))


def run_huggingface(pace: Pace, spec: dict) -> None:
    """``generate`` of GPT-2 in Hugging Face's transformers, with its cache; a unit is a token."""
    from transformers import GPT2Config, GPT2LMHeadModel

    shape = {name: spec[name] for name in ("vocab_size", "n_layer", "n_head", "n_embd")}
    model = GPT2LMHeadModel(
        GPT2Config(**shape, n_positions=spec["block_size"], bos_token_id=2, eos_token_id=2)
    ).eval()
    length = {"max_new_tokens": spec["new"], "min_new_tokens": spec["new"]}

    def generate(given: torch.Tensor) -> None:
        model.generate(given, do_sample=True, top_k=0, pad_token_id=1, **length)

    repeat_generation(pace, model, spec, generate)


def repeat_generation(pace: Pace, model, spec: dict, generate) -> None:
    """Continues a batch of equal texts again and again."""
    device = "cuda" if CUDA else "cpu"
    model.to(device)
    given = torch.full((spec["batch"], spec.get("given", 1)), 2, device=device)
    with torch.inference_mode():
        while True:
            generate(given)
            pace.units += spec["batch"] * spec["new"]
            pace.update_ends()


def run_textgan(pace: Pace, spec: dict) -> None:
    """SeqGAN of TextGAN-PyTorch, by its own instructor's methods, without its files and metrics.

    What it is asked for in turns: a d_step of its ``train_discriminator`` (every real sequence
    with a fresh generated one, ``epochs`` times) and a step of its ``adv_train_generator``. Real
    sequences are drawn at random, as their content costs nothing.
    """
    sys.path.insert(0, spec["checkout"])
    torch.cuda.set_device = lambda device: None  # its configuration does so without a GPU too
    import config

    options = {"CUDA": False, "max_seq_len": spec["length"], "vocab_size": spec["words"]}
    options |= {"batch_size": spec["batch"], "rollout_num": spec["rollouts"], "gen_init": "normal"}
    options |= {"gen_embed_dim": 32, "gen_hidden_dim": 32, "dis_embed_dim": 64}
    for name, value in (options | {"samples_num": spec["sentences"]}).items():
        setattr(config, name, value)
    from instructor.oracle_data.seqgan_instructor import SeqGANInstructor
    from models.SeqGAN_D import SeqGAN_D
    from models.SeqGAN_G import SeqGAN_G
    from utils.data_loader import DisDataIter

    seqgan = SeqGANInstructor.__new__(SeqGANInstructor)  # its own __init__ wants files
    seqgan.log = logging.getLogger("peer")
    seqgan.cal_metrics = lambda fmt_str: ""
    seqgan.gen = SeqGAN_G(32, 32, config.vocab_size, config.max_seq_len, config.padding_idx)
    seqgan.dis = SeqGAN_D(64, config.vocab_size, config.padding_idx)
    seqgan.gen_adv_opt = torch.optim.Adam(seqgan.gen.parameters(), lr=config.gen_lr)
    seqgan.dis_opt = torch.optim.Adam(seqgan.dis.parameters(), lr=config.dis_lr)
    seqgan.dis_criterion = torch.nn.CrossEntropyLoss()
    real = torch.randint(config.vocab_size, (spec["sentences"], config.max_seq_len))
    while True:
        pace.update_ends()
        batches = DisDataIter(real, seqgan.gen.sample(len(real), 4 * spec["batch"]))
        for _ in range(spec["epochs"]):
            seqgan.train_dis_epoch(seqgan.dis, batches.loader, seqgan.dis_criterion, seqgan.dis_opt)
        pace.update_ends()
        seqgan.adv_train_generator(1)


def run_matmul(pace: Pace, spec: dict) -> None:
    """Products of square matrices, the most that a device can do; a unit is 10^6 operations."""
    size = 4096 if CUDA else 1024
    factors = torch.rand(2, size, size, device="cuda" if CUDA else "cpu")
    factors = factors.to(getattr(torch, spec["precision"]))
    while True:
        torch.mm(factors[0], factors[1])
        pace.units += 2 * size**3 / 1e6
        pace.update_ends()


def main() -> None:
    """The command line."""
    spec = json.loads(sys.argv[1])
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the sides print goes to the log
    runs = {
        "train": run_train, "generate": run_generate, "nanogpt_train": run_nanogpt_train,
        "nanogpt_sample": run_nanogpt_sample, "huggingface": run_huggingface,
        "textgan": run_textgan, "matmul": run_matmul,
    }  # fmt: skip
    runs[spec["run"]](Pace(spec, answers), spec)


if __name__ == "__main__":
    main()
