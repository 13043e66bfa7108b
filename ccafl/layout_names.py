"""The names of the layouts that a data folder may have; loads nothing, for the help of commands."""

from typing import Literal

Layout = Literal["market1501", "dukemtmc", "msmt17", "msmt17-repacked", "cuhk03-np", "market-like"]
LayoutChoice = Literal["auto", Layout]
