"""When a plain scalar is a string for every reader, and how text is written in each quote style."""

import json
import re

# Whatever YAML 1.1, YAML 1.2 or go-yaml would read as null, boolean, number or timestamp (facts/pins.md, section 3).
_NOT_STRING = re.compile(
    r"""(?xi:
      | ~ | null | y | n | yes | no | on | off | true | false | << | =
      | [-+]? [0-9][0-9_]*                                                    # 7  0123  1_000
      | [-+]? (?: \.[0-9_]+ | [0-9][0-9_]*(?:\.[0-9_]*)? ) (?: e[-+]?[0-9]+ )? # 1.10  .5  1e3
      | [-+]? 0x[0-9a-f_]+ | [-+]? 0o[0-7_]+ | [-+]? 0b[01_]+
      | [-+]? [0-9][0-9_]* (?: :[0-5]?[0-9] )+ (?: \.[0-9_]* )?                # 12:30:45
      | [-+]? \.inf | \.nan
      | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2} (?: (?: t | [ \t]+ ) [0-9:. \tz+-]* )?
    )\Z"""
)
# A conservative subset of what may stand plain in block and flow context alike.
_PLAIN = re.compile(r"[A-Za-z0-9_./](?:[A-Za-z0-9_./~+@%=?&#:-]*[A-Za-z0-9_./~+@%=?&#-])?\Z")


def is_string(text: str) -> bool:
    """Whether the text, unquoted, is a string in YAML 1.1, YAML 1.2 and go-yaml alike."""
    return _NOT_STRING.match(text) is None


def plain_is_safe(text: str) -> bool:
    """Whether the text may be written without quotes and stays exactly this string."""
    return _PLAIN.match(text) is not None and is_string(text)


def written(text: str, style: str | None) -> str:
    """The text in the given style: `'`, `"`, or plain; plain gains double quotes where it would not stay this string."""
    if style == "'":
        return "'" + text.replace("'", "''") + "'"
    if style == '"' or not plain_is_safe(text):
        return json.dumps(text, ensure_ascii=False)
    return text
