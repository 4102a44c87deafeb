"""The values that templates are given: models with every default applied, attributes of features.

The answers are rendered by Copier through a template of the questions and one file.
"""

import json
import keyword
import re
import shutil
import sys
import time
import unicodedata
from collections.abc import Callable
from itertools import count
from random import Random
from typing import Any

import pytest
from copier import run_copy
from pydantic import BaseModel
from support.repositories import ROOT
from support.variants import SAMPLES

Spec = dict[str, Any]
# Renders an expression, and returns it: what it prints must be JSON.
Evaluate = Callable[..., Any]

BASE_MODEL_NAMES = {name for name in dir(BaseModel) if not name.startswith(("_", "model_"))}
# The contract's own types: mypy takes a field named float for the type of the next.
TAKEN = BASE_MODEL_NAMES | {"bool", "float", "int", "str"}

# Characters that are left to the answers' `attribute` are rare: subscript letters (unlike subscript
# digits), phonetic and enclosed letters, single Hangul letters, Hebrew and Arabic presentation
# forms, some squared units, marks on letters that have none in any language. Below U+1D00 they are
# these: marks of polytonic Greek, Arabic and others apart from their letters, three odd letters.
BY_HAND_BELOW_1D00 = set(
    "\u0313\u0342\u0343\u0344\u0345\u037a\u03f2\u03f9\u0653\u0654\u0655\u0bd7\u102e\u10fc\u1b35"
)

# What names of features are made of.
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789",
    " _-.,:;/\\()[]{}<>%#@!?&*+=|~^$'\"`",
    "äöüßÄÖÜẞéèêëçñåøæœÅØÆŒıİłŁžščřďťňőű",
    "αβγδεζηθικλμνξοπρστυφχψωςΑΒΓΔΕΣΩάέήίό",
    "абвгдежзийклмнопрстуфхцчшщъыьэюяАБВЙЁё",
    "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    "ابتثجحخدذرزسشصضطظعغفقكلمنهويأإآ",
    "अआइईउऊऋएऐओऔकखगघचछजझटठडढणतथदधनपफबभमयरलवशषसह",
    "あいうえおかがきぎくぐさしすせそたちつてとアイウエオカガ",
    "가나다라마바사아자차카타파하각간갈",
    "面積価格年齢数量温度単価売上",
    "²³¹₀₁₂½¼№℃℉™㎡㎏㎞µΩÅ①②Ⅷ",
    "\uff05\uff06\uff08\uff09\uff21\uff22\uff43\uff11\uff12\uff76\uff9e",  # Full and half width
    "\u0300\u0301\u0302\u0303\u0308\u030a\u0327\u0328\u3099\u309a",
    "🌸🚗🏠💶👩‍🔬",
]


@pytest.fixture(scope="session")
def evaluate(tmp_path_factory: pytest.TempPathFactory) -> Evaluate:
    """Render one expression in the template's own environment, from answers."""
    numbers = count()

    def evaluate(expression: str, **answers: Any) -> Any:
        folder = tmp_path_factory.mktemp(f"evaluate-{next(numbers)}")
        shutil.copy(ROOT / "copier.yml", folder)
        shutil.copytree(ROOT / "includes", folder / "includes")
        (folder / "template").mkdir()
        (folder / "template/value.json.jinja").write_text(expression)
        run_copy(str(folder), folder / "out", data=answers, defaults=True, quiet=True)
        return json.loads((folder / "out/value.json").read_text())

    return evaluate


@pytest.fixture(scope="session")
def specs(evaluate: Evaluate) -> Callable[..., list[Spec]]:
    return lambda **answers: evaluate("{{ specs | to_json }}", **answers)


def reference(name: str) -> str:
    """The rule of a feature's attribute, with Python's own Unicode."""
    word = re.sub(r"\W+", "_", unicodedata.normalize("NFKC", name).lower()).strip("_")
    if not word or word[0].isdigit() or word.startswith("model_"):
        word = f"f_{word}"
    return f"{word}_" if keyword.iskeyword(word) or word in TAKEN else word


def references(names: list[str]) -> list[str]:
    found: list[str] = []
    for name in names:
        word = reference(name)
        numbered = (f"{word}_{number}" for number in count(2))
        found.append(word if word not in found else next(n for n in numbered if n not in found))
    return found


def attributes(evaluate: Evaluate, names: list[str]) -> list[str]:
    """Return each name's attribute, as if it were alone; empty if it is left to `attribute`."""
    found: list[str] = evaluate(
        '{% from "includes/attributes.jinja" import attribute %}'
        "{% set found = [] %}{% for name in names %}"
        "{% set _ = found.append(attribute(name)) %}"
        "{% endfor %}{{ found | to_json }}",
        names=names,
    )
    return found


def random_names(number: int) -> list[str]:
    random = Random(7)
    letters, separators, *_ = ALPHABETS
    return [
        "".join(
            random.choice(random.choice([alphabet, letters, separators]))
            for _ in range(random.randint(1, 20))
        )
        for alphabet in random.choices(ALPHABETS, k=number)
    ]


def numbers(*names: str) -> list[dict[str, Any]]:
    return [{"name": name, "type": "float"} for name in names]


def test_a_bare_name_is_the_first_sample_under_that_name(
    specs: Callable[..., list[Spec]],
) -> None:
    """Two words are enough for a service that trains and answers."""
    price, churn = specs(models=["price", "churn"])

    (sample,) = specs(models=SAMPLES[:1])
    renamed = {
        "name": "price",
        "import_order": "price",
        "prefix": "Price",
        "endpoint": "/predict/price",
        "files": ["price.ubj"],
    }
    assert price == sample | renamed
    assert churn["endpoint"] == "/predict/churn"
    assert price["sample"] == "diabetes"


def test_a_model_has_every_key_and_its_defaults(specs: Callable[..., list[Spec]]) -> None:
    """Templates never ask whether a key is there."""
    (spec,) = specs(models=[{"name": "house_price", "features": numbers("Area (m²)")}])

    assert spec == {
        "name": "house_price",
        "import_order": "house_price",
        "prefix": "HousePrice",
        "framework": "xgboost",
        "format": "native",
        "shadow_of": None,
        "explainable": True,
        "task": "regression",
        "endpoint": "/predict/house_price",
        "unit": None,
        "description": "",
        "classes": [],
        "raw": False,
        "outputs": [],
        "derived": [],
        "sample": None,
        "extension": "ubj",
        "native": None,
        "files": ["house_price.ubj"],
        "features": [
            {
                "name": "Area (m²)",
                "attribute": "area_m2",
                "type": "float",
                "minimum": None,
                "maximum": None,
                "example": 0.0,
                "unit": None,
                "description": None,
                "nullable": False,
                "values": [],
                "unknown": "reject",
                "personal": True,
                "max_length": None,
            }
        ],
    }


@pytest.mark.parametrize(
    ("framework", "declared", "resolved", "extension"),
    [
        ("xgboost", "native", "native", "ubj"),
        ("sklearn", "native", "native", "skops"),
        ("sklearn", "joblib", "joblib", "joblib"),
        ("lightgbm", "native", "native", "txt"),
        ("catboost", "native", "native", "cbm"),
        ("onnx", "native", "native", "onnx"),
        ("onnx", "onnx", "native", "onnx"),
        ("xgboost", "onnx", "onnx", "onnx"),
        ("sklearn", "onnx", "onnx", "onnx"),
    ],
)
def test_an_artifact_s_extension_tells_its_format(
    specs: Callable[..., list[Spec]],
    framework: str,
    declared: str,
    resolved: str,
    extension: str,
) -> None:
    """Framework and format together decide how a model is stored."""
    model = {"name": "m", "framework": framework, "format": declared, "features": numbers("x")}

    (spec,) = specs(models=[model])

    assert (spec["format"], spec["extension"]) == (resolved, extension)


@pytest.mark.parametrize(
    ("runtime", "declared", "native", "files"),
    [
        ("full", {}, None, ["m.txt"]),
        ("full", {"format": "onnx"}, "m.txt", ["m.onnx", "m.txt"]),
        ("onnx", {}, "m.txt", ["m.onnx"]),
        ("onnx", {"framework": "onnx"}, None, ["m.onnx"]),
    ],
)
def test_the_runtime_decides_what_is_compiled_and_what_is_served(
    specs: Callable[..., list[Spec]],
    runtime: str,
    declared: dict[str, str],
    native: str | None,
    files: list[str],
) -> None:
    """A lean image has the compiled model alone, and a model that says nothing is compiled."""
    model = {"name": "m", "framework": "lightgbm", "features": numbers("x")} | declared

    (spec,) = specs(models=[model], runtime=runtime)

    assert (spec["native"], spec["files"]) == (native, files)


def test_the_samples_are_known_by_their_features(specs: Callable[..., list[Spec]]) -> None:
    """Bundled data trains a model that has its features and labels, whatever else differs."""
    diabetes, iris = SAMPLES
    models = [
        diabetes | {"name": "a", "endpoint": "/a", "features": diabetes["features"][::-1]},
        iris | {"name": "b", "endpoint": "/b", "framework": "lightgbm"},
        diabetes | {"name": "c", "endpoint": "/c", "features": diabetes["features"][1:]},
        iris | {"name": "d", "endpoint": "/d", "classes": ["virginica", "versicolor", "setosa"]},
        iris | {"name": "e", "endpoint": "/e", "task": "regression", "classes": None},
    ]

    assert [spec["sample"] for spec in specs(models=models)] == ["diabetes", "iris", *[None] * 3]


def test_the_bundled_data_lies_within_the_samples_bounds() -> None:
    """The samples' contracts accept every row that their models are trained on."""
    # The columns' extremes, from load_diabetes(scaled=False) and load_iris() of scikit-learn 1.9.
    extremes = {
        "age": (19, 79),
        "sex": (1, 2),
        "bmi": (18.0, 42.2),
        "bp": (62.0, 133.0),
        "s1": (97, 301),
        "s2": (41.6, 242.4),
        "s3": (22.0, 99.0),
        "s4": (2.0, 9.09),
        "s5": (3.2581, 6.107),
        "s6": (58, 124),
        "sepal length (cm)": (4.3, 7.9),
        "sepal width (cm)": (2.0, 4.4),
        "petal length (cm)": (1.0, 6.9),
        "petal width (cm)": (0.1, 2.5),
    }

    features = {feature["name"]: feature for model in SAMPLES for feature in model["features"]}
    assert features.keys() == extremes.keys()
    for name, (low, high) in extremes.items():
        assert features[name]["minimum"] <= low <= high <= features[name]["maximum"]
        assert low <= features[name]["example"] <= high


def test_an_example_is_always_a_valid_value(specs: Callable[..., list[Spec]]) -> None:
    """Where the answers give none, the example is within the bounds, and of the type."""
    bounds = [
        None,
        -3.4028234663852886e38,
        -1e-9,
        0,
        0.1,
        0.3000000001,
        7.25,
        3.4028234663852886e38,
    ]
    integers: list[float | None] = [None, -(2**53), -7, 0, 1, 2, 2**53]
    features: list[dict[str, Any]] = [
        {"name": f"{kind} {low} {high}", "type": kind, "minimum": low, "maximum": high}
        for kind, ends in (("float", bounds), ("int", integers))
        for low in ends
        for high in ends
        if low is None or high is None or low <= high
    ]
    features += [
        {"name": "flag", "type": "bool"},
        {"name": "district", "type": "category", "values": ["north", "south"]},
        {"name": "floor", "type": "category", "values": [3, 4]},
    ]

    (spec,) = specs(models=[{"name": "m", "features": features}])

    *measured, flag, district, floor = spec["features"]
    for feature in measured:
        low, high, example = feature["minimum"], feature["maximum"], feature["example"]
        assert type(example) is {"float": float, "int": int}[feature["type"]]
        assert low is None or low <= example
        assert high is None or example <= high
    assert (flag["example"], district["example"], floor["example"]) == (True, "north", 3)


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        ("petal length (cm)", "petal_length_cm"),
        ("V1", "v1"),
        ("class", "class_"),
        ("größe", "größe"),
        ("gro\u0308ße", "größe"),
        ("Area (m²)", "area_m2"),
        ("1st bloom", "f_1st_bloom"),
        ("model_year", "f_model_year"),
        ("json", "json_"),
        ("int", "int_"),
        ("__dunder__", "dunder"),
        ("🌸", "f_"),
        ("ΛΌΓΟΣ", "λόγος"),
        ("ﬁeld", "field"),
        ("\uff76\uff9e", "ガ"),
    ],
)
def test_an_attribute_is_its_feature_s_name_as_python_can_spell_it(
    evaluate: Evaluate, name: str, attribute: str
) -> None:
    """NFKC, lower case, underscores; no digit, keyword or name of pydantic's first."""
    assert attributes(evaluate, [name]) == [attribute] == [reference(name)]


def test_attributes_follow_unicode_character_by_character(evaluate: Evaluate) -> None:
    """No character is spelled in another way than NFKC spells it; a few are left to the answers."""
    characters = [chr(code) for code in range(0x20, sys.maxunicode + 1)]
    interesting = [
        character
        for character in characters
        if unicodedata.category(character) not in {"Cc", "Cs"}
        and (character < "\u3000" or not unicodedata.is_normalized("NFKC", character))
    ]

    names = [f"a{character}b" for character in interesting]
    found = dict(zip(interesting, attributes(evaluate, names), strict=True))

    assert {c: word for c, word in found.items() if word and word != reference(f"a{c}b")} == {}
    by_hand = {character for character, word in found.items() if not word}
    assert {character for character in by_hand if character < "\u1d00"} == BY_HAND_BELOW_1D00


@pytest.mark.service
def test_attributes_follow_unicode_in_names_of_every_script(
    evaluate: Evaluate, specs: Callable[..., list[Spec]]
) -> None:
    """Whole names, marks and collisions come out as Python's own Unicode has them."""
    names = [*dict.fromkeys(random_names(5_000))]
    alone = attributes(evaluate, names)
    accepted = [name for name, word in zip(names, alone, strict=True) if word.isidentifier()]
    chunks = [accepted[start : start + 250] for start in range(0, len(accepted), 250)]

    models = [{"name": f"m{n}", "features": numbers(*chunk)} for n, chunk in enumerate(chunks)]
    found = [[feature["attribute"] for feature in m["features"]] for m in specs(models=models)]

    assert found == [references(chunk) for chunk in chunks]
    assert all(unicodedata.is_normalized("NFKC", word) for words in found for word in words)
    assert len(accepted) > 0.9 * len(names)


def test_collisions_are_numbered_and_give_way_to_attributes_set_by_hand(
    specs: Callable[..., list[Spec]],
) -> None:
    """Attributes are unique; what the answers set stays, wherever it is declared."""
    features = numbers("x", "X", "x_2", "x?", "y")
    features[4] |= {"attribute": "x"}

    (spec,) = specs(models=[{"name": "m", "features": features}])

    found = [feature["attribute"] for feature in spec["features"]]
    assert found == ["x_2", "x_3", "x_2_2", "x_4", "x"]


def test_the_lists_of_names_are_python_s_and_pydantic_s(evaluate: Evaluate) -> None:
    """What a name must not be is what this Python, and this pydantic, have."""
    lists = ["KEYWORDS", "BASE_MODEL_NAMES", "STANDARD_MODULES"]

    keywords, base_model, modules = evaluate(
        f'{{% from "includes/names.jinja" import {", ".join(lists)} %}}'
        f"{{{{ [{', '.join(lists)}] | to_json }}}}"
    )

    assert keywords == keyword.kwlist
    assert set(base_model) == BASE_MODEL_NAMES
    assert set(modules) >= {name for name in sys.stdlib_module_names if name[0] != "_"}


@pytest.mark.service
def test_twenty_models_of_three_hundred_features_take_seconds(
    specs: Callable[..., list[Spec]],
) -> None:
    """Time grows with the number of features, not with its square (they take 5 s of CPU time)."""
    features = [
        {"name": f"Feature {number} (größe)", "type": "float", "minimum": 0, "unit": "m"}
        for number in range(300)
    ]
    models = [{"name": f"m{number}", "features": features} for number in range(20)]
    started = time.process_time()

    found = specs(models=models)

    assert sum(len(spec["features"]) for spec in found) == 6_000
    assert time.process_time() - started < 30
