"""Milliseconds of processor time that an update takes, by phase and player: fairseq-train, timed.

    python recipes/lib/update_times.py ARGUMENTS OF FAIRSEQ-TRAIN

trains as told and prints one line a phase. The first five updates of each do not count. Processor
time, of all threads, because other work on the machine changes it far less than the clock's.
"""

import time
from collections import defaultdict
from statistics import mean, median

from fairseq.trainer import Trainer
from fairseq_cli.train import cli_main

from fairseq_genext.gan.progress import Progress

WARM_UP = 5


def main() -> None:
    """Wraps the trainer's step with a clock."""
    times: dict[str, list[float]] = defaultdict(list)
    train_step = Trainer.train_step

    def timed(trainer, samples, raise_oom=False):
        name = "likelihood"
        if hasattr(trainer.task, "schedule"):
            progress = Progress(trainer.model.progress)
            turn = trainer.task.schedule.turn(trainer.get_num_updates(), progress)
            name = f"{turn.phase.name.lower()} {turn.player}"
        begun = time.process_time()
        output = train_step(trainer, samples, raise_oom)
        times[name].append(1000 * (time.process_time() - begun))
        return output

    Trainer.train_step = timed
    cli_main()
    for name, all_times in times.items():
        counted = all_times[WARM_UP:] or all_times
        print(
            f"{name:40s} mean {mean(counted):7.1f} ms  median {median(counted):7.1f} ms  "
            f"of {len(counted)} updates"
        )


if __name__ == "__main__":
    main()
