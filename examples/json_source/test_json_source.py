"""A JSON file keeps the contract of every source. Run it with pytest, Fieldfare installed."""

import json
from pathlib import Path

import pytest
from json_source import JsonSource, JsonSourceConfig

from directory.contract import OutageContract, SearchContract, SourceContract

MAP = {
    "UserLogin": "login",
    "UserFirstname": "first",
    "UserLastname": "last",
    "UserEmail": "mail",
    "UserCustomerID": "customer",
    "UserPhone": "phone",
}


class JsonPlace:
    """A JSON file with people, and sources that read it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "people.json"
        self.file.write_text("[]")

    def source(self, *, slot: str = "") -> JsonSource:
        options = {"path": self.file, "customer_key": "login", "customer_id": "customer"}
        return JsonSource(JsonSourceConfig.model_validate({"slot": slot, "map": MAP, **options}))

    def add_person(self, *values: str | None) -> None:
        person = dict(zip(MAP.values(), values, strict=False))
        self.file.write_text(json.dumps([*json.loads(self.file.read_text()), person]))

    def stop(self) -> None:
        self.file.rename(self.file.with_suffix(".away"))

    def start(self) -> None:
        self.file.with_suffix(".away").rename(self.file)


class TestJsonSource(SourceContract, SearchContract, OutageContract):
    """All that every source must do."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> JsonPlace:
        return JsonPlace(tmp_path)
