"""`streamtui doctor`: what works here, what does not, and the line that mends it.

Looks and asks, and changes nothing: no setting of the terminal or of tmux, no clipboard, no file.
"""

from functools import partial

import click

from streamtui.cli import common

_EPILOG = """\
Each finding is ok, a note (it works, and could be better) or a problem. Each endpoint that has its
key is sent one short question, which costs a few tokens there; --offline leaves that out.

\b
Exit codes, the worst of all problems:
  0    no problems
  2    something to mend in terminal, files or configuration
  5    an endpoint that cannot be reached or does not answer
  130  cancelled (SIGINT, SIGTERM)
"""


@click.command("doctor", epilog=_EPILOG)
@common.endpoint_option("Repeat it; without it all endpoints are asked.")
@click.option("--offline", is_flag=True, help="Ask no endpoint.")
@common.json_option
@common.config_option
@click.pass_context
def command(
    context: click.Context, endpoints: tuple[str, ...], offline: bool, as_json: bool
) -> int:
    """Check everything, and say what mends what is wrong."""
    if offline and endpoints:
        raise click.UsageError("--offline asks no endpoint, and -e names one: choose one of them.")

    from streamtui.cli.doctor.examination import Examination
    from streamtui.cli.doctor.facts import read_facts
    from streamtui.cli.doctor.report import Report, writer_for

    facts = read_facts()
    examination = Examination(facts, common.config_path(context), endpoints)
    report = Report(writer_for(facts, as_json=as_json))
    for subject, findings in examination.local():
        for finding in findings:
            report.put(subject, finding)
    if not offline:
        examination.ask(partial(report.put, examination.NETWORK))
    return report.end()
