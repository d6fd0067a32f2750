"""``python -m grootboek.cli`` is ``grootboek``."""

from grootboek.cli import main

main()
