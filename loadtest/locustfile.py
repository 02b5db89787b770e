"""The performance guide's three classes of users, for stock Locust.

    upstream demo
    locust -f loadtest/locustfile.py --host=http://localhost:8000

They sign in with the accounts of the demo; UPSTREAM_LOADTEST_USERNAME, _PASSWORD,
_ADMIN_USERNAME and _ADMIN_PASSWORD name others. The demo has no rate limits; other
servers need `upstream serve --rate-limit off`, since all users sign in at once,
from one address and with one account.
"""

import os
import random
from datetime import date, timedelta

from locust import HttpUser, between, task

API = "/api/v1/"


def account(name, default):
    return os.environ.get("UPSTREAM_LOADTEST_" + name, default)


class SignedInUser(HttpUser):
    """A user with a token, which it gets when it starts."""

    abstract = True
    username = password = ""

    def on_start(self):
        response = self.client.post(
            API + "auth/token/",
            json={"username": self.username, "password": self.password},
        )
        if response.status_code == 200:
            self.client.headers["Authorization"] = "Bearer " + response.json()["access"]

    def page(self, path, name=None, **params):
        """Asks for a page of a list, which must have the shape of one."""
        with self.client.get(
            API + path, params=params, name=name or API + path, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return []
            body = response.json()
            missing = {"count", "next", "previous", "results"} - body.keys()
            if missing:
                response.failure("without " + ", ".join(sorted(missing)))
                return []
            if len(body["results"]) > body["count"]:
                response.failure("more results than it counts")
            return body["results"]


class PayrixaAPIUser(SignedInUser):
    """Somebody of a practice who looks at the morning's figures."""

    weight = 3
    wait_time = between(1, 3)
    username = account("USERNAME", "testuser")
    password = account("PASSWORD", "testpass123")
    payers = []

    @task(3)
    def health(self):
        self.client.get(API + "health/")

    @task(2)
    def dashboard(self):
        self.client.get(API + "dashboard/")

    @task(2)
    def drift_feed(self):
        self.page("drift-events/", page=random.randint(1, 5))

    @task(1)
    def serious_drift_events(self):
        self.page(
            "drift-events/",
            API + "drift-events/ [filtered]",
            drift_type="DENIAL_RATE",
            min_severity=0.5,
            ordering="-severity",
        )

    @task(1)
    def active_drift_events(self):
        self.page("drift-events/active/")

    @task(1)
    def payer_summary(self):
        response = self.client.get(API + "claims/payer_summary/")
        if response.status_code == 200:
            self.payers = [row["payer"] for row in response.json()["results"]]

    @task(1)
    def denial_rate_trend(self):
        self.client.get(API + "denial-rate-trend/")

    @task(1)
    def claims(self):
        self.page("claims/", page=random.randint(1, 10))

    @task(1)
    def claims_of_a_payer(self):
        if not self.payers:
            self.payer_summary()
        if self.payers:
            payer = random.choice(self.payers)
            self.page("claims/", API + "claims/ [payer]", payer=payer, page_size=50)

    @task(1)
    def claims_of_a_month(self):
        end = date.today() - timedelta(days=random.randint(0, 300))
        start = end - timedelta(days=30)
        self.page(
            "claims/", API + "claims/ [dates]", start_date=start, end_date=end
        )

    @task(1)
    def claims_by_number(self):
        claims = self.page("claims/", page=1)
        if claims:
            number = random.choice(claims)["claim_id"]
            self.page("claims/", API + "claims/ [search]", search=number)


class AdminUser(SignedInUser):
    """Somebody who looks after customers and runs."""

    weight = 1
    wait_time = between(2, 5)
    username = account("ADMIN_USERNAME", "admin")
    password = account("ADMIN_PASSWORD", "admin123")

    @task(2)
    def customers(self):
        self.page("customers/")

    @task(1)
    def report_runs(self):
        self.page("report-runs/")

    @task(1)
    def reports(self):
        self.page("reports/")

    @task(1)
    def trigger_report(self):
        with self.client.post(
            API + "reports/trigger/", json={"run_type": "custom"}, catch_response=True
        ) as response:
            if response.status_code != 202:
                response.failure(f"status {response.status_code}, not 202")


class UnauthenticatedUser(HttpUser):
    """Somebody without a token, who must get nothing."""

    weight = 1
    wait_time = between(1, 2)

    def refused(self, path):
        with self.client.get(
            API + path, name=API + path + " [signed out]", catch_response=True
        ) as response:
            if response.status_code in (401, 403):
                response.success()
            else:
                response.failure(f"status {response.status_code}, not 401 or 403")

    @task
    def dashboard(self):
        self.refused("dashboard/")

    @task
    def drift_feed(self):
        self.refused("drift-events/")
