"use strict";
// Everything that came with a request is written as text (textContent), never as markup.
const byId = id => document.getElementById(id);
const root = document.documentElement;
const EVERY_MS = 1000, PATIENCE_MS = 5000, NEW_REQUESTS = 50, KEPT_REQUESTS = 300, JOBS = 50;

function make(tag, text, className) {
  const element = document.createElement(tag);
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}

function set(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Rows that stay keep their element, so that focus, selection and what is folded out survive an update.
function sync(parent, items, keyOf, build, update) {
  const old = new Map([...parent.children].map(element => [element.dataset.key, element]));
  const wanted = new Set(items.map(keyOf));
  for (const [key, element] of old) if (!wanted.has(key)) element.remove();
  let place = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let element = old.get(key);
    if (!element) {
      element = build(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === place) place = place.nextElementSibling;
    else parent.insertBefore(element, place);
  }
}

function syncTable(table, rows, keyOf, build, update, none) {
  const items = rows.length ? rows : [null];
  sync(table.tBodies[0], items, row => row ? keyOf(row) : "none", row => {
    if (row) return build(row);
    const empty = make("tr"), cell = make("td", "", "none wide");
    cell.colSpan = table.tHead.rows[0].cells.length;
    empty.append(cell);
    return empty;
  }, (element, row) => row ? update(element, row) : set(element.firstChild, none));
}

// --- the mock ---
async function ask(method, path, content) {
  const answer = await fetch(`/control${path}`, {
    method,
    headers: content && { "Content-Type": "application/json" },
    body: content && JSON.stringify(content),
    signal: AbortSignal.timeout(PATIENCE_MS),
  });
  const told = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(told.error);
  return told;
}

const seen = { now: 0, operations: [], jobs: [], requests: [], total: 0, disturbances: [] };

// Only what is new is asked for, unless more came than that or the journal was cleared.
async function newRequests() {
  const known = seen.requests[0];
  if (known) {
    const told = await ask("GET", `/journal?limit=${NEW_REQUESTS}`);
    const at = told.entries.findIndex(entry => entry.number === known.number && entry.request_id === known.request_id);
    if (at >= 0) return { total: told.total, requests: [...told.entries.slice(0, at), ...seen.requests].slice(0, KEPT_REQUESTS) };
  }
  const told = await ask("GET", `/journal?limit=${KEPT_REQUESTS}`);
  return { total: told.total, requests: told.entries };
}

// --- what is shown ---
const search = byId("words"), operation = byId("operation"), status = byId("status");
const nameOf = item => `${item.api}/${item.operation}`;
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const count = number => number.toLocaleString("en");

function fitsWords(...texts) {
  const text = texts.join(" ").toLowerCase();
  return search.value.toLowerCase().split(/\s+/).every(word => text.includes(word));
}

function fitsOperation(item) {
  return !operation.value || nameOf(item) === operation.value;
}

function ago(seconds) {
  if (seconds < 1) return "now";
  if (seconds < 100) return `${Math.floor(seconds)} s ago`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min ago`;
  return `${Math.floor(seconds / 3600)} h ago`;
}

function setTime(element, seconds, text) {
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return set(element, "");
  element.dateTime = element.title = date.toISOString();
  set(element, text || clock.format(date));
}

function tag(element, text, kind) {
  set(element, text);
  element.className = `tag ${kind}`;
}

function cell(row, name, className, ...inside) {
  const made = make(name, undefined, className);
  if (name === "th") made.scope = "row";
  made.append(...inside);
  row.append(made);
  return made;
}

function showCounts() {
  sync(byId("counts"), seen.operations.filter(fitsOperation), nameOf, item => {
    const card = make("li"), name = make("div", undefined, "name"), words = make("span");
    words.append(make("span", item.api, "dim"), make("br"), make("span", item.operation));
    name.append(words, make("b"));
    card.append(name, make("div", undefined, "states"));
    return card;
  }, (card, item) => {
    set(card.querySelector("b"), count(item.total));
    const there = Object.entries(item.states).filter(([, number]) => number);
    const part = item.counted < item.total ? [["of the newest", item.counted]] : [];
    sync(card.querySelector(".states"), [...there, ...part], ([state]) => state, () => make("span", "", "tag"),
      (element, [state, number]) => set(element, `${state} ${count(number)}`));
  });
}

function buildJob(job) {
  const row = make("tr");
  cell(row, "th", "wide", make("code", job.id));
  cell(row, "td", "operation", make("span", `${job.api}/`, "dim"), make("span", job.operation));
  const owner = cell(row, "td", "owner", make("span", job.owner));
  owner.title = job.owner_id;
  cell(row, "td", "state", make("span", "", "tag"));
  cell(row, "td", "since", make("time"));
  return row;
}

function updateJob(row, job) {
  const state = row.querySelector(".state span"), text = job.cancelling ? `${job.state}, cancelling` : job.state;
  const changed = state.textContent && state.textContent !== text;
  tag(state, text, job.cancelling ? "way" : job.cancellable ? "open" : "idle");
  state.title = job.cancelling ? "a cancel is on its way" : job.cancellable ? "a cancel is accepted" : "a cancel changes nothing";
  if (changed) {
    row.classList.remove("changed");
    void row.offsetWidth;  // lets the animation begin again
    row.classList.add("changed");
  }
  const time = row.querySelector("time");
  if (job.since !== null) setTime(time, job.since, ago(seen.now - job.since));
}

function showJobs() {
  const all = seen.operations.filter(fitsOperation).reduce((sum, item) => sum + item.total, 0);
  const jobs = seen.jobs.filter(job => fitsOperation(job) && fitsWords(job.id, nameOf(job), job.owner, job.owner_id, job.state))
    .sort((a, b) => b.since - a.since);
  set(byId("jobs-shown"), `${count(jobs.length)} of ${count(all)} shown, the last changed first`);
  syncTable(byId("job-table"), jobs, job => `${nameOf(job)}/${job.owner_id}/${job.id}`, buildJob, updateJob,
    all ? "No job among the newest fits." : "There are no jobs. POST /provider-states/jobs makes one.");
}

function fact(list, name, text) {
  if (text) list.append(make("dt", name), make("dd", text));
}

function buildRequest(entry) {
  const row = make("tr"), time = make("time");
  cell(row, "td", "number", String(entry.number));
  setTime(time, entry.time);
  cell(row, "td", "", time);
  const details = make("details"), summary = make("summary"), facts = make("dl", undefined, "facts");
  summary.append(make("code", entry.method ? `${entry.method} ${entry.target}` : "no HTTP request"));
  if (entry.case) summary.append(make("br"), make("span", `case ${entry.case}`, "dim"));
  fact(facts, "Client", entry.user_agent);
  fact(facts, "Headers", entry.headers.join(", "));
  fact(facts, "Content type", entry.content_type);
  fact(facts, "Signed headers", entry.signed_headers.join(", "));
  fact(facts, "Signed parameters", entry.signed_parameters.join(", "));
  fact(facts, "Request id", entry.request_id);
  details.append(summary, facts);
  cell(row, "th", "request wide", details);
  const kind = entry.status === null ? "bad" : { 2: "good", 4: "way", 5: "bad" }[Math.floor(entry.status / 100)] || "idle";
  cell(row, "td", "", make("span", entry.status === null ? "none" : String(entry.status), `tag ${kind}`));
  cell(row, "td", "operation", ...(entry.operation ? [make("span", `${entry.api}/`, "dim"), make("span", entry.operation)] : [make("span", entry.api, "dim")]));
  cell(row, "td", "", ...entry.disturbances.map(kind => make("span", kind, "tag way")));
  cell(row, "td", "number ms", entry.ms.toFixed(2));
  return row;
}

function fitsStatus(entry) {
  if (!status.value) return true;
  return entry.status === null ? status.value === "none" : String(entry.status).startsWith(status.value);
}

function showRequests() {
  const entries = seen.requests.filter(entry => fitsOperation(entry) && fitsStatus(entry) && fitsWords(entry.method, entry.target,
    entry.user_agent, nameOf(entry), entry.request_id, String(entry.status), entry.headers.join(" "), entry.disturbances.join(" ")));
  set(byId("requests-shown"), `${count(entries.length)} shown of the newest ${count(seen.requests.length)}; ${count(seen.total)} came in all`);
  syncTable(byId("request-table"), entries, entry => `${entry.number}/${entry.request_id}`, buildRequest, () => {},
    seen.requests.length ? "No request fits." : "No API was asked yet.");
}

function showDisturbances() {
  byId("calm").hidden = seen.disturbances.length > 0;
  sync(byId("in-force"), seen.disturbances, item => `${item.id}/${item.kind}`, item => {
    const { id, kind, left, ...parameters } = item, row = make("li");
    const button = make("button", "Remove", "button");
    button.type = "button";
    button.setAttribute("aria-label", `Remove ${kind}, number ${id}`);
    button.addEventListener("click", () => change(() => ask("DELETE", `/disturbances/${id}`), `Removed ${kind}.`));
    row.append(make("span", kind, "tag way"), make("code", Object.entries(parameters).map(([name, value]) => `${name}=${value}`).join("  ")),
      make("span", "", "dim left"), button);
    return row;
  }, (row, item) => set(row.querySelector(".left"), item.left === undefined ? "" : `${count(item.left)} more`));
}

function show() {
  showCounts();
  showJobs();
  showRequests();
  showDisturbances();
}

// --- asking once a second, while somebody can see it ---
const pulse = byId("pulse"), pause = byId("pause");
let timer = 0, asking = false, again = false;
const paused = () => pause.getAttribute("aria-pressed") === "true";

async function poll() {
  clearTimeout(timer);
  if (asking) {
    again = true;
    return;
  }
  asking = true;
  again = false;
  try {
    const [jobs, requests, disturbances] = await Promise.all([ask("GET", `/jobs?limit=${JOBS}`), newRequests(), ask("GET", "/disturbances")]);
    Object.assign(seen, jobs, requests, disturbances);
    if (operation.options.length === 1) {
      for (const item of seen.operations) for (const list of [operation, byId("disturbed")]) list.append(new Option(nameOf(item)));
    }
    show();
    tag(pulse, "live", "good");
  } catch (error) {
    tag(pulse, "no answer", "bad");
    pulse.title = String(error);
  } finally {
    asking = false;
  }
  if (again) return poll();
  if (paused()) tag(pulse, "paused", "way");
  else if (!document.hidden) timer = setTimeout(poll, EVERY_MS);
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) clearTimeout(timer);
  else if (!paused()) poll();
});
pause.addEventListener("click", () => {
  pause.setAttribute("aria-pressed", String(!paused()));
  clearTimeout(timer);
  if (paused()) tag(pulse, "paused", "way");
  else poll();
});

// --- changing something ---
const told = byId("told");
let fades = 0;

function tell(text, fine) {
  told.className = fine ? "notice fine" : "notice";
  told.textContent = text;
  told.hidden = false;
  clearTimeout(fades);
  if (fine) fades = setTimeout(() => { told.hidden = true; }, 4000);
}

async function change(how, done) {
  try {
    await how();
    tell(done, true);
  } catch (error) {
    tell(error.message, false);
  }
  await poll();
}

const PRESETS = [
  ["Late answers, 1 s", { kind: "latency", seconds: 1 }],
  ["Throttled: 429 with Retry-After", { kind: "throttle", rate: 0, retry_after: 1 }],
  ["Throttled above 200 requests/s", { kind: "throttle" }],
  ["Fails with 500", { kind: "status", status: 500 }],
  ["Page of a proxy, 502", { kind: "gateway", status: 502 }],
  ["Connection reset", { kind: "reset" }],
  ["Cancelled, then reset", { kind: "reset", applied: true }],
  ["Half an answer", { kind: "truncate" }],
  ["Closes after the answer", { kind: "close" }],
  ["Wrong Content-Type", { kind: "content-type" }],
  ["Clock 20 minutes ahead", { kind: "clock-skew", seconds: 1200 }],
];
const preset = byId("preset"), disturbed = byId("disturbed"), times = byId("times");
for (const [index, [words]] of PRESETS.entries()) preset.append(new Option(words, index));
const chosen = () => PRESETS[preset.value][1];
preset.addEventListener("input", () => { disturbed.disabled = times.disabled = chosen().kind === "clock-skew"; });
byId("disturb").addEventListener("submit", event => {
  event.preventDefault();
  const wanted = { ...chosen() };
  if (!disturbed.disabled) {
    wanted.operations = disturbed.value;
    if (times.value) wanted.requests = Number(times.value);
  }
  change(() => ask("POST", "/disturbances", wanted), `Added ${wanted.kind}.`);
});

const sure = byId("sure");
byId("reset").addEventListener("click", () => sure.showModal());
byId("keep").addEventListener("click", () => sure.close());
byId("forget").addEventListener("click", () => {
  sure.close();
  change(() => ask("DELETE", ""), "The mock is where it was at its start.");
});

// --- filter, dark and light, keys ---
const filter = byId("filter");
filter.addEventListener("input", show);
filter.addEventListener("reset", () => setTimeout(show));
filter.addEventListener("submit", event => event.preventDefault());

const dark = matchMedia("(prefers-color-scheme: dark)");
byId("theme").addEventListener("click", () => {
  const now = root.dataset.theme || (dark.matches ? "dark" : "light");
  root.dataset.theme = now === "dark" ? "light" : "dark";
});

document.addEventListener("keydown", event => {
  if (event.key === "/" && !sure.open && !event.target.closest("input, select, textarea")) {
    event.preventDefault();
    search.focus();
  }
  if (event.key === "Escape" && event.target === search) {
    search.value = "";
    show();
  }
});
poll();
