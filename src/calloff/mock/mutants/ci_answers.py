"""Servers of Tencent CI whose answers are not of the documented form."""

from __future__ import annotations

from calloff.mock.mutants.mutant import CI, Mutant
from calloff.mock.mutations import answers

ROWS = (
    Mutant(
        "ci-success-with-body",
        "ci-success-is-empty",
        CI,
        "sends a body with a 200",
        steps=answers.accepting(answers.with_xml_body),
        prototype="X02",
    ),
    Mutant(
        "ci-request-id-missing",
        "ci-request-id",
        CI,
        "sends no x-ci-request-id",
        steps=answers.finishing(answers.header(b"x-ci-request-id", None)),
        prototype="X07",
    ),
    Mutant(
        "ci-trace-id-missing",
        "ci-trace-id-on-failure",
        CI,
        "sends no x-ci-trace-id with a failure",
        steps=answers.finishing(answers.header(b"x-ci-trace-id", None)),
    ),
    Mutant(
        "ci-trace-id-on-success",
        "ci-trace-id-on-failure",
        CI,
        "sends x-ci-trace-id with a 200",
        steps=answers.accepting(answers.header(b"x-ci-trace-id", b"c3VjY2Vzcw==")),
    ),
    Mutant(
        "ci-server-header-wrong",
        "ci-server-header",
        CI,
        "says that it is tencent-cos",
        steps=answers.finishing(answers.header(b"server", b"tencent-cos")),
    ),
    Mutant(
        "ci-error-code-missing",
        "ci-error-is-xml",
        CI,
        "sends errors without Code",
        steps=answers.refusing(answers.body(answers.substituting(rb"<Code>.*</Code>", b""))),
        prototype="X03",
    ),
    Mutant(
        "ci-error-json",
        "ci-error-is-xml",
        CI,
        "sends errors as JSON",
        steps=answers.refusing(answers.json_error),
        prototype="X04",
    ),
    Mutant(
        "ci-error-malformed",
        "ci-error-is-xml",
        CI,
        "sends errors that are no well-formed XML",
        steps=answers.refusing(answers.body(lambda content: content[:-4])),
        prototype="X10",
    ),
    Mutant(
        "ci-error-wrapped",
        "ci-error-is-xml",
        CI,
        "wraps errors in Response",
        steps=answers.refusing(answers.body(lambda content: b"<Response>" + content + b"</Response>")),
    ),
    Mutant(
        "ci-error-content-type",
        "ci-error-is-xml",
        CI,
        "sends errors as text/html",
        steps=answers.refusing(answers.header(b"content-type", b"text/html")),
    ),
    Mutant(
        "ci-error-ids-differ",
        "ci-error-ids-agree",
        CI,
        "names another request in the body than in the header",
        steps=answers.refusing(answers.body(answers.substituting(rb"(<RequestId>)[^<]*", rb"\1b3RoZXI="))),
    ),
    Mutant(
        "ci-success-with-error-body",
        "ci-success-is-empty",
        CI,
        "sends an error as the body of a 200",
        steps=answers.accepting(
            answers.content(b"<Error><Code>InternalError</Code></Error>", b"application/xml")
        ),
    ),
    Mutant(
        "ci-error-without-body",
        "ci-error-is-xml",
        CI,
        "refuses without saying why",
        steps=answers.refusing(answers.body(lambda _content: b"")),
    ),
    Mutant(
        "ci-error-without-content-type",
        "ci-error-is-xml",
        CI,
        "sends no Content-Type with an error",
        steps=answers.refusing(answers.header(b"content-type", None)),
    ),
    Mutant(
        "ci-error-root-renamed",
        "ci-error-is-xml",
        CI,
        "sends errors with the root Fault",
        steps=answers.refusing(answers.body(answers.substituting(rb"(</?)Error>", rb"\1Fault>"))),
    ),
    Mutant(
        "ci-error-members-renamed",
        "ci-error-is-xml",
        CI,
        "writes the members of an error in lower case",
        steps=answers.refusing(answers.body(answers.substituting(rb"<(/?)Code>", rb"<\1code>"))),
    ),
    Mutant(
        "ci-error-message-empty",
        "ci-error-is-xml",
        CI,
        "sends errors with an empty Message",
        steps=answers.refusing(answers.body(answers.substituting(rb"<Message>.*</Message>", b"<Message/>"))),
    ),
    Mutant(
        "ci-error-trace-id-in-header-only",
        "ci-error-is-xml",
        CI,
        "leaves TraceId out of an error",
        steps=answers.refusing(answers.body(answers.substituting(rb"<TraceId>.*</TraceId>", b""))),
    ),
    Mutant(
        "ci-error-code-nested",
        "ci-error-is-xml",
        CI,
        "wraps the text of Code in another element",
        steps=answers.refusing(
            answers.body(answers.substituting(rb"<Code>(.*)</Code>", rb"<Code><Value>\1</Value></Code>"))
        ),
    ),
    Mutant(
        "ci-error-not-in-its-encoding",
        "ci-error-is-xml",
        CI,
        "declares an error as UTF-8 and writes Latin-1",
        steps=answers.refusing(
            answers.body(
                lambda content: (
                    b'<?xml version="1.0" encoding="UTF-8"?>'
                    + content.replace(b"<Message>", b"<Message>\xa7 ")
                )
            )
        ),
    ),
    Mutant(
        "ci-error-charset-untrue",
        "answer-text-decodes",
        CI,
        "names the charset us-ascii and sends UTF-8",
        steps=answers.refusing(
            answers.both(
                answers.header(b"content-type", b"application/xml; charset=us-ascii"),
                answers.body(answers.substituting(b"<Message>", b"<Message>\xc2\xa7 ")),
            )
        ),
    ),
)
