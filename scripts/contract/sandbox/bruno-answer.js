const status = res.getStatus();
const given = res.getBody();
const body = typeof given === 'object' && given ? JSON.stringify(given) : String(given ?? '');
const headers = Object.fromEntries(
  Object.entries(res.getHeaders()).map(([name, value]) => [name.toLowerCase(), String(value)]),
);
const variable = (name) => String(bru.getVar(name) || bru.getEnvVar(name) || '');
