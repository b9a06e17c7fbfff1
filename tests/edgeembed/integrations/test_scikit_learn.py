"""scikit-learn: its own checks of estimators, pipelines, searches and columns, over an Encoder."""

import pickle
from typing import Any

import numpy as np
import pytest

from edgeembed import BundleNotFoundError, InputError

pytest.importorskip("sklearn", minversion="1.6")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

from sklearn.base import clone  # noqa: E402
from sklearn.compose import ColumnTransformer  # noqa: E402
from sklearn.linear_model import LogisticRegression  # noqa: E402
from sklearn.model_selection import GridSearchCV  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.utils import estimator_checks  # noqa: E402

from edgeembed.integrations.scikit_learn import EdgeEmbedVectorizer  # noqa: E402

TEXTS = ["the cat sat", "a dog ran", "cook soup", "tomato soup", "cats and dogs", "a cook"] * 2
FOOD = [0, 0, 1, 1, 0, 1] * 2


@pytest.fixture
def vectorizer(tiny_path):
    return EdgeEmbedVectorizer(str(tiny_path), variant="fp32")


# Those of its checks that give an estimator no numbers; the rest it leaves out for texts.
CHECKS = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


@pytest.mark.parametrize("check", CHECKS)
def test_it_passes_scikit_learns_checks(check):
    getattr(estimator_checks, check)("EdgeEmbedVectorizer", EdgeEmbedVectorizer("static"))


def test_vectors_are_the_encoders(vectorizer, encoder):
    np.testing.assert_array_equal(vectorizer.fit_transform(TEXTS), encoder.encode(TEXTS))
    column = np.array(TEXTS, object)
    np.testing.assert_array_equal(vectorizer.transform(column), encoder.encode(TEXTS))
    vectorizer.set_params(prompt_name="query", truncate_dim=8)
    np.testing.assert_array_equal(
        vectorizer.transform(TEXTS), encoder.encode(TEXTS, prompt_name="query", truncate_dim=8)
    )


def test_a_pipeline_learns_and_a_search_tries_its_parameters(vectorizer):
    pipeline = make_pipeline(vectorizer, LogisticRegression(C=1000))
    assert pipeline.fit(TEXTS, FOOD).score(TEXTS, FOOD) == 1
    grid = {"edgeembedvectorizer__truncate_dim": [4, None]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(TEXTS, FOOD)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert len(search.predict(["a text"])) == 1


def test_copies_share_the_encoder_and_pickles_are_small(vectorizer):
    vectorizer.fit()
    copy: Any = clone(vectorizer)
    assert copy._encoder is vectorizer._encoder
    assert len(pickle.dumps(vectorizer)) < 1000


def test_a_column_of_a_table_and_a_table_as_output(vectorizer, encoder):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": TEXTS, "number": range(len(TEXTS))})
    made = ColumnTransformer([("words", vectorizer, "text")], remainder="passthrough")
    rows = made.fit_transform(table)
    np.testing.assert_array_equal(rows[:, :-1].astype(np.float32), encoder.encode(TEXTS))
    assert made.get_feature_names_out()[0] == "words__edgeembedvectorizer0"
    framed = vectorizer.set_output(transform="pandas").transform(table["text"])
    assert framed.shape == (len(TEXTS), encoder.dim)


def test_what_cannot_be_used_is_refused_by_name(vectorizer):
    pandas = pytest.importorskip("pandas")
    with pytest.raises(InputError, match=r"a table; pass one of its columns"):
        vectorizer.transform(pandas.DataFrame({"text": TEXTS}))
    with pytest.raises(InputError, match=r"inputs\[1\]: .* a null; fill it"):
        vectorizer.transform(["a", None])
    assert not vectorizer.set_params(nulls="zero").transform(["a", None])[1].any()
    with pytest.raises(InputError, match=r"nulls: expected one of error, zero, got 'skip'"):
        vectorizer.set_params(nulls="skip").fit(TEXTS)
    with pytest.raises(InputError, match=r"X: expected a list of texts, got one, 'a text'"):
        vectorizer.set_params(nulls="error").transform("a text")
    with pytest.raises(BundleNotFoundError):
        EdgeEmbedVectorizer("not/there").fit(TEXTS)
