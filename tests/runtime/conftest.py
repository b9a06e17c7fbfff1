"""Bundles with an image tower, and images on disk, for the tests of every folder below."""

import pytest

from helpers import tiny_images


@pytest.fixture(scope="session")
def image_path(tmp_path_factory):
    """A sound bundle for images only. Nobody writes to it."""
    return tiny_images.write_image_bundle(tmp_path_factory.mktemp("bundles") / "image.bundle")


@pytest.fixture(scope="session")
def dual_path(tmp_path_factory, tiny_path):
    """A sound bundle for texts and images. Nobody writes to it."""
    target = tmp_path_factory.mktemp("bundles") / "dual.bundle"
    return tiny_images.write_dual_bundle(target, tiny_path)


@pytest.fixture
def save(tmp_path):
    """Save an image under a name, and give its path."""

    def save(image, name, **options):
        path = tmp_path / name
        image.save(path, **options)
        return path

    return save
