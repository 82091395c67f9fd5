"""`gold`: off-policy policy gradient on the training pairs (Pang and He 2021).

    L = -sum_t max(u, p(y_t | y_<t, x)) Q_t log p(y_t | y_<t, x),
    Q_t = sum_{k=0}^{K} gamma^k r_{t+k}

Algorithm 1 of https://arxiv.org/abs/2009.07839: generation by off-policy learning from
demonstrations. The importance weight, which has no gradient, is the model's own probability of the
token alone, at least u; here it is that of the model as it is, where the paper's is some updates
old. The reward r comes from a frozen model p_MLE that was trained by likelihood:

    s (GOLD-s):   r_t = max(c, p_MLE(y_t | y_<t, x)),           Q a sum of probabilities
    p (GOLD-p):   r_t = max(c, log p_MLE(y_t | y_<t, x) - b),   Q the log of a product, less (K+1) b
    delta:        Q_t = 1, that of a whole demonstration

c, K and b are those of the paper's public code; behind a text's end r is 0. Text gets better and
likelihood worse: choose checkpoints by --eval-bleu.
"""

import math
from dataclasses import dataclass, field

import torch
from fairseq import checkpoint_utils, utils
from fairseq.criterions import FairseqCriterion, register_criterion
from fairseq.dataclass import FairseqDataclass
from fairseq.logging import metrics
from fairseq.models import FairseqEncoderDecoderModel, build_model
from torch import Tensor, nn
from torch.nn import functional as F

from fairseq_genext.errors import UsageError
from fairseq_genext.patches.checkpoints import architecture, require_known
from fairseq_genext.patches.dictionaries import require_same_dictionaries
from fairseq_genext.patches.weights import one_line

REWARDS = ("delta", "p", "s")
LEAST_REWARD = 0.1  # c
LATER_TOKENS = 5  # K


@dataclass
class GoldConfig(FairseqDataclass):
    gold_reward: str = field(
        default="",
        metadata={
            "help": f"one of {', '.join(REWARDS)} (default: s with --gold-reward-checkpoint, else "
            "delta)"
        },
    )
    gold_reward_checkpoint: str = field(
        default="",
        metadata={"help": "p, s: the frozen model of the reward, trained by likelihood"},
    )
    gold_weight_floor: float = field(
        default=0.2, metadata={"help": "least importance weight of a token (u)"}
    )
    gold_reward_baseline: float = field(
        default=-10.0, metadata={"help": "p: subtracted from each log-probability (b)"}
    )
    gold_discount: float = field(
        default=1.0, metadata={"help": "p, s: discount of later tokens' rewards (gamma)"}
    )


@register_criterion("gold", dataclass=GoldConfig)
class Gold(FairseqCriterion):
    """Likelihood of the training pairs, weighted token by token.

    Raises:
        UsageError: a number is out of its range, or the reward needs a model that is not given.
    """

    def __init__(
        self,
        task,
        gold_reward: str = "",
        gold_reward_checkpoint: str = "",
        gold_weight_floor: float = 0.2,
        gold_reward_baseline: float = -10.0,
        gold_discount: float = 1.0,
    ) -> None:
        super().__init__(task)
        if not 0 <= gold_weight_floor <= 1:
            raise UsageError(f"--gold-weight-floor is {gold_weight_floor}; it must be in [0, 1]")
        if not 0 <= gold_discount <= 1:
            raise UsageError(f"--gold-discount is {gold_discount}; it must be in [0, 1]")
        if not math.isfinite(gold_reward_baseline):
            raise UsageError(
                f"--gold-reward-baseline is {gold_reward_baseline}; it must be a finite number"
            )
        self.kind = gold_reward or ("s" if gold_reward_checkpoint else "delta")
        if self.kind not in REWARDS:
            raise UsageError(
                f"--gold-reward {gold_reward!r} does not exist; choose one of {', '.join(REWARDS)}"
            )
        if (self.kind == "delta") == bool(gold_reward_checkpoint):
            raise UsageError(
                f"--gold-reward {self.kind} "
                + (
                    "asks no model: leave out --gold-reward-checkpoint, or choose p or s"
                    if gold_reward_checkpoint
                    else "needs --gold-reward-checkpoint, a model trained by likelihood"
                )
            )
        self.path = gold_reward_checkpoint
        self.floor = gold_weight_floor
        self.baseline = gold_reward_baseline
        self.discount = gold_discount
        # In a list, which hides its parameters: they are neither trained nor this criterion's.
        self.reward_model: list[nn.Module] = []

    def forward(self, model, sample, reduce: bool = True):
        """
        Returns:
            The sum of the loss over tokens (``(batch,)`` unless ``reduce``), the number of target
            tokens to divide it by, and the figures to log. In validation the loss is -log p, which
            asks no reward.
        """
        log_probs, mask = target_log_probs(model, sample, self.padding_idx)
        nll = -log_probs
        logging_output = {
            "nll_loss": nll.sum().data,
            "ntokens": sample["ntokens"],
            "nsentences": sample["target"].size(0),
            "sample_size": sample["ntokens"],
        }
        losses = nll
        if model.training:
            with torch.no_grad():
                weights = log_probs.exp().clamp(min=self.floor) * mask
                rewards = self.rewards(sample, mask)
            losses = weights * rewards * nll
            logging_output["gold_weight"] = weights.sum()
            logging_output["gold_reward"] = rewards.sum()
        logging_output["loss"] = losses.sum().data
        return losses.sum() if reduce else losses.sum(dim=1), sample["ntokens"], logging_output

    def rewards(self, sample, mask: Tensor) -> Tensor:
        """Q of every token, ``(batch, time)``, 0 in the padding.

        Raises:
            UsageError: as ``load``, or a sentence is longer than the model of the reward reads.
        """
        if self.kind == "delta":
            return mask.float()
        if not self.reward_model:
            self.reward_model = [self.load(mask.device)]
        (model,) = self.reward_model
        sizes = (sample["net_input"]["src_tokens"].size(1), mask.size(1))
        if any(size > most for size, most in zip(sizes, model.max_positions(), strict=True)):
            raise UsageError(
                f"--gold-reward-checkpoint {self.path}: a pair of {sizes[0]} and {sizes[1]} tokens "
                f"is longer than the {model.max_positions()} that it reads; give "
                "--max-source-positions and --max-target-positions"
            )
        log_probs, _ = target_log_probs(model, sample, self.padding_idx)
        reward = log_probs - self.baseline if self.kind == "p" else log_probs.exp()
        reward = reward.clamp(min=LEAST_REWARD) * mask
        return sum(
            self.discount**later * F.pad(reward, (0, later))[:, later:]
            for later in range(LATER_TOKENS + 1)
        )

    def load(self, device: torch.device) -> nn.Module:
        """The model of the reward.

        Raises:
            UsageError: there is no such file, or no translation model of these dictionaries in it.
        """
        state = checkpoint_utils.load_checkpoint_to_cpu(self.path)
        cfg = state["cfg"]
        require_known(self.path, cfg)
        require_same_dictionaries(self.path, state, self.task)
        # Not by the task, whose --eval-bleu would then translate by it. A run that goes on loads it
        # in another update, whose random numbers stay.
        with one_line(self.path, architecture(cfg)), torch.random.fork_rng(devices=[]):
            model = build_model(cfg.model, self.task)
            if not isinstance(model, FairseqEncoderDecoderModel):
                raise UsageError("--gold-reward-checkpoint takes a translation model")
            model.load_state_dict(state["model"], model_cfg=cfg.model)
        return model.to(device).eval().requires_grad_(False)

    @staticmethod
    def reduce_metrics(logging_outputs) -> None:
        """Logs a token's loss and nll_loss in bits, ppl, and the means of what weighs it."""

        def total(key: str) -> float:
            return sum(log.get(key, 0) for log in logging_outputs)

        tokens = total("ntokens")
        for key in ("loss", "nll_loss"):
            metrics.log_scalar(key, total(key) / tokens / math.log(2), tokens, round=3)
        metrics.log_derived("ppl", lambda meters: utils.get_perplexity(meters["nll_loss"].avg))
        for key in ("gold_weight", "gold_reward"):
            if any(key in log for log in logging_outputs):
                metrics.log_scalar(key, total(key) / tokens, tokens, round=4)

    @staticmethod
    def logging_outputs_can_be_summed() -> bool:
        """Every figure is a sum, so workers may add theirs before ``reduce_metrics``."""
        return True


def target_log_probs(model, sample, pad: int) -> tuple[Tensor, Tensor]:
    """log p(y_t | y_<t, x) of the targets, ``(batch, time)``, 0 in the padding, and their mask."""
    net_output = model(**sample["net_input"])
    log_probs = model.get_normalized_probs(net_output, True, sample)
    target = model.get_targets(sample, net_output)
    mask = target.ne(pad)
    chosen = log_probs.gather(2, target.unsqueeze(2)).squeeze(2)
    return chosen.masked_fill(~mask, 0.0), mask
