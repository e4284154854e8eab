"""The steps of a premium, as they are told to people."""

from riskengine.products.rate_book_edition import Edition
from riskengine.vocabulary import Text

STEP_TITLES = {
    "pure_premium": Text(zh="纯保费", en="pure premium"),
    "expected_days": Text(zh="预计住院天数", en="expected days"),
    "expected_events": Text(zh="预计事故次数", en="expected events"),
    "trend_factor": Text(zh="趋势", en="trend"),
    "actuarial_value": Text(zh="计划承担比例", en="actuarial value"),
    "payment_per_day": Text(zh="每日给付", en="payment per day"),
    "payment_per_event": Text(zh="每次给付", en="payment per event"),
    "induced_utilisation": Text(zh="就医行为变化", en="induced utilisation"),
    "expected_plan_paid": Text(zh="预计赔付", en="expected plan paid"),
    "pooling_charge": Text(zh="大额赔付分摊", en="pooling charge"),
    "fixed_expense": Text(zh="固定费用", en="fixed expense"),
    "permissible_loss_ratio": Text(zh="附加费率", en="loadings"),
    "base_rate": Text(zh="基准保费", en="base rate"),
    "age": Text(zh="年龄", en="age"),
    "sex": Text(zh="性别", en="sex"),
    "tobacco": Text(zh="烟草使用", en="tobacco use"),
    "rating_area": Text(zh="地区", en="rating area"),
    "social_insurance": Text(zh="基本医保", en="social insurance"),
    "occupation_class": Text(zh="职业类别", en="occupation class"),
    "underwriting_loading": Text(zh="核保加费", en="underwriting loading"),
    "family_discount": Text(zh="家庭优惠", en="family discount"),
    "seller_discretion": Text(zh="浮动", en="seller's discretion"),
    "cap": Text(zh="涨幅上限", en="cap on the rise"),
    "collar": Text(zh="降幅下限", en="collar on the fall"),
    "minimum_premium": Text(zh="最低保费", en="minimum premium"),
    "instalment_factor": Text(zh="分期系数", en="instalment factor"),
    "payments": Text(zh="分期次数", en="payments"),
    "instalment_premium": Text(zh="每期保费", en="instalment"),
    "offered_premium": Text(zh="报价保费", en="offered premium"),
}
DIRECTIONS = {"rise": Text(zh="上涨", en="rise"), "fall": Text(zh="下降", en="fall")}
"""Which way a premium moves."""


def step_title(name: str) -> Text:
    """A step by its words; a factor of a tariff that has none here by its own name."""
    plain = name.replace("_", " ")
    return STEP_TITLES.get(name, Text(zh=plain, en=plain))


def untitled(edition: Edition) -> list[str]:
    """The factors of an edition that no one has given words."""
    factors = {table.factor for tariff in edition.tariffs for table in tariff.factors}
    return sorted(factors - STEP_TITLES.keys())
