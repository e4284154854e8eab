"""Members on the wire: their stored profiles, and what a request and a profile say together."""

from collections.abc import Sequence
from datetime import date

from riskengine.errors import InputError, StoreError, UnknownNameError
from riskengine.profiles.feature import FAMILY_TITLES, Family, Purpose
from riskengine.profiles.features import feature_named
from riskengine.profiles.questions import Question
from riskengine.service.quoting import Known
from riskengine.service.requests import MemberAnswers, Message
from riskengine.store import ProfileStore, StoredProfile
from riskengine.vocabulary import Answer, Text


class FeatureMessage(Message):
    """One known feature of a profile; `family` is null for one that this version does not know."""

    name: str
    title: Text
    value: Answer
    shown: Text
    unit: str
    family: Family | None
    purpose: Purpose | None
    sensitive: bool


class FamilyMessage(Message):
    family: Family
    title: Text


class ProfileResponse(Message):
    """What is known of a member as of a date; what is not known is not in `features`."""

    member_id: str
    as_of: date
    families: tuple[FamilyMessage, ...]
    features: tuple[FeatureMessage, ...]


def read_profile(store: ProfileStore | None, member_id: str) -> StoredProfile:
    """The stored profile of a member; blocks on the database.

    Raises `StoreError` when there is no store and `UnknownMemberError` for an unknown member.
    """
    if store is None:
        message = "this service has no store of profiles: set RISKENGINE_STORE"
        raise StoreError(message)
    return store.profile(member_id)


def known_of(
    store: ProfileStore | None, questions: Sequence[Question], given: MemberAnswers, as_of: date
) -> Known:
    """What a request says of a member, over what the stored profile that it names has to say.

    Raises `InputError` when the profile is of a later date than the first day of cover.
    """
    if given.member_id is None:
        return Known(given.answers)
    profile = read_profile(store, given.member_id)
    if profile.as_of > as_of:
        message = (
            f"the stored profile of {profile.member_id!r} is as of {profile.as_of}, later than the"
            f" first day of cover {as_of}: give a later day, or answers without member_id"
        )
        raise InputError(message)
    asked = {question.name for question in questions}
    stored = {name: value for name, value in profile.features.items() if name in asked}
    return Known({**stored, **given.answers}, profile.member_id, profile.as_of)


def profile_response(profile: StoredProfile) -> ProfileResponse:
    """A stored profile as it travels."""
    return ProfileResponse(
        member_id=profile.member_id,
        as_of=profile.as_of,
        families=tuple(FamilyMessage(family=f, title=t) for f, t in FAMILY_TITLES.items()),
        features=tuple(_feature(name, value) for name, value in profile.features.items()),
    )


def _feature(name: str, value: Answer) -> FeatureMessage:
    try:
        feature = feature_named(name)
    except UnknownNameError:
        plain = Text(zh=str(value), en=str(value))
        return FeatureMessage(
            name=name,
            title=Text(zh=name, en=name),
            value=value,
            shown=plain,
            unit="",
            family=None,
            purpose=None,
            sensitive=True,
        )
    question = feature.question
    return FeatureMessage(
        name=name,
        title=question.title,
        value=value,
        shown=question.titled(value),
        unit=question.unit,
        family=feature.family,
        purpose=feature.purpose,
        sensitive=question.sensitive,
    )
