"""Which names and contents look like secrets, and which do not.

The keys are made up, and written in parts, so that no scanner takes this file for a secret.
"""

import time

import pytest

from engine.runs.safety import confidential

SECRET_NAMES = """
    .env .env.local prod.env .envrc deploy/server.pem TLS.KEY cert.p12 login.pfx x.kdbx id_rsa id_ed25519
    id_ecdsa_work .netrc _netrc .npmrc .pypirc .git-credentials .pgpass kaggle.json aws_credentials
    credentials.json Client_Secret.json clientSecret.json secrets/a.txt .aws/config home/.ssh/config
    my-service-account-1.json gcpServiceAccount.json passwords.csv api_keys.txt secrets.py
    local_secrets.py api_key.py token.txt .huggingface/token a/secrets.gin
"""
PLAIN_NAMES = """
    research/models/keypoints.py secret_sharing.py secretary.py environment.py environment.json
    .env.example tokens.txt tokenizer.json token_embedding.py key.py keys/model.py attention_keys.py
    monkey.py uncommitted.diff base.gin password_strength.py research/token.py a.pub model.safetensors
    turkey.png
"""
SECRETS = [
    '-----BEGIN ' + 'PRIVATE KEY-----',
    '-----BEGIN RSA ' + 'PRIVATE KEY-----',
    '-----BEGIN OPENSSH ' + 'PRIVATE KEY-----',
    '-----BEGIN PGP ' + 'PRIVATE KEY BLOCK-----',
    'AK' + 'IAIOSFODNN7EXAMPLE',
    'ghp' + '_' + 'a1B2' * 9,
    'github' + '_pat_' + 'a1' * 20,
    'glpat' + '-' + 'a1' * 10,
    'hf' + '_' + 'aBcD' * 8,
    'sk' + '-' + 'a1B2' * 12,
    'sk' + '-ant-api03-' + 'a1_B2' * 8,
    'sk' + '-proj-' + 'a-1B2' * 8,
    'AI' + 'za' + 'a1B2c' * 7,
    'xox' + 'b-1234-abcdefgh',
    's' + 'k_live_' + 'a1' * 12,
    'npm' + '_' + 'a1' * 18,
    'ey' + 'J0eXAiOiJKV1Qi.ey' + 'JzdWIiOiIxMjM0.dozjgNryP4J3jVmNHl0w',
    '1234567890' + ':AA' + 'a1B' * 11,
    'WANDB_API_KEY=' + '0a1b' * 10,
    'wandb.login(key="' + '0a1b' * 10 + '")',
    'api_key: str = "' + 'a1b2' * 5 + '"',
    "config['secret'] = '" + 'a1b2' * 6 + "'",
    '"access_token": "' + 'a1b2' * 6 + '"',
    'aws_secret_access_key = wJal' + 'rXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
    'password = "' + 'correct-horse"',
    'DB_PASSWORD=' + 'hunter2000',
    'export PASSWORD=' + 'hunter2000',
    'postgresql://ada:' + 'correcthorse@db.lab/x',
    'Authorization: Bearer ' + 'a1b2' * 6,
    'DefaultEndpointsProtocol=https;AccountKey=' + 'a1B2' * 20 + '==',
]
PLAIN = r"""
num_tokens = 32768
pad_token = '<|endoftext|>'
token = tokenizer.encode(text)
token: int = 5
key = jax.random.key(0)
self.key = nn.Linear(8, 8)
sort_key='accuracy'
password = getpass()
parser.add_argument('--password', help='the password')
password: str
password = ''
mask-rcnn-with-resnet-50-fpn
https://user:password@host/path
https://{user}:{password}@{host}
http://localhost:8080/a@b
sha256 = "0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b0a1b"
secret = os.environ["SECRET"]
api_key = os.environ.get("API_KEY_2026_FOR_US")
api_key = "<your key here>"
token = 'secret'
-----BEGIN PUBLIC KEY-----
ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI
from google.auth import default
data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAA
""".strip().splitlines()


@pytest.mark.parametrize('name', SECRET_NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert confidential.is_named_so(name)
    assert confidential.is_named_so(f'some/folder/{name}')


@pytest.mark.parametrize('name', PLAIN_NAMES.split())
def test_other_names(name: str) -> None:
    assert not confidential.is_named_so(name)


@pytest.mark.parametrize('text', SECRETS)
def test_contents_with_secrets(text: str) -> None:
    for content in (text, f'x = 1\n    {text}\ny = 2\n', f'+{text}\n', f'\r\n{text}\r\n'):
        assert confidential.is_in(content.encode())
    assert confidential.is_in(text.encode('utf-16'))


@pytest.mark.parametrize('text', PLAIN)
def test_other_contents(text: str) -> None:
    for content in (text, f'x = 1\n    {text}\ny = 2\n', f'+{text}\n'):
        assert not confidential.is_in(content.encode())


@pytest.mark.parametrize(
    'part',
    [
        'token=',
        'a',
        'eyJ',
        '://a:',
        'password',
        'secret=1a',
        'PRIVATE KEY',
        '1:AA',
        'login(',
        'bearer ',
        'key = "',
    ],
)
def test_no_content_takes_long(part: str) -> None:
    start = time.process_time()
    confidential.is_in((part * (2**18 // len(part))).encode())
    assert time.process_time() - start < 5
