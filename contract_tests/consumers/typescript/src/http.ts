// What the generated clients leave to their callers: signing, no redirects, a timeout, checked arguments.
import { type Client, createClient, createConfig } from "calloff-clients/client";
import { InvalidArgumentError, UnknownOutcomeError } from "./errors.js";

export interface Connection {
  /** Where the service is: scheme, host and port, such as `https://dli.eu-de.otc.t-systems.com`. */
  readonly endpoint: string;
  /** After so many milliseconds without a whole answer the outcome is unknown. Default: 30,000. */
  readonly timeout?: number;
}

/** Gives the headers that prove who asks; it sees the request as it will be sent. */
export type Prove = (request: Request) => Readonly<Record<string, string>>;

const MAX_ANSWER = 1 << 20;
const TOO_LONG = "the answer is too long";

// #region connect
export function connect({ endpoint, timeout = 30_000 }: Connection, prove: Prove): Client {
  const origin = /^https?:/.test(endpoint) && URL.canParse(endpoint) && new URL(endpoint).origin;
  if (!origin || ![origin, `${origin}/`].includes(endpoint)) {
    throw new InvalidArgumentError("the endpoint must be scheme, host and port of http or https");
  }
  const client = createClient(
    createConfig({
      baseUrl: origin,
      parseAs: "text",
      fetch: (input, init) =>
        fetch(input, { ...init, redirect: "manual", signal: AbortSignal.timeout(timeout) }),
    }),
  );
  client.interceptors.request.use((unsigned) => {
    // The client writes `?cancel=`, the vendor's samples `?cancel`; both are the same to a signature.
    const request = new Request(unsigned.url.replace(/\?cancel=$/, "?cancel"), unsigned);
    for (const [name, value] of Object.entries(prove(request))) request.headers.set(name, value);
    return request;
  });
  client.interceptors.response.use(bounded);
  return client;
}

/** Reads an answer, and ends the connection once it is longer, unpacked, than an answer can be. */
async function bounded(response: Response): Promise<Response> {
  let room = MAX_ANSWER;
  const counted = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      room -= chunk.byteLength;
      if (room < 0) controller.error(new Error(TOO_LONG));
      else controller.enqueue(chunk);
    },
  });
  if (response.body === null) return response;
  try {
    const body = await new Response(response.body.pipeThrough(counted)).arrayBuffer();
    return new Response(body, response);
  } catch (failure) {
    if (response.ok) throw failure;
    // The status says enough.
    return new Response(null, response);
  }
}
// #endregion

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  /** The text of a 2xx; of another status the text, or the value of its JSON. */
  readonly content: unknown;
}

/** What the generated functions return. */
export type Call = Promise<{
  data?: unknown;
  error?: unknown;
  response: Response | undefined;
}>;

/** Waits for a call of a generated client; whatever keeps the answer away is an UnknownOutcomeError. */
export async function answer(call: Call): Promise<Answer> {
  const { data, error, response } = await call.catch((failure: unknown) => {
    throw new UnknownOutcomeError(reasonOf(failure));
  });
  if (response === undefined) throw new UnknownOutcomeError(reasonOf(error));
  const { status, headers } = response;
  return { status, headers, content: response.ok ? data : error };
}

function reasonOf(failure: unknown): string {
  if (!(failure instanceof Error)) return "the connection failed";
  if (failure.name === "TimeoutError") return "no answer in time";
  if (failure.message === TOO_LONG) return TOO_LONG;
  const cause = failure.cause as { code?: unknown } | undefined;
  return typeof cause?.code === "string" ? `the connection failed, ${cause.code}` : "it failed";
}

// #region id
/** Refuses an id that is no path segment of its own; generated code does not look. */
export function checkedId(what: string, pattern: RegExp, value: string): string {
  if (!pattern.test(value)) {
    throw new InvalidArgumentError(`${what} must match ${pattern.source}`);
  }
  return value;
}
// #endregion

/** Path and query, as on the wire. */
export function targetOf(request: Request): string {
  const { pathname, search } = new URL(request.url);
  return pathname + search;
}
