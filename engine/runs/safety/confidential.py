"""Files that hold secrets, such as keys, tokens and passwords, by their names and by well-known patterns."""

import re
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

# What the services themselves say that their keys look like.
_TOKENS = (
    r'-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----',
    r'PuTTY-User-Key-File-\d',
    r'AGE-SECRET-KEY-1[0-9A-Z]{50,}',
    r'\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z0-9]{16}\b',  # Amazon
    r'\bgh[pousr]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{22,}|\bglpat-[\w-]{20,}',
    r'\bhf_[A-Za-z0-9]{30,}',  # Hugging Face
    r'(?<![\w-])sk-[A-Za-z0-9]{32,}|(?<![\w-])sk-(?:ant|proj|svcacct|admin|or-v1|lf)-[\w-]{20,}',
    r'\bAIza[\w-]{35}|\bya29\.[\w-]{20,}|\bGOCSPX-[\w-]{20,}',  # Google
    r'\bxox[abeoprs]-[\w-]{10,}|hooks\.slack\.com/services/T\w+/B\w+/\w+',
    r'\b[sr]k_(?:live|test)_[A-Za-z0-9]{16,}',  # Stripe
    r'\bnpm_[A-Za-z0-9]{36}|\bpypi-AgEI[\w-]{20,}|\bdckr_pat_[\w-]{20,}',
    r'\bSG\.[\w-]{16,}\.[\w-]{16,}|\bdop_v1_[a-f0-9]{64}|\bdapi[a-f0-9]{32}\b|\bhvs\.[\w-]{24,}',
    r'\br8_[A-Za-z0-9]{37}|\bnvapi-[\w-]{40,}|\bgsk_[A-Za-z0-9]{40,}|\btskey-\w+-[\w-]{10,}',
    r'\bAccountKey=[A-Za-z0-9+/]{40,}|[?&]sig=[\w%]{40,}',  # Azure
    r'\b\d{8,10}:AA[\w-]{33}\b',  # Telegram
    r'\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,}',  # JSON web tokens
    r'://[^\s/:@\'"<>{}$]{1,100}:[^\s/@\'"<>{}$]{3,200}@\w',  # addresses with a password
)
# What is given to a name. Keys are letters and digits; passwords stand in quotes, or fill the line.
_KEY = r'(?i:api_?-?key|(?:access|secret|private|auth|account)_?-?key|secret|token)'
_PASSWORD = r'(?i:passw(?:or)?d|passphrase)'
_GIVEN = r'["\']?\]?(?: *: *\w+)? *[=:] *'
_ASSIGNED = (
    rf'{_KEY}{_GIVEN}["\']?(?=[\w+/-]{{0,200}}\d)(?=[\w+/-]{{0,200}}[A-Za-z])[\w+/-]{{20,}}={{0,2}}(?:["\'\s,;]|\Z)',
    rf'{_PASSWORD}{_GIVEN}(?P<quote>["\'])[^\s"\'<>{{}}$%]{{6,}}(?P=quote)',
    rf'(?m:^[+ -]?(?:export +)?\w*{_PASSWORD} *[=:] *[^\s"\'<>{{}}$%()\[\],]{{6,}}$)',
)
_CONTENT = re.compile('|'.join((*_TOKENS, *_ASSIGNED)).encode())


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
    return bool(_CONTENT.search(content.replace(b'\0', b'')))
