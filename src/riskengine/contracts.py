"""The contract of every table that crosses a stage.

One pandera model a table is the definition; `riskengine.tables` lists the columns for those who
need no more, and the Table Schema files in `data/schemas/` are generated from it (`riskengine
schemas`, `sources.table_schema`). The docstring of a contract describes the table in English and
in Chinese, then, in both, each column. Every fact carries two dates: when it happened and when it
became known. Left out: reading files and what becomes of rows that break a contract
(`sources.check`, `sources.folder`).
"""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import pandas as pd
import pandera.pandas as pa

from riskengine.vocabulary import Currency, EventKind, Measure, SelfRatedHealth, Service, Sex

Rule = TypeVar("Rule", bound=Callable[..., Any])
ICD10 = r"^[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4}|\.[0-9x]{3}(x[0-9]{3})?)?$"
"""Form of an ICD-10 code: of the WHO or ICD-10-CM, with or without the dot, or of China's national
clinical edition, such as `E11.900x001`."""


class Contract(pa.DataFrameModel):  # type: ignore[misc]
    """What all contracts share: exactly the named columns, exact types, nothing coerced.

    member_id: The insurer's own number of the person, the same in all tables.
    member_id：保险公司给这个人的编号，所有表一致。
    policy_id: The insurer's own number of a policy period of one member.
    policy_id：保险公司给一名成员的一个保单期间的编号。
    claim_id: The insurer's own number of a claim line; a bill may have several lines.
    claim_id：保险公司给一条赔案明细的编号；一张账单可有多条明细。
    known_on: When the insurer came to know of the row; no feature uses it before that day.
    known_on：保险公司获知这一行的日期；在此日之前，任何特征都不使用它。
    """

    class Config:
        strict = True
        coerce = False


def _column(zh: str, en: str, unit: str = "", **checks: Any) -> Any:
    """A column with its title in both languages and its unit, plus pandera's own checks."""
    return pa.Field(title=en, metadata={"title_zh": zh, "unit": unit}, **checks)


def _rule(name: str) -> Callable[[Rule], Rule]:
    """A rule over the whole row; its name is the reason that a row is quarantined for."""
    return cast("Callable[[Rule], Rule]", pa.dataframe_check(name=name))


def _in_order(first: str, then: str) -> Any:
    """The rule that the date `then` is not before the date `first`."""

    @_rule(f"{then} is not before {first}")
    def dates_in_order(cls: type[Contract], frame: pd.DataFrame) -> pd.Series:  # noqa: ARG001
        return frame[then] >= frame[first]

    return dates_in_order


class Members(Contract):
    """One row a member: what does not change while the member is with us.
    每行一名成员：在保期间不变的信息。

    birth_date: Age is counted from this day.
    birth_date：从这一天起计算年龄。
    sex: As the insurer has it on record.
    sex：以保险公司的记录为准。
    rating_area: The area that the tariff of the market tells apart; empty if it knows none.
    rating_area：市场费率所区分的地区；不区分时为空。
    education_years: Years of schooling, those of whoever heads the household.
    education_years：户主接受学校教育的年数。
    household_income: Of the whole household, in the currency of the claims.
    household_income：全家收入，币种与赔案相同。
    self_rated_health: The member's own answer when cover was taken out.
    self_rated_health：投保时成员自己的回答。
    """

    member_id: str = _column("成员编号", "Member", unique=True)
    birth_date: pa.dtypes.Date = _column("出生日期", "Date of birth")
    sex: str = _column("性别", "Sex", isin=[sex.value for sex in Sex])
    rating_area: str = _column("地区", "Rating area", nullable=True)
    education_years: float = _column(
        "户主受教育年限", "Education of the household head", "years", nullable=True, ge=0, le=30
    )
    household_income: float = _column(
        "家庭年收入", "Household income", "currency per year", nullable=True, ge=0
    )
    self_rated_health: str = _column(
        "自评健康",
        "Self-rated health",
        nullable=True,
        isin=[level.value for level in SelfRatedHealth],
    )
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    born_first = _in_order("birth_date", "known_on")


class Policies(Contract):
    """One row a policy period and member: the cover held and the time at risk.
    每行一名成员的一个保单期间：持有的保障与风险暴露时间。

    plan_design: The name of the plan held, in the catalogue or in older records.
    plan_design：所持计划在产品目录或历史档案中的名称。
    coinsurance: What the member pays of each bill after the deductible.
    coinsurance：免赔额之后由成员承担的费用比例。
    out_of_pocket_maximum: The most a member pays for care; empty means without limit.
    out_of_pocket_maximum：成员一年最多自付的金额；空值表示没有上限。
    individual_deductible: 1 where the member first pays a deductible of their own.
    individual_deductible：1表示成员先自付个人免赔额。
    start_date: Cover begins with this day.
    start_date：自当日起承保。
    end_date: That day is still covered.
    end_date：含当日。
    exposure: Time at risk inside the policy period.
    exposure：保单期间内承担风险的时间。
    """

    policy_id: str = _column("保单编号", "Policy", unique=True)
    member_id: str = _column("成员编号", "Member")
    plan_design: str = _column("计划设计", "Plan design held")
    coinsurance: float = _column("自付比例", "Member's share of cost", "share", ge=0, le=1)
    out_of_pocket_maximum: float = _column(
        "年度自付上限", "Out-of-pocket maximum", "currency per year", nullable=True, ge=0
    )
    individual_deductible: float = _column(
        "个人免赔额计划", "Individual deductible design", "0 or 1", isin=[0.0, 1.0]
    )
    start_date: pa.dtypes.Date = _column("起保日期", "First day of cover")
    end_date: pa.dtypes.Date = _column("终保日期", "Last day of cover")
    exposure: float = _column("风险暴露", "Exposure", "years", gt=0, le=1)
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    dates_in_order = _in_order("start_date", "end_date")


class Claims(Contract):
    """One row a claim line; a reversal is a negative line that names the line it takes back.
    每行一条赔案明细；冲销为负数行，并指明所冲销的明细。

    service: The kind of care that the line is for.
    service：这条明细所属的医疗类别。
    service_date: When the care was given; of a stay, its first day.
    service_date：就医的日期；住院为入院日期。
    reported_on: When the insurer came to know of the line; no feature uses it before that day.
    reported_on：保险公司获知这条明细的日期；在此日之前，任何特征都不使用它。
    allowed_amount: What the bill is worth under the contract, whoever pays it.
    allowed_amount：按合同认可的账单金额，不论由谁支付。
    currency: ISO 4217 code of the amount; one book, one currency.
    currency：金额的ISO 4217币种代码；一份数据只用一种币种。
    visit_count: Face-to-face visits in this line; empty where it is no visit.
    visit_count：这条明细包含的当面就诊次数；不是就诊时为空。
    hospital_days: Days of stay in this line; empty where it is no stay.
    hospital_days：这条明细包含的住院天数；不是住院时为空。
    reversal_of: In reversals only: the line that is taken back, in whole or in part.
    reversal_of：只在冲销中填写：被全部或部分冲销的明细。
    """

    claim_id: str = _column("赔案明细编号", "Claim line", unique=True)
    member_id: str = _column("成员编号", "Member")
    policy_id: str = _column("保单编号", "Policy")
    service: str = _column("服务类别", "Service", isin=[service.value for service in Service])
    service_date: pa.dtypes.Date = _column("就诊日期", "Date of service")
    reported_on: pa.dtypes.Date = _column("报案日期", "Reported on")
    allowed_amount: float = _column("认可费用", "Allowed amount", "currency")
    currency: str = _column("币种", "Currency", isin=[currency.value for currency in Currency])
    visit_count: float = _column("就诊次数", "Visits", "visits", nullable=True)
    hospital_days: float = _column("住院天数", "Days in hospital", "days", nullable=True)
    reversal_of: str = _column("冲销的赔案", "Claim line taken back", nullable=True)

    dates_in_order = _in_order("service_date", "reported_on")

    @_rule("amounts, visits and days are negative in reversals only")
    def negative_only_in_reversals(cls, frame: pd.DataFrame) -> pd.Series:  # noqa: N805
        numbers = frame[["allowed_amount", "visit_count", "hospital_days"]]
        sign = frame["reversal_of"].isna().map({True: 1.0, False: -1.0})
        return ~(numbers.mul(sign, axis=0) < 0).any(axis=1)


class Diagnoses(Contract):
    """One row a diagnosis on a claim line.
    每行一个赔案明细上的诊断。

    icd10: Of the WHO, ICD-10-CM or China's clinical edition, with or without the dot.
    icd10：世界卫生组织版、ICD-10-CM或中国临床版，可带点或不带点。
    diagnosed_on: When the diagnosis was made, as on the claim line.
    diagnosed_on：作出诊断的日期，与赔案明细一致。
    """

    claim_id: str = _column("赔案明细编号", "Claim line")
    member_id: str = _column("成员编号", "Member")
    icd10: str = _column("ICD-10编码", "ICD-10 code", str_matches=ICD10)
    diagnosed_on: pa.dtypes.Date = _column("诊断日期", "Diagnosed on")
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    dates_in_order = _in_order("diagnosed_on", "known_on")


class Measurements(Contract):
    """One row a dated number about a member's health or household.
    每行一个关于成员健康或家庭的数值及其日期。

    measure: What was measured; it says the unit of the value.
    measure：测量的项目，决定数值的单位。
    value: Body mass index in kg/m2, glycated haemoglobin in %, systolic pressure in mmHg, total
        cholesterol in mmol/L, indices in points, household size in people, the others from 0 to 1.
    value：体重指数kg/m2，糖化血红蛋白%，收缩压mmHg，总胆固醇mmol/L，
        各指数为分，家庭人数为人，其余为0至1。
    measured_on: When it was measured or asked.
    measured_on：测量或询问的日期。
    """

    member_id: str = _column("成员编号", "Member")
    measure: str = _column("测量项目", "Measure", isin=[measure.value for measure in Measure])
    value: float = _column("测量值", "Value", "as the measure", ge=-1e7, le=1e7)
    measured_on: pa.dtypes.Date = _column("测量日期", "Measured on")
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    dates_in_order = _in_order("measured_on", "known_on")


class Events(Contract):
    """One row something a member did: a visit to the app, steps walked, a call.
    每行成员的一次行为：访问应用、步行、来电。

    event_id: One row has one number, whatever its kind.
    event_id：每行一个编号，与类型无关。
    kind: What the member did.
    kind：成员做了什么。
    plan: The plan that a page view was about; empty where it was about none.
    plan：浏览的页面所介绍的计划；与计划无关时为空。
    quantity: Steps of that day, or minutes of a call; empty for other events.
    quantity：当日步数，或来电的分钟数；其他事件为空。
    occurred_on: When the member did it.
    occurred_on：行为发生的日期。
    """

    event_id: str = _column("事件编号", "Event", unique=True)
    member_id: str = _column("成员编号", "Member")
    kind: str = _column("事件类型", "Kind", isin=[kind.value for kind in EventKind])
    plan: str = _column("相关计划", "Plan it was about", nullable=True)
    quantity: float = _column("数量", "Quantity", "steps or minutes", nullable=True, ge=0)
    occurred_on: pa.dtypes.Date = _column("发生日期", "Occurred on")
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    dates_in_order = _in_order("occurred_on", "known_on")


class Offers(Contract):
    """One row a plan on a list that was shown, and what the member chose.
    每行展示列表中的一个计划，以及成员是否选择。

    offer_id: One plan on one list.
    offer_id：一次展示中的一个计划。
    plan: The plan shown, by its name in the catalogue.
    plan：所展示计划在产品目录中的名称。
    position: 1 is the top of the list.
    position：1为列表最上方。
    offered_premium: The premium that the member was shown.
    offered_premium：当时向成员展示的保费。
    propensity: How likely this order was where orders are drawn at random; empty if unknown.
    propensity：随机排序时得到这一顺序的概率；未知时为空。
    chosen: Empty while undecided.
    chosen：空值表示尚未决定。
    shown_on: When the list was shown.
    shown_on：展示列表的日期。
    """

    offer_id: str = _column("展示编号", "Offer", unique=True)
    member_id: str = _column("成员编号", "Member")
    plan: str = _column("计划", "Plan")
    position: float = _column("位置", "Position on the list", "from 1", ge=1)
    offered_premium: float = _column("报价保费", "Offered premium", "currency per year", ge=0)
    propensity: float = _column(
        "展示概率", "Probability of the list as shown", "probability", nullable=True, gt=0, le=1
    )
    chosen: float = _column("是否选择", "Chosen", "0 or 1", nullable=True, isin=[0.0, 1.0])
    shown_on: pa.dtypes.Date = _column("展示日期", "Shown on")
    known_on: pa.dtypes.Date = _column("获知日期", "Known on")

    dates_in_order = _in_order("shown_on", "known_on")


CONTRACTS: dict[str, type[Contract]] = {
    "members": Members,
    "policies": Policies,
    "claims": Claims,
    "diagnoses": Diagnoses,
    "measurements": Measurements,
    "events": Events,
    "offers": Offers,
}
"""All tables, each after those it refers to."""
