"""project.toml <-> a validated model.

The file is meant to be edited by hand, so writing keeps its comments and order (tomlkit), and an error names the key.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from annotate_select.errors import ConfigError, listed
from annotate_select.files import write_whole
from annotate_select.problems import COLOR, KEY, problems
from annotate_select.words import named

__all__ = [
    "FILE_NAME",
    "LONGEST_CLASS",
    "RESERVED_KEYS",
    "ClassAbout",
    "Config",
    "ExamSettings",
    "FeaturesSettings",
    "LabelSettings",
    "QueueSettings",
    "SelectSettings",
    "SourceSettings",
    "TrainSettings",
    "read",
    "write",
]

FILE_NAME = "project.toml"

# What app/keys.js does with these keys, it does in every project; and Streamlit would take c and r.
RESERVED_KEYS = "suxzngbof/?+=-cr"

LONGEST_CLASS = 100
ClassName = Annotated[str, Field(min_length=1, max_length=LONGEST_CLASS)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class SourceSettings(_Strict):
    """Where images come from; `root` may be relative to the project's folder."""

    name: str = Field(min_length=1)
    kind: Literal["folder", "manifest", "list"] = "folder"
    root: str
    file: str | None = Field(default=None, description="the manifest's file, for kind = manifest")
    prefixed: bool = Field(default=False, description="keys start with the source's name")


class SelectSettings(_Strict):
    """Defaults of `select`."""

    n: int = Field(default=100, ge=1)
    strategy: str = "auto"
    audit: float = Field(default=0.1, ge=0.0, le=1.0)
    relabel: float = Field(default=0.0, ge=0.0, le=0.9, description="share of second opinions, at most")
    features: str | None = None
    balance: str | None = Field(default=None, min_length=1, description="such as brightness: as many unusual as usual")


class TrainSettings(_Strict):
    """Defaults of `train`, also where the next round trains."""

    head: str = Field(default="spreading", description="what is trained: spreading, linear, mlp or finetune")


class FeaturesSettings(_Strict):
    """How features are stored."""

    dtype: Literal["float32", "float16"] = Field(default="float32", description="float16: half the space")
    shared: str | None = Field(default=None, min_length=1, description="where projects share: a folder or a URL")


Share = Annotated[float, Field(gt=0, lt=1)]


class ExamSettings(_Strict):
    """Defaults of `exam`, and the pass mark: what a model must reach there to be good enough."""

    size: int = Field(default=100, ge=1)
    stratify: bool = Field(default=False, description="drawn evenly over clusters of the features")
    pass_accuracy: Share | None = Field(default=None, description="such as .9")
    pass_recall: Share | dict[str, Share] | None = Field(default=None, description="of every class, or by class")
    pass_confidence: float = Field(default=0.95, ge=0.5, lt=1)


class QueueSettings(_Strict):
    """How images are handed to annotators."""

    overlap: int = Field(default=1, ge=1, description="how many annotators see each image")
    lease_seconds: int = Field(default=600, ge=1)


class LabelSettings(_Strict):
    """What an annotator is shown."""

    suggestions: bool = Field(default=False, description="the model's suggestion is shown while labelling")


class ClassAbout(_Strict):
    """What a person should know of a class, and how the app shows it; what is not given has a default."""

    color: str | None = Field(default=None, pattern=COLOR, description="such as #0072b2")
    key: str | None = Field(default=None, pattern=KEY, description="chooses the class while labelling")
    guideline: str | None = Field(default=None, min_length=1, max_length=10_000)
    examples: list[str] | None = Field(default=None, max_length=12, description="image keys")

    @field_validator("color")
    @classmethod
    def _lower(cls, color: str | None) -> str | None:
        return color.lower() if color is not None else None

    @field_validator("key")
    @classmethod
    def _free(cls, key: str | None) -> str | None:
        if key is not None and key.lower() in RESERVED_KEYS:
            raise ValueError(f"the labelling page uses the key {key!r} itself, as it does {' '.join(RESERVED_KEYS)}")
        return key.lower() if key is not None else None


class Config(_Strict):
    """Everything in project.toml."""

    name: str = Field(min_length=1)
    classes: list[ClassName] = Field(min_length=1)
    seed: int = Field(default=0, ge=0)
    sources: list[SourceSettings] = []
    select: SelectSettings = SelectSettings()
    train: TrainSettings = TrainSettings()
    features: FeaturesSettings = FeaturesSettings()
    exam: ExamSettings = ExamSettings()
    queue: QueueSettings = QueueSettings()
    label: LabelSettings = LabelSettings()
    about: dict[ClassName, ClassAbout] = {}

    @field_validator("classes")
    @classmethod
    def _distinct(cls, classes: list[str]) -> list[str]:
        stripped = [name.strip() for name in classes]
        repeated = sorted({name for name in stripped if stripped.count(name) > 1})
        if repeated:
            raise ValueError(f"classes must be distinct, got {named(repeated)} more than once")
        if "" in stripped:
            raise ValueError("a class needs a name, got an empty one")
        return stripped

    @field_validator("sources")
    @classmethod
    def _names(cls, sources: list[SourceSettings]) -> list[SourceSettings]:
        names = [source.name for source in sources]
        repeated = sorted({name for name in names if names.count(name) > 1})
        if repeated:
            raise ValueError(f"sources need distinct names, got {listed(repeated)} more than once")
        return sources

    @field_validator("exam")
    @classmethod
    def _marked(cls, exam: ExamSettings, info: ValidationInfo) -> ExamSettings:
        if isinstance(exam.pass_recall, dict):
            classes = info.data.get("classes", list(exam.pass_recall))
            unknown = [name for name in exam.pass_recall if name not in classes]
            if unknown:
                raise ValueError(f"pass_recall: there is no class {listed(map(repr, unknown))}; {named(classes)} are")
        return exam

    @field_validator("about")
    @classmethod
    def _known(cls, about: dict[str, ClassAbout], info: ValidationInfo) -> dict[str, ClassAbout]:
        classes = info.data.get("classes", list(about))  # where they are wrong, that is the error
        unknown = [name for name in about if name not in classes]
        if unknown:
            raise ValueError(f"there is no class {listed(map(repr, unknown))}; the classes are {named(classes)}")
        keys = [one.key for one in about.values() if one.key is not None]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        if repeated:
            raise ValueError(f"classes need distinct keys, got {listed(repeated)} more than once")
        return about


def read(folder: Path) -> Config:
    """Read and validate `folder/project.toml`.

    Raises ConfigError naming the line (syntax) or the key (values) at fault.
    """
    path = folder / FILE_NAME
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {path}; make a project with `annotate-select init {folder}`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read {path}: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is not valid TOML: {error}; mend that line") from error
    return validated(values, str(path))


def validated(values: dict[str, Any], where: str) -> Config:
    """Make a Config of plain values; `where` begins the message of a ConfigError."""
    try:
        return Config.model_validate(values)
    except ValidationError as error:
        raise ConfigError(f"{where}: {problems(error)}") from error


def write(folder: Path, config: Config) -> None:
    """Write `folder/project.toml`; of a file that is there already, only what differs is touched.

    Raises ConfigError when the file cannot be understood any more; it is then left as it is.
    """
    import tomlkit

    path = folder / FILE_NAME
    after = config.model_dump(exclude_none=True)
    if path.exists():
        before = read(folder).model_dump(exclude_none=True)
        document = tomlkit.parse(path.read_text(encoding="utf-8-sig"))
        _update(document, before, after)
    else:
        document = tomlkit.document()
        document.update({key: value for key, value in after.items() if value != {}})
    write_whole(path, tomlkit.dumps(document))


def _update(table: Any, before: dict[str, Any], after: dict[str, Any]) -> None:
    """Change what differs between two dumps, so that what a person wrote stays as it was written."""
    for key in before.keys() - after.keys():
        table.pop(key, None)
    for key, value in after.items():
        old = before.get(key)
        if old == value:
            continue
        if isinstance(value, dict) and isinstance(old, dict) and key in table:
            _update(table[key], old, value)
        elif isinstance(value, list) and isinstance(old, list) and key in table and value[: len(old)] == old:
            for item in value[len(old) :]:
                table[key].append(item)
        elif isinstance(value, list) and isinstance(old, list) and key in table and len(value) == len(old):
            for index, item in enumerate(value):
                if item != old[index]:
                    table[key][index] = item
        else:
            table[key] = value
