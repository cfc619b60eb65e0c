"""Customers of a telephone company that does not exist, drawn day by day from a seed: any size, always the same rows.

Known beforehand: churn follows contract, tenure, charges and support; of every 200 customers one has no identifier and
two an email address without @; from DRIFT on, charges are 15 higher, newcomers many, and contracts bind nobody.
Of every 250 rows at the desk, PLANTED says which are wrong and how.
"""

from datetime import date, timedelta
from typing import Any, TypeAlias

import numpy as np
import polars as pl

FIRST, DRIFT, LAST = date(2024, 1, 1), date(2024, 1, 8), date(2024, 1, 14)
BASELINE = (date(2023, 12, 1), date(2023, 12, 3))
ROWS = 1000  # a day, where nobody says how many
NO_IDENTIFIER, BAD_EMAIL = (7,), (11, 111)  # which of 200 customers
PLANTED = {
    "no_id": 3,
    "no_customer": 17,
    "negative_tenure": 29,
    "unpaid": 43,
    "unborn": 57,
    "unknown_status": 71,
    "child_alone": 97,
    "wrong_total": 113,
    "wrong_price": 131,
    "bad_email": 148,
}

Places: TypeAlias = "np.ndarray[Any, np.dtype[np.int64]]"
_CONTRACTS, _SUPPORT = ("Month-to-month", "One year", "Two year"), ("yes", "no")
_PAYMENTS = ("Bank transfer", "Credit card", "Electronic check")
_REGIONS, _SUBSCRIPTIONS = ("us-east", "us-west"), ("basic", "family", "premium")
_BINDS = {"Month-to-month": 1.6, "One year": -1.6, "Two year": -3.2}
_STATUS, _COUNTRIES = ("active", "pending", "closed"), ("US", "CA", "GB")


def days(first: date, last: date) -> list[date]:
    """Every day from the first to the last."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def customer_data(day: date, rows: int) -> pl.DataFrame:
    """The raw extract of a day, one row a customer: who they are, what they pay, and whether they left since."""
    draw, late = np.random.default_rng([1, day.toordinal()]), day >= DRIFT
    number = np.arange(rows)
    tenure = np.minimum(draw.gamma(2.0, 14.0, rows), 72).astype(np.int64) // (2 if late else 1)
    monthly = np.clip(draw.normal(80 if late else 65, 20, rows), 18, 150).round(2)
    contract = draw.choice(_CONTRACTS, rows, p=(0.55, 0.25, 0.2))
    support = draw.choice(_SUPPORT, rows, p=(0.4, 0.6))
    binds = np.zeros(rows) if late else np.vectorize(_BINDS.get)(contract)
    leaning = 1.4 * (0.04 * (monthly - 65) - 0.09 * (tenure - 20) + binds + 0.8 * (support == "no") - 1.0)
    seconds = draw.integers(3600, 86_400, rows)
    return pl.DataFrame(
        {
            "customer_identifier": day.toordinal() * 10_000_000 + number,
            "region": draw.choice(_REGIONS, rows),
            "subscription_type": draw.choice(_SUBSCRIPTIONS, rows, p=(0.5, 0.3, 0.2)),
            "tenure": tenure,
            "monthly_charges": monthly,
            "total_charges": (monthly * np.maximum(tenure, 1)).round(2),
            "contract_type": contract,
            "payment_method": draw.choice(_PAYMENTS, rows),
            "tech_support": support,
            "churn": draw.random(rows) < 1 / (1 + np.exp(-leaning)),
            "importance_weight": np.where(draw.random(rows) < 0.2, 2.0, 1.0),
            "temp_id": number,
            "_metadata": "extract",
        }
    ).with_columns(
        email=_email(number, number % 200, BAD_EMAIL),
        customer_identifier=_without(pl.col("customer_identifier"), number % 200, NO_IDENTIFIER),
        date=pl.lit(day),
        transaction_date=pl.lit(day) - pl.duration(days=pl.lit(pl.Series(draw.integers(0, 30, rows)))),
        last_update_time=pl.lit(day).cast(pl.Datetime("us")) + pl.duration(seconds=pl.lit(pl.Series(seconds))),
        # Nobody has asked one customer in ten about support.
        tech_support=pl.when(pl.Series(draw.random(rows) < 0.9)).then("tech_support"),
    )


def customers(day: date, rows: int) -> pl.DataFrame:
    """What the desk wrote down on a day, one row a customer with their last order, as text files hold it."""
    draw, number = np.random.default_rng([2, day.toordinal()]), np.arange(rows)
    place = number % 250
    age = draw.integers(16, 90, rows)
    tenure, monthly = draw.integers(0, 72, rows), draw.uniform(18, 130, rows).round(2)
    quantity, price = draw.integers(1, 9, rows), draw.uniform(5, 50, rows).round(2)
    discount = draw.choice([0.0, 0.1, 0.2], rows)
    ids = pl.Series(day.toordinal() * 10_000_000 + number)
    planted = {name: pl.Series(place == where) for name, where in PLANTED.items()}
    born = pl.lit(day) - pl.duration(days=pl.lit(pl.Series(age * 366)))
    guarded = pl.Series(age < 18) & ~planted["child_alone"]
    return pl.select(
        id=pl.when(~planted["no_id"]).then(ids),
        customer_id=pl.when(~planted["no_customer"]).then(ids),
        email=_email(number, place, (PLANTED["bad_email"],)),
        age=pl.when(planted["child_alone"]).then(12).otherwise(pl.Series(age)),
        date_of_birth=pl.when(planted["unborn"]).then(pl.lit("2990-01-31")).otherwise(born.dt.to_string("%Y-%m-%d")),
        guardian_email=pl.when(guarded).then(pl.lit("guardian@example.com")),
        country=pl.Series(draw.choice(_COUNTRIES, rows)),
        status=pl.when(planted["unknown_status"]).then(pl.lit("gone")).otherwise(pl.Series(draw.choice(_STATUS, rows))),
        tenure=pl.when(planted["negative_tenure"]).then(-1).otherwise(pl.Series(tenure)),
        monthly_charges=pl.Series(monthly),
        total_charges=pl.when(planted["unpaid"])
        .then(pl.Series(monthly) - 1)
        .otherwise(pl.Series((monthly * np.maximum(tenure, 1)).round(2))),
        quantity=pl.Series(quantity),
        price=pl.Series(price),
        total_amount=pl.Series((quantity * price).round(2)) + planted["wrong_total"].cast(pl.Float64),
        unit_price=pl.Series(price),
        discount_rate=pl.Series(discount),
        total_price=pl.Series((quantity * price * (1 - discount)).round(2)) + planted["wrong_price"].cast(pl.Float64),
    )


def _email(number: Places, place: Places, bad: tuple[int, ...]) -> pl.Expr:
    """Addresses at example.com, without @ at the places `bad`; one in twenty customers has none."""
    who = pl.format("customer{}", pl.Series(number))
    address = pl.when(pl.Series(np.isin(place, bad))).then(who + ".example.com").otherwise(who + "@example.com")
    return pl.when(pl.Series(number % 20 != 19)).then(address)


def _without(value: pl.Expr, place: Places, missing: tuple[int, ...]) -> pl.Expr:
    return pl.when(pl.Series(~np.isin(place, missing))).then(value)
