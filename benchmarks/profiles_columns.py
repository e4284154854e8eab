"""What the hand-written versions of the features share: names, windows, and where 0 means none.

Nothing of riskengine is imported, so that the other sides do not pay for its start.
"""

WINDOWS = (30, 90, 365, 1095)
SERVICES = ("inpatient", "outpatient", "drug", "supply", "emergency", "preventive")
COUNTED = (("inpatient", 1095), ("emergency", 365), ("preventive", 1095))
CONDITIONS = (
    "hypertension", "diabetes", "lipid_disorder", "ischaemic_heart_disease", "heart_failure",
    "arrhythmia", "stroke", "chronic_lung_disease", "chronic_kidney_disease", "cancer",
    "depression", "severe_mental_illness", "liver_disease", "inflammatory_arthritis", "dementia",
)  # fmt: skip
PREFIX_LENGTHS = (7, 6, 5, 4, 3)
MEASURES = (
    "household_size", "general_health_index", "mental_health_index", "chronic_disease_index",
    "physical_limitation", "body_mass_index", "glycated_haemoglobin", "systolic_pressure",
    "total_cholesterol", "smoker",
)  # fmt: skip
SLOPED = MEASURES[5:9]
EVENTS = {
    "app_visits": ("app_visit", (30, 90, 365)),
    "page_views": ("page_view", (30, 90, 365)),
    "calls": ("call", (90, 365)),
    "check_ups": ("check_up", (365, 1095)),
}
PLANS = ("free_care", "coinsurance_20", "high_deductible", "catastrophic")
MEMBER = (
    "sex", "rating_area", "education_years", "household_income", "self_rated_health",
)  # fmt: skip


def zero_for_all() -> list[str]:
    """Features of which nothing known means none, for every member we know."""
    return [
        *(f"covered_days_{w}d" for w in WINDOWS),
        "measurement_count_1095d",
        *(f"{name}_{w}d" for name, (_, spans) in EVENTS.items() for w in spans),
        *(f"page_views_{plan}_90d" for plan in PLANS),
        "offers_shown_365d",
        "offers_chosen_1095d",
    ]


def zero_if_covered() -> dict[str, int]:
    """Features of which nothing known means none for those covered in the window: its days."""
    use = ("medical_spend", "outpatient_visits", "claim_count", "hospital_days")
    year = ("emergency_claim_count", "chronic_condition_count", "diagnosis_count")
    three = ("inpatient_claim_count_1095d", "preventive_claim_count_1095d", "largest_claim_1095d")
    return {
        **{f"{name}_{w}d": w for w in WINDOWS for name in use},
        **{f"{service}_spend_365d": 365 for service in SERVICES},
        **{f"{name}_365d": 365 for name in year},
        **dict.fromkeys((*three, "chronic_condition_count"), 1095),
        **{f"has_{name}": 1095 for name in CONDITIONS},
    }
