import ast
import pathlib
import re
import shlex
import shutil
import subprocess
import sys

import openpyxl
import pytest

from kerassent.cli import main
from kerassent.server.flag_table import make_parser
from kerassent.server.model_config import read_config_file

ROOT = pathlib.Path(__file__).parent.parent
PAGES = [
    "README.md",
    "serving/README.md",
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.DOTALL)


@pytest.fixture
def workplace(easy_rows, tmp_path, monkeypatch):
    """A directory with the spreadsheets that the docs speak of."""
    for name in ("train", "test"):
        book = openpyxl.Workbook()
        for row in (("Reviews", "Sentiment"), *easy_rows):
            book.active.append(row)
        book.save(tmp_path / f"{name}.xlsx")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _put_runs(workplace, run):
    """Puts two runs there, and reviews that they are not always right of."""
    for name in ("imdb", "june"):
        shutil.copytree(run, workplace / "runs" / name)
    book = openpyxl.load_workbook(workplace / "train.xlsx")
    for row in range(2, 160, 5):
        cell = book.active.cell(row, 2)
        cell.value = "pos" if cell.value == "neg" else "neg"
    book.save(workplace / "train.xlsx")


# An untrained encoder and 160 reviews may well carry none.
@pytest.mark.filterwarnings("ignore:No learning rate found")
@pytest.mark.parametrize("page", PAGES)
def test_python_in_the_docs_runs(
    page, repository, workplace, tiny_preset, request, capsys
):
    if page in ("docs/evaluation.md", "docs/report.md"):
        _put_runs(workplace, request.getfixturevalue("tiny_run")[1])
    text = (repository / page).read_text("utf-8")
    text = text.replace('"minilm_l6_en_uncased"', repr(str(tiny_preset)))
    text = text.replace("sequence_length=400", "sequence_length=32")
    code = ""
    for block in blocks(text, "python"):
        if "sys.exit" in block:  # a program of its own
            subprocess.run([sys.executable, "-c", block], check=True)
        else:
            code += block
    if code:
        exec(compile(f"import kerassent as ks\n{code}", page, "exec"), {})
    outputs = re.findall(r"\n```\n\n```text\n(.*?)```", text, flags=re.DOTALL)
    printed = capsys.readouterr().out
    assert [output for output in outputs if output not in printed] == []
    if page == "docs/coming_from_ktrain.md":
        assert (workplace / "predictor/task.json").is_file()
    if page == "docs/distributed.md":
        assert (workplace / "runs/cluster/task.json").is_file()
    if page == "docs/tutorial.md":
        assert (workplace / "models/sentiment/1/saved_model.pb").is_file()
        assert (workplace / "runs/by_hand/task.json").is_file()


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_docs_can_be_parsed(page, repository):
    text = (repository / page).read_text("utf-8").replace("\\\n", " ")
    lines = re.findall(r"^kerassent (.+)$", text, flags=re.MULTILINE)
    for line in lines:
        name, *arguments = shlex.split(line)
        command = main.commands[name]
        # Refuses an unknown option, a wrong type, a missing argument.
        command.make_context(name, arguments)


@pytest.mark.parametrize("page", PAGES)
def test_server_commands_in_the_docs_have_flags_that_exist(page, repository):
    text = (repository / page).read_text("utf-8").replace("\\\n", " ")
    program = r"^(?:tensorflow|kerassent-)_?model[-_]server (.+)$"
    for line in re.findall(program, text, flags=re.MULTILINE):
        make_parser().parse_args(shlex.split(line))


@pytest.mark.parametrize("page", PAGES)
def test_tools_in_the_docs_exist_with_these_options(page, repository):
    text = (repository / page).read_text("utf-8")
    for tool, rest in re.findall(r"(tools/[\w/]+\.py)([^`|\n]*)", text):
        source = (repository / tool).read_text("utf-8")
        for option in re.findall(r"--[a-z-]+", rest):
            assert f'"{option}"' in source, (tool, option)


@pytest.mark.parametrize("page", PAGES)
def test_options_in_the_text_of_the_docs_exist(page, repository):
    known = {"--help", "--debug", "--flag", "--require-hashes"}  # pip's
    for command in main.commands.values():
        for parameter in command.params:
            known |= {*parameter.opts, *parameter.secondary_opts}
    for action in make_parser()._actions:
        known |= set(action.option_strings)
    tools = "".join(
        path.read_text("utf-8") for path in (repository / "tools").rglob("*.py")
    )
    text = (repository / page).read_text("utf-8")
    text = re.sub("```.*?```", "", text, flags=re.DOTALL)
    for code in re.findall("`([^`]+)`", text):
        for option in re.findall(r"(?<![\w-])--[a-z][a-z_-]+", code):
            assert option in known or f'"{option}"' in tools, option


def test_links_in_the_docs_lead_somewhere(repository):
    for page in PAGES:
        text = (repository / page).read_text("utf-8")
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if "://" not in target:
                assert ((repository / page).parent / target).exists(), target


def test_changelog_names_every_command(repository):
    text = (repository / "CHANGELOG.md").read_text("utf-8")
    assert [name for name in main.commands if name not in text] == []


def test_pages_made_of_the_code_are_current(repository):
    """If not: `PYTHONPATH=. python -m cogapp -r -I tools docs/cli.md`."""
    pytest.importorskip("cogapp", reason="needs the extra docs")
    made = ["docs/cli.md"]
    done = subprocess.run(
        [sys.executable, "-m", "cogapp", "--check", "-I", "tools", *made],
        cwd=repository,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_reference_has_every_command_and_shown_file(repository):
    text = (repository / "docs/cli.md").read_text("utf-8")
    assert re.findall("^## kerassent (.+)$", text, re.MULTILINE) == list(
        main.commands
    )
    text = (repository / "docs/serving_files.md").read_text("utf-8")
    serving = repository / "serving"
    files = {
        str(path.relative_to(serving))
        for path in serving.rglob("*")
        if path.is_file()
    }
    assert files - set(re.findall("^## (.+)$", text, re.MULTILINE)) == {
        "README.md",
        "grafana_dashboard.json",
    }


def test_model_config_in_the_docs_serves_two_labelled_versions(
    repository, tmp_path
):
    text = (repository / "docs/deployment.md").read_text("utf-8")
    (block,) = blocks(text, "text")
    (tmp_path / "models.config").write_text(block)
    (model,) = read_config_file(str(tmp_path / "models.config"))
    assert (model.name, model.base_path) == ("sentiment", "/models/sentiment")
    assert model.policy.versions == (1, 2)
    assert dict(model.labels) == {"stable": 1, "canary": 2}


# Where a heading leaves out what changes from case to case, or the code puts a
# message together.
SEAM = (
    r"…|(?<!\w)'[^']*'|\d[\d.,]*%?|: |, and|[()]|[A-Z]+_[A-Z]+|(?<=rows have )"
)
# What is not kerassent's own: the system's, Python's and Keras's words, and the
# plural that a name of rows gets.
NOT_IN_THE_CODE = {
    "Excel rows",
    "No space left on device",
    "RecursionError",
    "maximum recursion depth exceeded, or",
    "Keras cannot be imported",
}


def strings_of(source):
    """Returns a program's strings but docstrings; "…" for what is put in."""
    tree = ast.parse(source)
    known = set()
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr):
            known.add(node.value)
        elif isinstance(node, ast.JoinedStr):
            known.update(node.values)
            texts = (getattr(each, "value", "") for each in node.values)
            found.append(
                "".join(t if isinstance(t, str) else "…" for t in texts)
            )
        elif isinstance(node, ast.Constant) and node not in known:
            found.append(str(node.value))
    return found


def test_messages_in_the_troubleshooting_are_those_of_the_code(repository):
    code = "\n".join(
        text
        for path in (repository / "kerassent").rglob("*.py")
        for text in strings_of(path.read_text("utf-8"))
    )
    page = (repository / "docs/troubleshooting.md").read_text("utf-8")
    headings = re.findall("^## (.+)$", page, flags=re.MULTILINE)
    for heading in headings:
        pieces = (piece.strip(" .,:") for piece in re.split(SEAM, heading))
        missing = {
            piece for piece in pieces if len(piece) > 1 and piece not in code
        }
        assert missing <= NOT_IN_THE_CODE, heading
