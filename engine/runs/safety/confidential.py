"""Files that hold secrets, such as keys, tokens and passwords, by their names and by well-known patterns."""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import PurePath

# Names of files and folders, in lower case.
_NAMES = re.compile(
    r'\.env(\..*)?|.*\.env|\.envrc|\.?netrc|_netrc|\.pgpass|\.my\.cnf|\.npmrc|\.pypirc|\.git-credentials|\.dockercfg'
    r'|\.?htpasswd|\.boto|\.s3cfg|\.vault-token|\.?token(\.(txt|json|ya?ml|ini|cfg|toml))?|kaggle\.json|.*\.tfstate|.*service[_-]?account.*\.json'
    r'|id_(rsa|dsa|ecdsa|ed25519)\w*|.*\.(pem|key|p8|p12|pfx|pkcs12|jks|keystore|kdbx|ppk|ovpn)'
    r'|\.ssh|\.aws|\.gnupg|\.kube|\.docker|\.?secrets?|\.?credentials?'
)
_EXAMPLES = re.compile(r'\.env\.(example|sample|template|dist|defaults)')
_WORDS = {'secret', 'secrets', 'credential', 'credentials', 'password', 'passwords', 'passwd', 'passphrase'}
_WORDS |= {'apikey', 'apikeys', 'api_key', 'api_keys', 'private_key', 'access_token', 'auth_token'}
_SOURCES = {'.py', '.pyi', '.ipynb', '.gin', '.sh', '.md', '.rst', '.c', '.cc', '.cpp', '.h', '.cu'}

# What the services themselves say that their keys look like, by a text that each key holds.
_KEYS = {
    'PRIVATE KEY': r'-----BEGIN (?:[A-Z0-9]+ ){0,4}PRIVATE KEY(?: BLOCK)?-----',
    'PuTTY-User-Key-File-': r'PuTTY-User-Key-File-\d',
    'AGE-SECRET-KEY-1': r'AGE-SECRET-KEY-1[0-9A-Z]{50,}',
    'AKIA': r'AKIA[A-Z0-9]{16}\b',  # Amazon, and the next one
    'ASIA': r'ASIA[A-Z0-9]{16}\b',
    'ghp_': r'ghp_[A-Za-z0-9]{30,}',  # GitHub, to github_pat_
    'gho_': r'gho_[A-Za-z0-9]{30,}',
    'ghu_': r'ghu_[A-Za-z0-9]{30,}',
    'ghs_': r'ghs_[A-Za-z0-9]{30,}',
    'ghr_': r'ghr_[A-Za-z0-9]{30,}',
    'github_pat_': r'github_pat_\w{22,}',
    'glpat-': r'glpat-[\w-]{20,}',  # GitLab
    'hf_': r'hf_[A-Za-z0-9]{30,}',  # Hugging Face
    'sk-': r'sk-(?<![\w-]sk-)(?:[A-Za-z0-9]{32,}|(?:ant|proj|svcacct|admin|or-v1|lf)-[\w-]{20,})',
    'AIza': r'AIza[\w-]{35}',  # Google, to GOCSPX
    'ya29.': r'ya29\.[\w-]{20,}',
    'GOCSPX-': r'GOCSPX-[\w-]{20,}',
    'xox': r'xox[abeoprs]-[\w-]{10,}',  # Slack
    'hooks.slack.com': r'hooks\.slack\.com/services/T\w+/B\w+/\w+',
    'k_live_': r'[sr]k_live_[A-Za-z0-9]{16,}',  # Stripe
    'k_test_': r'[sr]k_test_[A-Za-z0-9]{16,}',
    'npm_': r'npm_[A-Za-z0-9]{36}',
    'pypi-': r'pypi-AgEI[\w-]{20,}',
    'dckr_pat_': r'dckr_pat_[\w-]{20,}',
    'SG.': r'SG\.[\w-]{16,}\.[\w-]{16,}',  # SendGrid
    'dop_v1_': r'dop_v1_[a-f0-9]{64}',  # DigitalOcean
    'dapi': r'dapi[a-f0-9]{32}\b',  # Databricks
    'hvs.': r'hvs\.[\w-]{24,}',  # Vault
    'r8_': r'r8_[A-Za-z0-9]{37}',  # Replicate
    'nvapi-': r'nvapi-[\w-]{40,}',
    'gsk_': r'gsk_[A-Za-z0-9]{40,}',  # Groq
    'AccountKey=': r'AccountKey=[A-Za-z0-9+/]{40,}',  # Azure
    ':AA': r'\d{8,10}:AA[\w-]{33}\b',  # Telegram
    'eyJ': r'eyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,}',  # JSON web tokens
}
# What is given to a name, in lower case: keys are letters and digits, passwords stand in quotes or end lines.
_GIVEN = r'["\']?\]?(?: *: *\w+)? *[=:] *'
_KEY = rf'{_GIVEN}["\']?(?=[\w+/-]{{0,200}}\d)(?=[\w+/-]{{0,200}}[a-z])[\w+/-]{{20,}}={{0,2}}(?:["\'\s,;]|\Z)'
_PLACEHOLDER = r'(?!string|passw|change|your|example|placeholder|xxxx|\*|none|null|true|false)'
_PASSWORD = (
    rf'(?:{_GIVEN}(?P<quote>["\']){_PLACEHOLDER}[^\s"\'<>{{}}$%]{{6,}}(?P=quote)'
    rf'| *[=:] *{_PLACEHOLDER}(?=\S{{0,99}}\d)[^\s"\'<>{{}}$%()\[\],.]{{6,}}[ \t]*(?:#.*)?(?:[\r\n]|\Z))'
)
_ASSIGNED = {
    **{
        name: name + _KEY
        for name in ('apikey', 'api_key', 'api-key', 'accesskey', 'access_key', 'access-key')
    },
    **{name: name + _KEY for name in ('secretkey', 'secret_key', 'privatekey', 'private_key', 'auth_key')},
    **{name: name + _KEY for name in ('token', 'secret')},
    **{name: name + _PASSWORD for name in ('password', 'passwd', 'passphrase')},
    'login(': r'login\([^)\n]{0,60}key *= *["\'][\w-]{20,}["\']',
    'bearer ': r'bearer (?=[\w.~+/-]{0,99}\d)[\w.~+/-]{20,}',
    # An address with a password, other than those of manuals.
    '://': r'://(?!user\w*:)[^\s/:@\'"<>{}$]{1,100}:[^\s/@\'"<>{}$]{3,200}@(?!example|host|domain)\w',
}


def _compiled(patterns: Mapping[str, str]) -> list[tuple[bytes, re.Pattern[bytes]]]:
    return [(text.encode(), re.compile(pattern.encode())) for text, pattern in patterns.items()]


_EXACT, _LOWER = _compiled(_KEYS), _compiled(_ASSIGNED)


def is_named_so(path: str) -> bool:
    """Whether the name of a file, or of a folder above it, suggests a secret.

    >>> [is_named_so(name) for name in ('.env', 'aws/ClientSecret.json', 'models/secret_sharing.py')]
    [True, True, False]
    """
    return any(map(_is_secret_name, PurePath(path).parts))


def _is_secret_name(name: str) -> bool:
    lower = name.lower()
    if _EXAMPLES.fullmatch(lower):
        return False
    path = PurePath(name)
    words = re.sub(r'(?<=[a-z0-9])(?=[A-Z])', '_', path.stem if path.suffix else name).lower()
    parts = re.split(r'[^a-z0-9]+', words)
    pairs = [f'{one}_{two}' for one, two in pairwise(parts)]
    # Code about secrets is not one: only its last word counts, as in `my_secrets.py`.
    candidates = {parts[-1], *pairs[-1:]} if path.suffix.lower() in _SOURCES else {*parts, *pairs}
    return bool(_NAMES.fullmatch(lower) or candidates & _WORDS)


def is_in(content: bytes) -> bool:
    """Whether a content holds what looks like a secret. Text of any encoding counts, UTF-16 too.

    >>> is_in(b'token = ' + b'ghp_' + b'a1B2' * 9), is_in(b'num_tokens = 32768')
    (True, False)
    """
    text = content.replace(b'\0', b'')
    lower = text.lower()
    exact = (pattern.search(text) for part, pattern in _EXACT if part in text)  # most texts hold no part
    return any(exact) or any(pattern.search(lower) for part, pattern in _LOWER if part in lower)
