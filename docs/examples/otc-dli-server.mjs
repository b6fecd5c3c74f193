// The two cancel calls of otc-dli, written from spec/ alone: in memory, with tokens as the only way to authenticate.
// Start it with `node otc-dli-server.mjs 8700` and point `calloff verify` at it, as docs/verify.md shows.
import { randomBytes, randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

// From otc-dli.openapi.yaml: paths, patterns of the ids, x-job-states, and the documented 200.
const OPERATIONS = {
  cancelBatchJob: {
    path: /^\/v2\.0\/([^/]+)\/batches\/([^/]+)$/,
    parameter: 'batch_id',
    pattern: /^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$/,
    states: ['starting', 'running', 'recovering', 'success', 'dead'],
    final: ['success', 'dead'],
    cancelled: 'dead',
    accepted: { msg: 'deleted' },
  },
  cancelSqlJob: {
    path: /^\/v1\.0\/([^/]+)\/jobs\/([^/]+)$/,
    parameter: 'job_id',
    pattern: /^[0-9A-Za-z-]{1,64}$/,
    states: ['LAUNCHING', 'RUNNING', 'SCALING', 'FINISHED', 'FAILED', 'CANCELLED'],
    final: ['FINISHED', 'FAILED', 'CANCELLED'],
    cancelled: 'CANCELLED',
    accepted: { is_success: true, message: '' },
  },
};
const PROJECTS = { self: randomBytes(16).toString('hex'), other: randomBytes(16).toString('hex') };
const jobs = new Map(); // id → { operation, project, state }
const tokens = new Map(); // token → { project, expires }

// ---------------------------------------------------------------- the API

class Refusal extends Error {
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.body = { error_code: code, error_msg: message };
    if (code.startsWith('APIGW.')) this.body.request_id = randomBytes(16).toString('hex');
  }
}

function authenticate(headers) {
  const token = tokens.get(headers['x-auth-token']);
  if (!token) throw new Refusal(401, 'APIGW.0301', 'Incorrect IAM authentication information');
  if (token.expires < Date.now()) throw new Refusal(401, 'APIGW.0307', 'The token must be updated.');
  return token;
}

function cancel(method, path, headers) {
  const [name, operation] = Object.entries(OPERATIONS).find(([, each]) => each.path.test(path)) ?? [];
  if (!operation || method !== 'DELETE') throw new Refusal(404, 'APIGW.0101', 'The API does not exist.');
  const [project, id] = operation.path.exec(path).slice(1).map(decodeURIComponent);
  const caller = authenticate(headers);
  if (caller.project !== project) throw new Refusal(403, 'APIGW.0302', 'The token is of another project.');
  if (!operation.pattern.test(id)) throw new Refusal(400, 'DLI.0001', 'The id of the job is malformed.');
  const job = jobs.get(id);
  const known = job?.operation === name && job.project === project;
  if (!known) throw new Refusal(400, 'DLI.0002', 'The job does not exist.');
  if (operation.final.includes(job.state)) throw new Refusal(400, 'DLI.0007', 'The job cannot be canceled.');
  job.state = operation.cancelled;
  return [200, operation.accepted];
}

// ---------------------------------------------------------------- the provider states

const CREDENTIALS = {
  token: { owner: 'self', lifetime: 3_600_000 },
  'expired-token': { owner: 'self', lifetime: -1 },
  'other-owner-token': { owner: 'other', lifetime: 3_600_000 },
};
const cannot = (wanted) => [501, { error: `This server cannot make ${Object.values(wanted).join(' ')}.` }];

const PROVIDER_STATES = {
  'GET /provider-states': () => {
    const owners = Object.keys(PROJECTS);
    const operations = Object.entries(OPERATIONS).map(([name, { states }]) => [name, { states, owners }]);
    const able = { operations: Object.fromEntries(operations), credentials: Object.keys(CREDENTIALS) };
    return [200, { version: 1, apis: { 'otc-dli': able } }];
  },
  'POST /provider-states/jobs': ({ api, operation: name, state, owner }) => {
    const operation = api === 'otc-dli' && OPERATIONS[name];
    const project = PROJECTS[owner];
    if (!project || !operation?.states?.includes(state)) return cannot({ api, name, state, owner });
    const id = randomUUID();
    jobs.set(id, { operation: name, project, state });
    return [201, { job_id: id, path_parameters: { project_id: project, [operation.parameter]: id } }];
  },
  'POST /provider-states/credentials': ({ api, kind }) => {
    const wanted = api === 'otc-dli' && CREDENTIALS[kind];
    if (!wanted) return cannot({ api, kind });
    const [token, project] = [randomBytes(24).toString('base64url'), PROJECTS[wanted.owner]];
    tokens.set(token, { project, expires: Date.now() + wanted.lifetime });
    return [201, { token, project_id: project }];
  },
  'DELETE /provider-states': () => {
    jobs.clear();
    tokens.clear();
    return [204];
  },
};

function provide(method, path, text) {
  const [, , collection, api, operation, id] = path.split('/');
  if (method === 'GET' && collection === 'jobs') {
    const job = api === 'otc-dli' ? jobs.get(id) : undefined;
    return job?.operation === operation ? [200, { state: job.state }] : [404, { error: 'No such job.' }];
  }
  const act = PROVIDER_STATES[`${method} ${path}`];
  return act ? act(JSON.parse(text || '{}')) : [404, { error: `There is no ${method} ${path}.` }];
}

// ---------------------------------------------------------------- HTTP

function answer(method, path, headers, text) {
  if (path.startsWith('/provider-states')) {
    try {
      return provide(method, path, text);
    } catch (error) {
      return [400, { error: error.message }];
    }
  }
  try {
    return cancel(method, path, headers);
  } catch (error) {
    const known = error instanceof Refusal ? error : new Refusal(400, 'APIGW.0201', 'Bad request');
    return [known.status, known.body];
  }
}

const server = createServer(async (request, response) => {
  const text = Buffer.concat(await request.toArray().catch(() => [])).toString();
  const [status, body] = answer(request.method, request.url.split('?')[0], request.headers, text);
  const written = body ? JSON.stringify(body) : '';
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(written) });
  response.end(written);
});
// What Node.js cannot parse gets the documented error too.
server.on('clientError', (_, socket) => {
  const text = JSON.stringify(new Refusal(400, 'APIGW.0201', 'Bad request').body);
  const head = `Content-Type: application/json\r\nContent-Length: ${text.length}\r\nConnection: close`;
  if (socket.writable) socket.end(`HTTP/1.1 400 Bad Request\r\n${head}\r\n\r\n${text}`);
});
server.listen(Number(process.argv[2] ?? 8700), '127.0.0.1', () => {
  console.log(`listening on http://127.0.0.1:${server.address().port}`);
});
