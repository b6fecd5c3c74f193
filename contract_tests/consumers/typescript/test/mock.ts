// The mock that `calloff mock --json` announced: jobs, credentials, what it was sent.
interface Keys {
  secret_id?: string;
  access_key?: string;
  secret_key?: string;
  security_token?: string;
  token?: string;
}

export interface Api {
  base_url: string;
  host?: string;
  project_id?: string;
  credentials: Keys;
}

interface Announcement {
  provider_states_url: string;
  control_url: string;
  apis: Record<"tencent-ci" | "otc-dli" | "huaweicloud-dli", Api>;
}

export interface Entry {
  method: string;
  target: string;
  headers: string[];
  request_id: string;
}

const announced = process.env["CALLOFF_MOCK"];
if (announced === undefined) {
  throw new Error("put what `calloff mock --json` prints into CALLOFF_MOCK");
}
const announcement = JSON.parse(announced) as Announcement;

export const { apis } = announcement;

export async function createJob(operation: string, state: string): Promise<string> {
  const [api, name] = operation.split("/");
  const made = await asked("/jobs", {
    api,
    operation: name,
    state,
    owner: "self",
  });
  return (made as { job_id: string }).job_id;
}

export async function stateOf(operation: string, job: string): Promise<string> {
  const response = await fetch(`${announcement.provider_states_url}/jobs/${operation}/${job}`);
  return ((await response.json()) as { state: string }).state;
}

export async function credentials(api: string, kind: string): Promise<Keys> {
  return (await asked("/credentials", { api, kind })) as Keys;
}

/** Gives what the mock was sent meanwhile. */
export async function sent(act: () => Promise<unknown>): Promise<Entry[]> {
  const journal = `${announcement.control_url}/journal`;
  await fetch(journal, { method: "DELETE" });
  await act();
  const { entries } = (await (await fetch(journal)).json()) as {
    entries: Entry[];
  };
  return entries;
}

async function asked(path: string, wanted: object): Promise<unknown> {
  const response = await fetch(announcement.provider_states_url + path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(wanted),
  });
  if (response.status !== 201) throw new Error(`the mock made nothing: ${await response.text()}`);
  return response.json();
}
