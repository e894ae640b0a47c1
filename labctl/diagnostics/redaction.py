"""Take secrets out of texts that leave this machine: known ones in every form, and what looks like one."""

import base64
import html
import json
import re
import urllib.parse
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from ruamel.yaml.nodes import MappingNode

GONE = "[redacted]"
_PART = 8  # characters of base64 that are enough to recognise a secret in the middle of a longer text


def _escaped(characters: str) -> Callable[[str], str]:
    return lambda text: "".join(f"\\{letter}" if letter in characters else letter for letter in text)


# How texts are written in the files and logs of a lab: URLs (some in lower case, some with slashes or plus signs),
# oslo.config and systemd ($$, \$, %%), JSON, Python, YAML and SQL in their kinds of quotes, shells, HTML.
_WRITTEN: tuple[Callable[[str], str], ...] = (
    lambda text: urllib.parse.quote(text, safe=""),
    lambda text: re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), urllib.parse.quote(text, safe="")),
    lambda text: urllib.parse.quote(text),
    lambda text: urllib.parse.quote(text, safe="!'()*-._~"),
    urllib.parse.quote_plus,
    lambda text: text.replace("$", "$$"),
    lambda text: text.replace("$", "\\$"),
    lambda text: text.replace("%", "%%"),
    lambda text: text.replace("%", "%%").replace("$", "$$"),
    lambda text: text.replace("%", "%%").replace("$", "\\$"),
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    lambda text: text.replace("\\", "\\\\"),
    lambda text: text.replace("\\", "\\\\").replace("'", "\\'"),
    lambda text: text.replace("'", "''"),
    lambda text: text.replace('"', '""'),
    lambda text: text.replace("'", "'\"'\"'"),
    lambda text: text.replace("'", "'\\''"),
    _escaped('\\"$`'),
    _escaped(" \t!\"#$&'()*,;<=>?@[\\]^`{|}~%:/"),
    _escaped(" \t!\"#$&'()*;<>?[\\]^`{|}~"),  # as bash's printf %q has it
    html.escape,
    lambda text: html.escape(text).replace("&#x27;", "&#39;"),
    lambda text: html.escape(text, quote=False),
    lambda text: text.encode().hex(),
)
_KEY = r"(?:[\w-]*[_-])?(?:password|passwd|secret|secret_key|admin_token|password_hash|encryption_key|erlang_cookie)"
_QUOTED = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'"
_HARMLESS = re.compile(
    r"""["']?(?:<None>|None|null|true|false|\*+|\{\w+\}|\[redacted[^\]]*\])?["']?[,;]?\s*|NOT_LOGGING_PARAMETER.*""",
    re.IGNORECASE,
)
# What looks like a secret: private keys, credentials in URLs, values of options, tokens.
_LOOKS: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----(.*?)(?:-----END \1-----|\Z)", re.DOTALL), 2),
    (re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://[^\s/:@\"'{}]*:(\S+)@"), 1),
    # An option ends with its line, any other value with the word.
    (re.compile(rf"^[ \t]*{_KEY}[ \t]*[=:][ \t]*({_QUOTED}|[^\n]+)", re.IGNORECASE | re.MULTILINE), 1),
    (re.compile(rf"(?<![\w:-]){_KEY}[\"']?[ \t]*[=:][ \t]*(?!\[redacted)({_QUOTED}|[^\s,;&)}}\]]+)", re.IGNORECASE), 1),
    (re.compile(r"X-(?:Auth|Subject|Service)-Token[\"']?[ \t]*[=:][ \t]*[\"']?([^\s\"',]+)", re.IGNORECASE), 1),
    (re.compile(r"Authorization[\"']?[ \t]*[=:][ \t]*[\"']?(\w+ [^\s\"',]+)", re.IGNORECASE), 1),
    (re.compile(r"token(?:=|%3D)([\w-]{8,})", re.IGNORECASE), 1),
    (re.compile(r"(gAAAAA[\w-]{20,}={0,2})"), 1),
)


def forms(secret: str) -> set[str]:
    """Every way in which a secret may be written: as it is, in one way, in one within another, or in base64."""
    once = {secret, *(write(secret) for write in _WRITTEN)}
    twice = {write(text) for text in once for write in _WRITTEN}
    return (twice | {form for text in once for form in (text, *_base64(text))}) - {""}


def _base64(text: str) -> set[str]:
    """A text in both alphabets of base64, also as a part of something longer, where it may begin at any of 3 places."""
    data = text.encode()
    found = set()
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode()
        found |= {alone, alone.rstrip("=")}
        for before in (0, 1, 2):
            encoded = encode(bytes(before) + data).decode()
            inner = encoded[-(-before * 8 // 6) : (before + len(data)) * 8 // 6]
            if len(inner) >= _PART:
                found.add(inner)
    return found


class Redactor:
    """Takes secrets out of texts. found counts what it has taken out, by the names of the secrets."""

    def __init__(self, secrets: Mapping[str, str]) -> None:
        self.found: Counter[str] = Counter()
        self._names: dict[str, str] = {}
        for name, secret in secrets.items():
            for form in forms(secret):
                self._names.setdefault(form, name)
        self._known = re.compile(_pattern(list(self._names))) if self._names else None

    def __call__(self, text: str) -> str:
        """The text without secrets. Known ones come first: they need not look like secrets."""
        if self._known is not None:
            text = self._known.sub(self._name, text)
        for pattern, group in _LOOKS:
            text = pattern.sub(lambda found, group=group: self._look(found, group), text)  # type: ignore[misc]
        return text

    def _name(self, found: re.Match[str]) -> str:
        name = self._names[found[0]]
        self.found[name] += 1
        return f"[redacted:{name}]"

    def _look(self, found: re.Match[str], group: int) -> str:
        if _HARMLESS.fullmatch(found[group]):
            return found[0]
        self.found["by its look"] += 1
        start, end = found.start(group) - found.start(), found.end(group) - found.start()
        return f"{found[0][:start]}{GONE}{found[0][end:]}"


def _pattern(words: Iterable[str]) -> str:
    """A regular expression for any of the words, the longest first.

    It branches at each character: a plain list of thousands of words would be tried one by one at every place.
    """
    branches: defaultdict[str, list[str]] = defaultdict(list)
    for word in words:
        branches[word[:1]].append(word[1:])
    ends = branches.pop("", None) is not None
    parts = [
        re.escape(letter) + (re.escape(rests[0]) if len(rests) == 1 else _pattern(rests))
        for letter, rests in branches.items()
    ]
    return f"(?:{'|'.join(parts)}){'?' if ends else ''}" if parts else ""


def lab_yaml(text: str) -> str:
    """A lab.yaml without its secrets, however they are written there; one that cannot be read is left out."""
    try:
        node = YAML().compose(text)
    except YAMLError:
        return f"{GONE} because it is not valid YAML\n"
    pairs = node.value if isinstance(node, MappingNode) else ()
    for value in reversed([value for key, value in pairs if key.value == "secrets"]):
        text = f"{text[: value.start_mark.index]}{GONE}\n{text[value.end_mark.index :]}"
    return re.sub(r"(#.*\bsecrets:).*", rf"\1 {GONE}", text)
