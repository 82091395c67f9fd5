"""Starts a fairseq command in several processes; distributed.sh's part that needs torch.

One line says which process died first, in place of the pages of torch's own launcher.
"""

import argparse
import logging
import shutil
import sys

import torch
from torch.distributed.elastic.multiprocessing import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser, run

USAGE = "distributed.sh [--processes N] [--nnodes N --node-rank R --master HOST] [COMMAND] FLAGS …"
HELP = """\
Runs a fairseq command in several processes: training averages their gradients, fairseq-generate
shares its inputs out, validation too. A process takes a GPU of this machine (NCCL); without GPUs,
or with --cpu, all are on its CPU (gloo).

  bash recipes/distributed.sh DATA --user-dir fairseq_genext --arch gpt_doc …        all GPUs
  bash recipes/distributed.sh --processes 2 DATA --cpu …                             two on the CPU
  bash recipes/distributed.sh --processes 2 fairseq-generate DATA --path …           another command

--batch-size and --max-tokens are for one process: N of them train on N times as much in an update.

Several machines, here two of eight GPUs each, which share the folders of data and checkpoints and
reach each other on port 29500: type on the first, and on the second,

  bash recipes/distributed.sh --nnodes 2 --node-rank 0 --master FIRST DATA …
  bash recipes/distributed.sh --nnodes 2 --node-rank 1 --master FIRST DATA …

where FIRST is the first one's name or address. Under Slurm:

  srun --nodes 2 --ntasks-per-node 1 bash -c 'bash recipes/distributed.sh --nnodes 2 \\
      --node-rank $SLURM_NODEID --master $(scontrol show hostnames | head -n 1) DATA …'
"""


def main() -> None:
    """Reads the launcher's options, which come first, and starts the command."""
    parser = argparse.ArgumentParser(
        usage=USAGE,
        description=HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--processes", type=int, help="on this machine; default: one a GPU, without GPUs one"
    )
    parser.add_argument("--nnodes", type=int, default=1, help="machines; default 1")
    parser.add_argument("--node-rank", type=int, default=0, help="this machine's number, from 0")
    parser.add_argument("--master", default="", help="name or address of machine 0")
    parser.add_argument("--master-port", type=int, default=29500, help="default 29500")
    parser.add_argument("command", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    options = parser.parse_args()
    processes = torch.cuda.device_count() or 1 if options.processes is None else options.processes
    if processes < 1 or options.nnodes < 1:
        sys.exit("error: --processes and --nnodes must be greater than 0")
    if options.nnodes > 1 and not options.master:
        sys.exit("error: --nnodes needs --master, the name or address of machine 0")
    if not 0 <= options.node_rank < options.nnodes:
        sys.exit(f"error: --node-rank must be 0 to {options.nnodes - 1}, one less than --nnodes")
    command, flags = "fairseq-train", options.command
    if flags and flags[0].startswith("fairseq-"):
        command, *flags = flags
    if not flags:
        parser.error("there is nothing to run: give the flags of fairseq-train")
    script = shutil.which(command)
    if script is None:
        sys.exit(f"error: there is no command {command}")
    if "--cpu" not in flags and 0 < torch.cuda.device_count() < processes:
        sys.exit(
            f"error: --processes is {processes}, but this machine has {torch.cuda.device_count()} "
            "GPUs: a process takes one each, or give --cpu"
        )
    world_size = options.nnodes * processes
    launcher = ["--nproc-per-node", str(processes)]
    if options.nnodes == 1:  # any free port
        launcher += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    else:
        launcher += ["--nnodes", str(options.nnodes), "--node-rank", str(options.node_rank)]
        launcher += ["--master-addr", options.master, "--master-port", str(options.master_port)]
    own = ["--distributed-world-size", str(world_size)]
    logging.disable(logging.CRITICAL)  # of the launcher alone; what it would say is the line below
    try:
        run(get_args_parser().parse_args([*launcher, script, *own, *flags]))
    except ChildFailedError as error:
        rank, failure = error.get_first_failure()
        how = f"status {failure.exitcode}"
        if failure.exitcode < 0:
            how = failure.signal_name()
        sys.exit(
            f"error: process {rank} of {world_size} ended with {how}, its reason stands above; the "
            "others were stopped"
        )
    except SignalException as error:
        sys.exit(f"error: stopped by {error.sigval.name}")


if __name__ == "__main__":
    main()
