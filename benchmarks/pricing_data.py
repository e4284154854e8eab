"""Person-years by service for the pricing benchmark: the RAND study and a synthetic insurer."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from riskengine.profiles.build import build_experience
from riskengine.profiles.services import years_by_service
from riskengine.risk.fit import cross_fit, held_out_mean
from riskengine.risk.spec import ModelSpec
from riskengine.sources.rand_hie import read_study, tables_from_study
from riskengine.sources.synthetic.assumptions import SERVICES
from riskengine.sources.synthetic.care import MEAN, Lines, draw_lines, expected_lines
from riskengine.sources.synthetic.population import draw_people
from riskengine.training import complete_experience
from riskengine.vocabulary import FloatArray, IntArray, Service

LENGTH = 365
REPEATED_SPEND = 600.0
"""Expected spend up to which members are drawn more than once."""


@dataclass(frozen=True)
class Years:
    """n person-years: cost and visits by service, the held-out mean of the total, and folds."""

    amounts: dict[Service, FloatArray]
    visits: dict[Service, FloatArray]
    mean: FloatArray
    exposure: FloatArray
    fold: IntArray

    @property
    def total(self) -> FloatArray:
        return np.asarray(np.sum(list(self.amounts.values()), axis=0))


@dataclass(frozen=True)
class HospitalStays:
    """Stays of n person-years, with the true expected days a year (n,)."""

    person: IntArray
    days: FloatArray
    mean: FloatArray


def study_years(spec: ModelSpec) -> Years:
    """Years of the RAND study; means and folds by person, from models that never saw the person."""
    tables = tables_from_study(read_study())
    experience = complete_experience(build_experience(tables))
    held_out = cross_fit(spec, experience)
    fold = np.zeros(experience.num_rows, dtype=np.int64)
    for number, part in enumerate(held_out):
        fold[part.split.test] = number
    exposure = experience["exposure"].to_numpy()
    services = years_by_service(tables["claims"], experience["policy_id"], exposure)
    return Years(
        services.amounts, services.visits, held_out_mean(held_out, experience), exposure, fold
    )


def simulated_years(
    blocks: Sequence[int], seed: int = 1, most_repeats: int = 1
) -> tuple[Years, HospitalStays]:
    """One year of care of 10,000 synthetic members a block, under free care, with true means.

    Members of low risk are drawn up to `most_repeats` times, each time with so much less exposure:
    rare bills need many years to be seen.
    """
    parts = [_block(seed, number, most_repeats) for number in blocks]
    years = Years(
        *(
            {s: np.concatenate([getattr(p[0], name)[s] for p in parts]) for s in SERVICES}
            for name in ("amounts", "visits")
        ),
        *(
            np.concatenate([getattr(p[0], name) for p in parts])
            for name in ("mean", "exposure", "fold")
        ),
    )
    starts = np.cumsum([0, *[len(p[0].mean) for p in parts]])
    stays = HospitalStays(
        np.concatenate([p[1].person + start for p, start in zip(parts, starts, strict=False)]),
        np.concatenate([p[1].days for p in parts]),
        np.concatenate([p[1].mean for p in parts]),
    )
    return years, stays


def _block(seed: int, number: int, most_repeats: int) -> tuple[Years, HospitalStays]:
    rng = np.random.default_rng([seed, number])
    people = draw_people(rng, number)
    rates = expected_lines(people, people.joined + LENGTH / 2)
    repeats = np.clip(REPEATED_SPEND / (rates @ MEAN), 1, most_repeats).astype(np.int64)
    of_person = np.repeat(np.arange(people.size), repeats)
    rates, n = rates[of_person], len(of_person)
    first = people.joined[of_person]
    lines = draw_lines(rng, people, rates, (of_person, first, first + LENGTH - 1))
    kept = Lines(**{name: column[lines.reverses < 0] for name, column in vars(lines).items()})
    place, shape = kept.policy * len(SERVICES) + kept.service, (n, len(SERVICES))
    amount = np.bincount(place, kept.amount, n * len(SERVICES)).reshape(shape)
    visit = np.bincount(place, np.nan_to_num(kept.visits), n * len(SERVICES)).reshape(shape)
    stay = ~np.isnan(kept.hospital_days)
    years = Years(
        {service: amount[:, column] for column, service in enumerate(SERVICES)},
        {service: visit[:, column] for column, service in enumerate(SERVICES)},
        rates @ MEAN,
        1 / repeats[of_person],
        np.full(n, number),
    )
    days = rates[:, SERVICES.index(Service.INPATIENT)] * kept.hospital_days[stay].mean()
    return years, HospitalStays(kept.policy[stay], kept.hospital_days[stay], days)
