"""The rules of `components.base.Component` as tests. A component's test module subclasses it.

A subclass names its component and supplies the cases: what to give it, typical and extreme.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, ClassVar

import pytest

from filmcan.components.base import Inputs, Result
from filmcan.components.catalog import get_component_class
from filmcan.contract.missing import build_empty_arrays
from filmcan.contract.registry import get_schema
from filmcan.contract.validate import validate_arrays
from filmcan.errors import BadProfileError
from filmcan.pipeline.profile import resolve_profile
from filmcan.testing.fake_media import build_inputs

if TYPE_CHECKING:
    import numpy as np

    from filmcan.components.base import Component
    from filmcan.contract.schema import ArtifactSchema

Cases = Mapping[str, Callable[[], Inputs]]


class ComponentSuite:
    """What every component keeps.

    Attributes:
        component_name: As in the catalog.
    """

    component_name: ClassVar[str]

    def make_cases(self) -> Cases:
        """Return name -> what makes fresh inputs; `typical` must be among them and end ok."""
        raise NotImplementedError

    def build_nothing(self) -> Inputs:
        """Return inputs of a source that lacks what the component needs."""
        return build_inputs()

    @property
    def schema(self) -> ArtifactSchema:
        """The rules of the component's artifacts."""
        found = get_component_class(self.component_name)
        return get_schema(found.schema_version, found.name)

    def build_component(self, **changes: object) -> Component:
        """Return the component with the default parameters, some of them changed."""
        parameters = get_default_parameters(self.component_name)
        return get_component_class(self.component_name)({**parameters, **changes})

    def test_the_class_is_what_the_catalog_and_the_registry_say(self) -> None:
        found = get_component_class(self.component_name)
        assert found.name == self.component_name
        assert found.kind == self.schema.kind
        assert found.producer_version

    def test_a_missing_parameter_is_refused_by_name(self) -> None:
        parameters = get_default_parameters(self.component_name)
        for name in parameters:
            rest = {other: value for other, value in parameters.items() if other != name}
            with pytest.raises(BadProfileError, match=name):
                get_component_class(self.component_name)(rest)

    def test_c8_every_case_satisfies_the_schema(self) -> None:
        for name, make in self.make_cases().items():
            check_result(self.build_component().run(make()), self.schema, name)

    def test_the_typical_case_is_ok(self) -> None:
        assert self.build_component().run(self.make_cases()["typical"]()).status == "ok"

    def test_c11_what_runs_was_planned(self) -> None:
        component, inputs = self.build_component(), self.make_cases()["typical"]()
        planned = component.plan_models(inputs.execution)
        assert set(component.run(inputs).models_used) <= set(planned)

    def test_c4_the_same_input_gives_the_same_arrays(self) -> None:
        for name, make in self.make_cases().items():
            first = self.build_component().run(make()).arrays
            second = self.build_component().run(make()).arrays
            assert_same_arrays(first, second, name)

    def test_c6_without_its_input_the_component_is_empty_for_a_declared_reason(self) -> None:
        result = self.build_component().run(self.build_nothing())
        assert result.status == "empty"
        check_result(result, self.schema, "nothing")


def get_default_parameters(component_name: str) -> dict[str, object]:
    """Return a component's parameters as the packaged profile sets them."""
    section = resolve_profile().section("components", component_name)
    return {name: value for name, value in section.items() if name not in ("enabled", "required")}


def check_result(result: Result, schema: ArtifactSchema, case: str) -> None:
    """Assert that a result keeps its schema, after the runner's completion of empty ones (C6.4)."""
    arrays = result.arrays
    if result.status == "empty":
        assert result.empty_reason in schema.empty_reasons, case
        arrays = build_empty_arrays(schema, arrays)
    else:
        assert result.empty_reason is None, case
    issues = validate_arrays(arrays, schema, status=result.status)
    assert not issues, f"{case}: {[f'{issue.key}: {issue.message}' for issue in issues]}"


def assert_same_arrays(
    first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray], case: str
) -> None:
    """Assert that two results hold the same bytes."""
    assert list(first) == list(second), case
    for key, array in first.items():
        other = second[key]
        assert (array.dtype, array.shape) == (other.dtype, other.shape), f"{case}: {key}"
        if array.dtype.hasobject:
            assert array.tolist() == other.tolist(), f"{case}: {key}"
        else:
            assert array.tobytes() == other.tobytes(), f"{case}: {key}"


def get_features(result: Result) -> dict[str, float]:
    """Return a result's tabular part as name -> value."""
    names = result.arrays["feature_names"].tolist()
    return dict(zip(names, result.arrays["feature_values"].tolist(), strict=True))
