"""A seeded search of LightGBM's settings, judged on the folds the fit itself is judged on.

The default settings are the first trial, so a search never ends with worse ones on these folds.
"""

import time
import warnings
from collections.abc import Callable

import optuna

from riskengine.risk.learn import held_out_losses
from riskengine.risk.settings import candidates
from riskengine.risk.spec import SearchSection
from riskengine.risk.task import Task


def search(task: Task, section: SearchSection, say: Callable[[str], None]) -> dict[str, object]:
    """The settings of least held-out loss within the trials and seconds that `section` allows."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    started = time.monotonic()
    defaults = candidates(task)
    loss_of = held_out_losses(task)
    losses = [loss_of(one) for one in defaults]
    best, least = min(zip(defaults, losses, strict=True), key=lambda pair: pair[1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        sampler = optuna.samplers.TPESampler(seed=task.spec.lightgbm.seed, multivariate=True)
    study = optuna.create_study(sampler=sampler)
    study.enqueue_trial(_known(best))
    for number in range(section.trials):
        spent = time.monotonic() - started
        if section.seconds is not None and spent > section.seconds:
            break
        trial = study.ask()
        settings = best if number == 0 else _drawn(trial)
        loss = least if number == 0 else loss_of(settings)
        if number == 0:
            _drawn(trial)
        study.tell(trial, loss)
        if loss < least:
            best, least = settings, loss
        say(f"trial {number + 1} of {section.trials}: held-out loss {least:.6f} at best")
    return best


def _known(settings: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in settings.items() if name in _RANGES}


_RANGES: dict[str, tuple[float, float, bool]] = {
    "learning_rate": (0.01, 0.1, True),
    "num_leaves": (2, 64, True),
    "min_data_in_leaf": (5, 200, True),
    "lambda_l2": (1.0, 300.0, True),
    "min_sum_hessian_in_leaf": (1.0, 100.0, True),
    "feature_fraction": (0.2, 1.0, False),
    "bagging_fraction": (0.4, 1.0, False),
}
_WHOLE = {"num_leaves", "min_data_in_leaf"}


def _drawn(trial: optuna.Trial) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, (low, high, log) in _RANGES.items():
        if name in _WHOLE:
            found[name] = trial.suggest_int(name, int(low), int(high), log=log)
        else:
            found[name] = trial.suggest_float(name, low, high, log=log)
    return found
