"""The performance guide's three classes of users, for stock Locust: those that
`upstream loadtest` has.

    upstream demo
    locust -f loadtest/locustfile.py --host=http://localhost:8000

They sign in with the accounts of the demo; UPSTREAM_LOADTEST_USERNAME, _PASSWORD,
_ADMIN_USERNAME and _ADMIN_PASSWORD name others. The demo has no rate limits; other
servers need `upstream serve --rate-limit off`, since all users sign in at once,
from one address and with one account.
"""

import os
import random

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

    def page(self, path, **params):
        """Asks for a page of a list, which must have the shape of one."""
        with self.client.get(
            API + path, params=params, name=API + path, catch_response=True
        ) as response:
            if response.status_code != 200:
                response.failure(f"status {response.status_code}")
                return
            missing = {"count", "next", "previous", "results"} - response.json().keys()
            if missing:
                response.failure("without " + ", ".join(sorted(missing)))


class PayrixaAPIUser(SignedInUser):
    """Somebody of a practice who looks at the morning's figures."""

    weight = 3
    wait_time = between(1, 3)
    username = account("USERNAME", "testuser")
    password = account("PASSWORD", "testpass123")

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
    def payer_summary(self):
        self.client.get(API + "claims/payer_summary/")

    @task(1)
    def denial_rate_trend(self):
        self.client.get(API + "denial-rate-trend/")

    @task(1)
    def claims(self):
        self.page("claims/", page=random.randint(1, 10))


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
