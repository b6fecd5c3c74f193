// Holds the signers to every vector of spec/signing/.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { suite, test } from "node:test";
import { qSign, qSignAuthorization, qSignKey, qSignStages } from "../src/q-sign.js";
import { sdkHmacSign, sdkHmacStages } from "../src/sdk-hmac-sha256.js";

interface Message {
  method: string;
  target: string;
  headers: [string, string][];
  body: string;
}

interface Vector {
  name: string;
  verdict: "valid" | "acceptable" | "must-refuse";
  reason?: string;
  not_for_signers?: string;
  scope?: string;
  request: Message;
  arrives: Message;
  credentials: Record<string, string>;
  sender_credentials?: Record<string, string>;
  time: { start: number; end: number };
  signed_headers: string[];
  signed_parameters: string[];
  stages: Record<string, string>;
  authorization: string;
}

interface Signer {
  /** The stages and the value of Authorization, as the vectors name them. */
  stages: (
    vector: Vector,
    message: Message,
    keys: Record<string, string>,
  ) => Record<string, string>;
}

const folder = process.env["CALLOFF_VECTORS"] ?? "../../../spec/signing";

function vectors(file: string): Vector[] {
  const { cases } = JSON.parse(readFileSync(`${folder}/${file}.json`, "utf8")) as {
    cases: Vector[];
  };
  return cases;
}

const member = (keys: Record<string, string>, name: string) => keys[name] ?? "";

const qSigner: Signer = {
  stages: (vector, message, keys) => {
    const { start, end } = vector.time;
    const keyTime = `${start};${end}`;
    const lists = {
      headers: vector.signed_headers,
      parameters: vector.signed_parameters,
    };
    const signKey = keys["sign_key"] ?? qSignKey(member(keys, "secret_key"), keyTime);
    const stages = qSignStages(message, signKey, keyTime, lists);
    const secretId = member(keys, "secret_id");
    const authorization = qSignAuthorization(secretId, keyTime, lists, stages.signature);
    if (keys["secret_key"] !== undefined) {
      const options = {
        secretId,
        secretKey: keys["secret_key"],
        start,
        end,
        lists,
      };
      assert.equal(qSign(message, options), authorization);
    }
    return {
      http_string: stages.httpString,
      http_string_sha1: stages.httpStringSha1,
      string_to_sign: stages.stringToSign,
      sign_key: signKey,
      signature: stages.signature,
      authorization,
    };
  },
};

const sdkHmacSigner: Signer = {
  stages: (vector, message, keys) => {
    const secretKey = member(keys, "secret_key");
    const scope = vector.scope === undefined ? {} : { scope: vector.scope };
    const stages = sdkHmacStages(message, secretKey, vector.signed_headers, vector.scope);
    return {
      canonical_request: stages.canonicalRequest,
      canonical_request_sha256: stages.canonicalRequestSha256,
      string_to_sign: stages.stringToSign,
      ...(typeof stages.signKey === "string" ? {} : { sign_key: stages.signKey.toString("hex") }),
      signature: stages.signature,
      authorization: sdkHmacSign(message, {
        accessKey: member(keys, "access_key"),
        secretKey,
        signedHeaders: vector.signed_headers,
        ...scope,
      }),
    };
  },
};

const signers = {
  "q-sign": qSigner,
  "sdk-hmac-sha256": sdkHmacSigner,
  "sdk-hmac-sha256-derived": sdkHmacSigner,
};

for (const [algorithm, signer] of Object.entries(signers)) {
  suite(algorithm, () => {
    const all = vectors(algorithm);

    test("has vectors of every verdict", () => {
      const verdicts = new Set(all.map(({ verdict }) => verdict));
      assert.deepEqual(verdicts, new Set(["valid", "must-refuse", "acceptable"]));
    });

    for (const vector of all.filter((vector) => vector.not_for_signers === undefined)) {
      test(`${vector.verdict}: ${vector.name} is signed as its sender signed it`, () => {
        const keys = vector.sender_credentials ?? vector.credentials;
        const { authorization, ...stages } = signer.stages(vector, vector.request, keys);
        assert.deepEqual(stages, vector.stages);
        assert.equal(authorization, vector.authorization);
      });
    }

    // A signature of the past is right in all but its time, and a signer knows no other time.
    const refused = all.filter(
      ({ verdict, reason }) => verdict === "must-refuse" && !reason?.startsWith("time:"),
    );
    for (const vector of refused) {
      test(`must-refuse: ${vector.name} is nothing that this signer writes`, () => {
        const { arrives } = vector;
        const header = arrives.headers.find(
          ([name]) => name.toLowerCase() === "authorization",
        )?.[1];
        const presented = header ?? decodeURIComponent(arrives.target);
        let written;
        try {
          written = signer.stages(vector, arrives, vector.credentials)["authorization"];
        } catch (error) {
          assert.ok(error instanceof TypeError, String(error));
          return;
        }
        assert.ok(written !== undefined && !presented.endsWith(written));
      });
    }
  });
}
