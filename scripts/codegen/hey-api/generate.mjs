// Writes a client in TypeScript for each document: node generate.mjs SPEC_FOLDER OUTPUT_FOLDER DOCUMENT...
import { join } from "node:path";
import { createClient } from "@hey-api/openapi-ts";

const [specifications, output, ...documents] = process.argv.slice(2);
await createClient(
  documents.map((document) => ({
    input: join(specifications, `${document}.openapi.yaml`),
    output: { path: join(output, document), importFileExtension: ".js" },
    plugins: ["@hey-api/typescript", "@hey-api/sdk", "@hey-api/client-fetch"],
    logs: { level: "warn", file: false },
  })),
);
