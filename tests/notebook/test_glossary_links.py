"""Every term of the glossary is linked at its first use in every notebook."""

import re

import pytest

from amp_helpers.notebook.execute import NOTEBOOK_FOLDER, NOTEBOOKS, read_notebook
from amp_helpers.notebook.pages import GLOSSARY

TERMS = {term.lower(): term.lower().replace(" ", "-") for term in re.findall(r"^### (.+)$", GLOSSARY.read_text(), re.M)}
"""Term -> anchor."""
LINK = r"\[(?P<text>[^\]]+)\]\(\.\./docs/glossary\.md#(?P<anchor>[\w-]+)\)"
# What holds no running text: code, headings, pictures, and links to other places.
SKIPPED = r"```.*?```|`[^`]*`|^#+ .*?$|!?\[[^\]]*\]\([^)]*\)"


def forms(term: str) -> str:
    """A pattern of a term and its plural."""
    return re.escape(term[:-1]) + "(?:y|ies)" if term.endswith("y") else re.escape(term) + "(?:s|es)?"


USE = re.compile(
    f"{LINK}|{SKIPPED}|"
    + r"(?<![\w-])(?P<use>"
    + "|".join(forms(term) for term in sorted(TERMS, key=len, reverse=True))
    + r")(?![\w-])",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)


def anchor_of(use: str) -> str:
    return next(anchor for term, anchor in TERMS.items() if re.fullmatch(forms(term), use.lower()))


def unlinked(text: str) -> list[str]:
    """First uses of terms that are no link to the glossary, as the links that should stand there."""
    seen, missing = set(), []
    for match in USE.finditer(text):
        if match["anchor"]:
            seen.add(match["anchor"])
        elif match["use"] and (anchor := anchor_of(match["use"])) not in seen:
            seen.add(anchor)
            missing.append(f"[{match['use']}](../docs/glossary.md#{anchor})")
    return missing


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_terms_are_linked_at_their_first_use(name):
    cells = read_notebook(NOTEBOOK_FOLDER / f"{name}.ipynb").cells
    text = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert unlinked(text) == []
    assert set(re.findall(r"glossary\.md#([\w-]+)", text)) <= {*TERMS.values(), "references"}


def test_a_missing_link_is_found():
    text = "# Clip\n\n`clip` [clip](x.ipynb) a [policy](../docs/glossary.md#policy), policies, Clips, a style reward."
    assert unlinked(text) == [
        "[Clips](../docs/glossary.md#clip)",
        "[style reward](../docs/glossary.md#style-reward)",
    ]
