"""The ways to authenticate a request, rightly and wrongly, as one table per signature algorithm.

A recipe turns a draft (the request without any credential) into the request that is sent. A wrong one signs
something else than it sends: that is what a server must notice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from calloff.verify.recipes.draft import Draft, Recipe
from calloff.verify.recipes.q_sign import CI_RECIPES
from calloff.verify.recipes.sdk_hmac import DLI_RECIPES

if TYPE_CHECKING:
    from collections.abc import Mapping

RECIPES: Mapping[str, tuple[Recipe, ...]] = {
    "tencent-ci": CI_RECIPES,
    "otc-dli": DLI_RECIPES,
    "huaweicloud-dli": DLI_RECIPES,
}

__all__ = ["RECIPES", "Draft", "Recipe"]
