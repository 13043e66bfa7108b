"""Writes the table of keys in docs/tui.md anew, from the bindings of the app."""

from pathlib import Path

from tui.keys import as_markdown

PAGE = Path(__file__).with_name("tui.md")
HEAD = "## Keys\n\n"


def main() -> None:
    """Replace what stands below the head."""
    text = PAGE.read_text(encoding="utf-8")
    before = text[: text.index(HEAD) + len(HEAD)]
    PAGE.write_text(before + as_markdown(), encoding="utf-8")


if __name__ == "__main__":
    main()
