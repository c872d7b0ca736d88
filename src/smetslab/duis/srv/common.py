"""Roles, elements and rows that several variants share."""

from __future__ import annotations

import re
from typing import Final

from smetslab.duis.codes import FutureDating, UserRole
from smetslab.duis.srv import simple
from smetslab.duis.srv.forms import DATE
from smetslab.duis.srv.holes import At, ForEach, Indexed, Position
from smetslab.duis.srv.model import EXECUTION_DATE_TIME, ServiceRequest, UseCaseMapping
from smetslab.duis.srv.shapes import (
    PRESENT,
    Attribute,
    Attributed,
    Child,
    OneOf,
    Particle,
    Sequence,
    many,
    optional,
)
from smetslab.duis.srv.simple import Number, Octets, Shape, Simple, Text
from smetslab.duis.srv.template import Template

IMPORT_SUPPLIER = UserRole.IMPORT_SUPPLIER
EXPORT_SUPPLIER = UserRole.EXPORT_SUPPLIER
GAS_SUPPLIER = UserRole.GAS_SUPPLIER
SUPPLIER_AGENT = UserRole.REGISTERED_SUPPLIER_AGENT
DISTRIBUTOR = UserRole.ELECTRICITY_DISTRIBUTOR
TRANSPORTER = UserRole.GAS_TRANSPORTER
OTHER_USER = UserRole.OTHER_USER

SUPPLIERS = (IMPORT_SUPPLIER, GAS_SUPPLIER)
EVERYBODY = (
    IMPORT_SUPPLIER,
    EXPORT_SUPPLIER,
    GAS_SUPPLIER,
    SUPPLIER_AGENT,
    DISTRIBUTOR,
    TRANSPORTER,
    OTHER_USER,
)

EXECUTION = optional(EXECUTION_DATE_TIME, simple.DATE_TIME)
"""Spec: DUIS schema 5.4, type FutureDatedAbstractType."""

KEY_AGREEMENT_CREDENTIALS = "KAPublicSecurityCredentials"
"""The certificate to which a device encrypts for a party that it does not know."""

READ_LOG_PERIOD = Child(
    "ReadLogPeriod",
    Sequence(Child("StartDateTime", simple.DATE_TIME), Child("EndDateTime", simple.DATE_TIME)),
)
START, END = At("ReadLogPeriod.StartDateTime"), At("ReadLogPeriod.EndDateTime")

CREDENTIALS = optional(KEY_AGREEMENT_CREDENTIALS, simple.CERTIFICATE)


def period(name: str) -> dict[str, Template]:
    """The parameter of that name is the period of a log to read."""
    return {name: {"start_date_time": START, "end_date_time": END}}


def read(
    variant: str,
    name: str,
    element: str,
    roles: tuple[UserRole, ...],
    *mappings: UseCaseMapping,
    reference: str | None = None,
    dated: bool = True,
    window: bool = False,
    credentials: bool = False,
) -> ServiceRequest:
    """A row that reads. `dated`: the DCC keeps it until its time; `window`: for a period of a log;
    `credentials`: with the certificate of a party that the device does not know.
    """
    particles: list[Particle] = []
    if dated:
        particles.append(EXECUTION)
    if window:
        particles.append(READ_LOG_PERIOD)
    if credentials:
        particles.append(CREDENTIALS)
    dcc = ((EXECUTION_DATE_TIME,) if dated else ()) + ((KEY_AGREEMENT_CREDENTIALS,) if credentials else ())
    return ServiceRequest(
        variant=variant,
        reference=reference or ".".join(variant.split(".")[:2]),
        name=name,
        element=element,
        body=Sequence(*particles),
        critical=False,
        eligible_roles=roles,
        future_dating=FutureDating.DSP if dated else FutureDating.NO,
        dcc_elements=dcc,
        mappings=mappings,
    )


def indexed(shape: Shape, high: int, name: str = "index") -> Attributed:
    """An element with a number of its own from 1 to `high`."""
    return Attributed(shape, (Attribute(name, Number(1, high)),))


# Dates. Spec: DUIS schema 5.4, types Date, GasDateWithWildcards.


def _part(name: str, specified: Simple, *others: str) -> OneOf:
    return OneOf((Child(name, specified), *(Child(other, PRESENT) for other in others)))


_YEAR: Final = Number(2014, 9999)
_MONTH: Final = Number(1, 12)
_DAY: Final = Number(1, 31)
_WEEK_DAY: Final = Number(1, 7)

DATE_SHAPE = Sequence(
    Child("Year", Sequence(_part("SpecifiedYear", _YEAR, "NonSpecifiedYear"))),
    Child("Month", Sequence(_part("SpecifiedMonth", _MONTH, "NonSpecifiedMonth"))),
    Child(
        "DayOfMonth",
        Sequence(
            _part(
                "SpecifiedDayOfMonth",
                _DAY,
                "LastDayOfMonth",
                "SecondLastDayOfMonth",
                "NonSpecifiedDayOfMonth",
            )
        ),
    ),
    Child("DayOfWeek", Sequence(_part("SpecifiedDayOfWeek", _WEEK_DAY, "NonSpecifiedDayOfWeek"))),
)
GAS_DATE_SHAPE = Sequence(
    Child("GasYearWithWildcards", Sequence(_part("SpecifiedYear", _YEAR, "NonSpecifiedYear"))),
    Child("GasMonthWithWildcards", Sequence(_part("SpecifiedMonth", _MONTH, "NonSpecifiedMonth"))),
    Child(
        "GasDayOfMonthWithWildcards",
        Sequence(_part("SpecifiedDayOfMonth", _DAY, "GasNonSpecifiedDayOfMonth")),
    ),
    Child(
        "GasDayOfWeekWithWildcards",
        Sequence(_part("SpecifiedDayOfWeek", _WEEK_DAY, "NonSpecifiedDayOfWeek")),
    ),
)

DAYS_OF_WEEK = Sequence(
    many(
        "DayOfWeekApplicability",
        Sequence(
            Child(
                "DayOfWeekID",
                simple.Word(("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")),
            )
        ),
        0,
        7,
    )
)

WEEK_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def week_days(prefix: str = "") -> dict[str, Template]:
    """The days that a week profile refers to, by index from Monday."""
    return {
        f"{prefix}{name}": Indexed("ReferencedDayName", number)
        for number, name in enumerate(WEEK_DAY_NAMES, start=1)
    }


def week_profiles(weeks: int, days: int) -> Sequence:
    """Spec: DUIS schema 5.4, types ElecWeekProfiles, GasWeekProfiles."""
    return Sequence(
        many(
            "WeekProfile",
            Sequence(
                Child("WeekName", Number(1, weeks)),
                many("ReferencedDayName", indexed(Number(1, days), 7), 7, 7),
            ),
            1,
            weeks,
        )
    )


def special_days(path: str, by: str, date: str = "") -> Template:
    """Special days whose number is their attribute, each with a day profile of that number. `date` is the
    element with the date where the special day is none itself.
    """
    return [
        ForEach(
            path,
            {"index": At(by), "date": At(date, DATE), "day_identifier": At(by)},
            by=by,
        )
    ]


PRINTABLE = re.compile("[ -~]+")


def printable(maximum: int, minimum: int = 1) -> Text:
    return Text(minimum, maximum, PRINTABLE, f"{minimum} to {maximum} printable ASCII characters")


MPAN = Text(13, 13)
INSTALL_CODE = Octets("hex", 6, 16)
FLOOR = Number(0, 2**63 - 1)
"""Spec: DUIS schema 5.4, type floorSequenceNumber."""


# Schedules. Spec: IEC 62056-6-2 (class 10, entries); GBCS 4.7.

EVERY_MINUTE: Final = 0xFFFF
"""A validity window that never ends."""


def schedule_entry(
    script_table: str,
    script_selector: Template,
    *,
    switch_time: Template,
    weekdays: Template,
    special_days: Template,
    begin_date: Template,
    end_date: Template,
) -> dict[str, Template]:
    """One entry of a schedule, numbered from 1."""
    return {
        "index": Position(1),
        "enable": True,
        "script_table": script_table,
        "script_selector": script_selector,
        "switch_time": switch_time,
        "validity_window": EVERY_MINUTE,
        "exec_weekdays": weekdays,
        "exec_special_days": special_days,
        "begin_date": begin_date,
        "end_date": end_date,
    }
