// What must hold whatever a server does; the servers are here.
import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { inspect } from "node:util";
import { suite, test, type TestContext } from "node:test";
import { gzipSync } from "node:zlib";
import { huaweiCloudDli, otcDli } from "../src/dli.js";
import {
  ciError,
  InvalidArgumentError,
  RefusedError,
  UnclearAnswerError,
  UnknownOutcomeError,
  UnreadStateError,
} from "../src/errors.js";
import { Secret } from "../src/secret.js";
import { ciEndpoint, tencentCi } from "../src/tencent-ci.js";

const KEY = { secretId: "word-of-the-id", secretKey: new Secret("word-of-the-key") }; // pragma: allowlist secret
const TOKEN = { token: new Secret("word-of-the-token") };
const JOB = "6d2146a0-c2d5-41bd-8ca0-ca9694ada992";
const CI_ERROR =
  "<Error><Code>TemporaryRedirect</Code><Message>a &amp; b</Message>" +
  "<RequestId>r</RequestId><TraceId>t</TraceId></Error>";

async function serve(context: TestContext, listener: RequestListener) {
  const seen: string[] = [];
  const server = createServer((request, response) => {
    seen.push(`${request.method ?? ""} ${request.url ?? ""}`);
    listener(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  context.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
  };
}

async function failure(call: Promise<unknown>): Promise<Error> {
  try {
    await call;
  } catch (error) {
    assert.ok(error instanceof Error);
    for (const secret of ["word-of-the-key", "word-of-the-token"]) {
      assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(secret));
    }
    return error;
  }
  return assert.fail("it was accepted");
}

suite("an id", () => {
  for (const id of ["", ".", "..", "a/b", "../..", "a?b", "a%2Fb", "a\n", "a#", "é"]) {
    test(`${JSON.stringify(id)} is refused, and nothing is sent`, async (context) => {
      const { endpoint, seen } = await serve(context, (_, response) => response.end());
      const ci = tencentCi({ endpoint }, KEY);
      const project = { endpoint, projectId: "p1" };
      const calls = [
        ci.cancelAiJob(id),
        ci.cancelInventoryTriggerJob(id),
        otcDli(project, TOKEN).cancelBatchJob(id),
        otcDli(project, TOKEN).cancelSqlJob(id),
        huaweiCloudDli(project, TOKEN).cancelSqlJob(id),
        ci.aiJob(id),
        ci.inventoryTriggerJob(id),
        otcDli(project, TOKEN).batchJobState(id),
        otcDli(project, TOKEN).sqlJobStatus(id),
        huaweiCloudDli(project, TOKEN).sqlJobStatus(id),
      ];

      for (const call of calls) assert.ok((await failure(call)) instanceof InvalidArgumentError);

      assert.throws(() => otcDli({ endpoint, projectId: id }, TOKEN), InvalidArgumentError);
      assert.deepEqual(seen, []);
    });
  }

  test("names no other host", () => {
    assert.equal(
      ciEndpoint("examplebucket-1250000000", "ap-beijing"),
      "https://examplebucket-1250000000.ci.ap-beijing.myqcloud.com",
    );
    assert.throws(() => ciEndpoint("a@evil.example/x-1", "ap-beijing"), InvalidArgumentError);
    assert.throws(() => ciEndpoint("a-1", "b.evil.example/"), InvalidArgumentError);
  });
});

test("an endpoint is no more than scheme, host and port", () => {
  for (const endpoint of [
    "",
    "a.example",
    "ftp://a.example",
    "https://a.example/b",
    "https://u@a",
  ]) {
    assert.throws(() => tencentCi({ endpoint }, KEY), InvalidArgumentError);
  }
});

suite("a credential", () => {
  for (const token of ["word-of-the-token\n", " word-of-the-token", ""]) {
    test(`${JSON.stringify(token)} is refused without being quoted`, () => {
      assert.throws(
        () => new Secret(token),
        (error: Error) =>
          error instanceof InvalidArgumentError && !error.message.includes("word-of-the-token"),
      );
    });
  }

  test("whose id no header can carry is refused", () => {
    const project = { endpoint: "http://127.0.0.1:9", projectId: "p1" };
    const secretKey = new Secret("word-of-the-key");
    const id = "a\n";
    assert.throws(() => tencentCi(project, { secretId: id, secretKey }), InvalidArgumentError);
    assert.throws(() => otcDli(project, { accessKey: id, secretKey }), InvalidArgumentError);
  });

  test("is not shown", () => {
    const options = { depth: 10, showHidden: true, getters: true };
    const shown = inspect([KEY, TOKEN], options) + JSON.stringify([KEY, TOKEN]);
    assert.ok(!shown.includes("word-of-the-key") && !shown.includes("word-of-the-token"), shown);
  });

  test("is not shown by a client", () => {
    const project = { endpoint: "http://127.0.0.1:9", projectId: "p1" };
    const shown = inspect([tencentCi(project, KEY), otcDli(project, TOKEN)], {
      depth: 10,
    });
    assert.ok(!shown.includes("word-of-the"));
  });
});

suite("an answer", () => {
  test("that redirects is an error, and is not followed", async (context) => {
    const other = await serve(context, (_, response) => response.end());
    const { endpoint } = await serve(context, (_, response) => {
      response.writeHead(307, {
        location: other.endpoint,
        "content-type": "application/xml",
      });
      response.end(CI_ERROR);
    });

    const refused = await failure(tencentCi({ endpoint }, KEY).cancelAiJob("a1"));
    const also = await failure(otcDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB));

    assert.ok(refused instanceof RefusedError && also instanceof RefusedError);
    assert.deepEqual([refused.status, refused.code], [307, "TemporaryRedirect"]);
    assert.deepEqual([also.status, also.body], [307, undefined]);
    assert.deepEqual(other.seen, []);
  });

  test("that does not come leaves the outcome unknown", async (context) => {
    const { endpoint } = await serve(context, () => undefined);

    const unknown = await failure(tencentCi({ endpoint, timeout: 50 }, KEY).cancelAiJob("a1"));

    assert.ok(unknown instanceof UnknownOutcomeError);
    assert.equal(unknown.reason, "no answer in time");
  });

  test("whose body does not come leaves the outcome unknown", async (context) => {
    const { endpoint } = await serve(context, (_, response) => response.writeHead(200).write("{"));

    const call = otcDli({ endpoint, projectId: "p1", timeout: 50 }, TOKEN).cancelSqlJob(JOB);

    assert.ok((await failure(call)) instanceof UnknownOutcomeError);
  });

  test("that is cut off leaves the outcome unknown", async (context) => {
    const { endpoint } = await serve(context, (request) => request.socket.destroy());

    const call = tencentCi({ endpoint }, KEY).cancelInventoryTriggerJob("b1");

    assert.ok((await failure(call)) instanceof UnknownOutcomeError);
  });

  for (const body of ["", "<html></html>", "[]", "null", '{"is_success"']) {
    test(`${JSON.stringify(body)} with a 200 of DLI leaves the outcome unknown`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const call = huaweiCloudDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB);

      assert.ok((await failure(call)) instanceof UnknownOutcomeError);
    });
  }

  for (const body of [
    '{"is_success":false,"message":"why"}',
    '{"is_success":"false"}',
    '{"is_success":null}',
  ]) {
    test(`${body} with a 200 of DLI is a refusal`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const call = otcDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB);

      const refused = await failure(call);
      assert.ok(refused instanceof RefusedError);
      assert.deepEqual([refused.status, refused.body], [200, JSON.parse(body)]);
    });
  }

  for (const body of ["{}", '{"message":"","new":1}']) {
    test(`${body} with a 200 of DLI says nothing against it`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const result = await otcDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB);

      assert.deepEqual(result, JSON.parse(body));
    });
  }

  for (const body of ["", "<html></html>", "<Error>", CI_ERROR.replace(/<Code>.*<\/Code>/, "")]) {
    test(`${JSON.stringify(body)} with a 403 is a refusal without details`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.writeHead(403).end(body));

      const refused = await failure(tencentCi({ endpoint }, KEY).cancelAiJob("a1"));

      assert.ok(refused instanceof RefusedError);
      assert.deepEqual([refused.status, refused.code, refused.body], [403, "", undefined]);
    });
  }

  for (const status of [202, 500, 504]) {
    test(`with ${status} says neither yes nor no`, async (context) => {
      const ci = await serve(context, (_, response) => response.writeHead(status).end(CI_ERROR));
      const dli = await serve(context, (_, response) =>
        response.writeHead(status).end('{"error_code":"DLI.0999","error_msg":"m"}'),
      );

      const unclear = [
        await failure(tencentCi(ci, KEY).cancelAiJob("a1")),
        await failure(otcDli({ ...dli, projectId: "p1" }, TOKEN).cancelSqlJob(JOB)),
      ];

      for (const error of unclear) {
        assert.ok(error instanceof UnknownOutcomeError && !(error instanceof RefusedError));
        assert.ok(error instanceof UnclearAnswerError);
        assert.equal(error.status, status);
      }
    });
  }

  for (const status of [200, 400, 503]) {
    test(`with ${status} is not read to an end that does not come`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => {
        response.writeHead(status);
        const more = () => {
          while (!response.destroyed && response.write(" ".repeat(1 << 16)));
        };
        response.on("drain", more);
        more();
      });

      const error = await failure(otcDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB));

      if (status === 200) {
        assert.ok(error instanceof UnknownOutcomeError);
        assert.equal(error.reason, "the answer is too long");
      } else {
        assert.ok(error instanceof (status === 400 ? RefusedError : UnclearAnswerError));
        assert.deepEqual([error.status, error.body], [status, undefined]);
      }
    });
  }

  for (const body of [CI_ERROR, "<html></html>"]) {
    test(`${body} with a 200 of CI leaves the outcome unknown`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const unknown = await failure(tencentCi({ endpoint }, KEY).cancelAiJob("a1"));

      assert.ok(unknown instanceof UnknownOutcomeError);
    });
  }

  test("is bounded after it was unpacked", async (context) => {
    const { endpoint } = await serve(context, (_, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync(" ".repeat(2 << 20)));
    });

    const unknown = await failure(tencentCi({ endpoint }, KEY).cancelAiJob("a1"));

    assert.ok(unknown instanceof UnknownOutcomeError);
    assert.equal(unknown.reason, "the answer is too long");
  });

  test("forges no line of a log by its code", async (context) => {
    const { endpoint } = await serve(context, (_, response) =>
      response.writeHead(400).end('{"error_code":"DLI.0007\\nforged","error_msg":"m"}'),
    );

    const refused = await failure(otcDli({ endpoint, projectId: "p1" }, TOKEN).cancelSqlJob(JOB));

    assert.ok(refused instanceof RefusedError);
    assert.deepEqual(
      [refused.message, refused.code],
      ["the service refused with 400", "DLI.0007\nforged"],
    );
  });
});

test("a request to Huawei Cloud has the type of content that it demands", async (context) => {
  const types: unknown[] = [];
  const { endpoint } = await serve(context, (request, response) => {
    types.push(request.headers["content-type"]);
    response.end("{}");
  });
  const project = { endpoint, projectId: "p1" };

  await huaweiCloudDli(project, TOKEN).cancelSqlJob(JOB);
  const key = { accessKey: "an-id", secretKey: new Secret("word-of-the-key") };
  await huaweiCloudDli(project, key).cancelSqlJob(JOB);

  assert.deepEqual(types, ["application/json", "application/json"]);
});

suite("an XML error", () => {
  test("is read with the entities of XML", () => {
    assert.equal(ciError(CI_ERROR)?.Message, "a & b");
    assert.equal(ciError(CI_ERROR.replace("a &amp; b", "&#39;&#x41;"))?.Message, "'A");
  });

  test("that has no more than its code is read", () => {
    assert.equal(ciError("<Error><Code>AccessDenied</Code></Error>")?.Code, "AccessDenied");
  });

  test("that is cut is not read", () => {
    assert.equal(ciError(CI_ERROR.replace("</Error>", "")), undefined);
  });

  test("with a document type is not read", () => {
    const hostile = `<!DOCTYPE Error [<!ENTITY e "x">]>${CI_ERROR.replace("a &amp; b", "&e;")}`;
    assert.equal(ciError(hostile), undefined);
  });

  test("has members that nobody knows", () => {
    assert.equal(ciError(CI_ERROR.replace("</Error>", "<New>1</New></Error>"))?.["New"], "1");
  });
});

/** Calls that read a state, of one server. */
const readers = (endpoint: string, timeout?: number) => {
  const project = { endpoint, projectId: "p1", ...(timeout !== undefined && { timeout }) };
  return {
    aiJob: tencentCi(project, KEY).aiJob,
    inventoryTriggerJob: tencentCi(project, KEY).inventoryTriggerJob,
    batchJobState: otcDli(project, TOKEN).batchJobState,
    sqlJobStatus: otcDli(project, TOKEN).sqlJobStatus,
    ofHuaweiCloud: huaweiCloudDli(project, TOKEN).sqlJobStatus,
  };
};

suite("a state", () => {
  for (const [name, status, body] of [
    ["of a server that is out of order", 504, ""],
    ["of another status", 202, "{}"],
    ["that is a page", 200, "<html></html>"],
    ["that is nothing", 200, ""],
    ["that is too long", 200, " ".repeat(2 << 20)],
    ["that is not told", 200, "{}"],
    ["that is not told in XML", 200, "<Response><RequestId>r</RequestId></Response>"],
    ["of another job", 200, '{"job_id":"b","id":"b","status":"FINISHED","state":"dead"}'],
    [
      "of another job in XML",
      200,
      "<Response><JobsDetail><JobId>b</JobId><State>Cancel</State></JobsDetail></Response>",
    ],
  ] as const) {
    test(`${name} is to be asked for again`, async (context) => {
      const { endpoint } = await serve(context, (_, response) =>
        response.writeHead(status).end(body),
      );

      for (const read of Object.values(readers(endpoint))) {
        const error = await failure(read(JOB));
        assert.ok(error instanceof UnreadStateError, String(error));
        assert.ok(!inspect(error).includes("the cancel"));
      }
    });
  }

  test("that does not come in time is to be asked for again", async (context) => {
    const { endpoint } = await serve(context, (_, response) => response.writeHead(200).write("{"));

    for (const read of Object.values(readers(endpoint, 50))) {
      const error = await failure(read(JOB));
      assert.ok(error instanceof UnreadStateError && error.reason === "no answer in time");
    }
  });

  for (const [body, state, final] of [
    [`{"id":"${JOB.toUpperCase()}","state":"Success"}`, "success", true],
    ['{"state":"New"}', "New", false],
    ['{"state":"constructor"}', "constructor", false],
  ] as const) {
    test(`${body} is read`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const told = await readers(endpoint).batchJobState(JOB);

      assert.deepEqual([told.state, told.final], [state, final]);
    });
  }

  for (const [name, body] of [
    ["sqlJobStatus", '{"is_success":false,"status":"FINISHED"}'],
    ["ofHuaweiCloud", '{"error_code":"DLI.0999","error_msg":"m","status":"FINISHED"}'],
    ["batchJobState", '{"error_code":"DLI.0999","error_msg":"m","state":"dead"}'],
    ["aiJob", `<Response><NonExistJobIds>${JOB}</NonExistJobIds></Response>`],
  ] as const) {
    test(`${name} is refused inside a 200`, async (context) => {
      const { endpoint } = await serve(context, (_, response) => response.end(body));

      const refused = await failure(readers(endpoint)[name](JOB));

      assert.ok(refused instanceof RefusedError && refused.status === 200);
    });
  }

  test("is not asked of the host that a redirect names", async (context) => {
    const other = await serve(context, (_, response) => response.end());
    const { endpoint } = await serve(context, (_, response) =>
      response.writeHead(302, { location: other.endpoint }).end(),
    );

    for (const read of Object.values(readers(endpoint))) {
      assert.ok((await failure(read(JOB))) instanceof RefusedError);
    }
    assert.deepEqual(other.seen, []);
  });
});
