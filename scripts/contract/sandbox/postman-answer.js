const test = pm.test;
const status = pm.response.code;
const body = pm.response.text();
const headers = Object.fromEntries(pm.response.headers.map(({ key, value }) => [key.toLowerCase(), value]));
const variable = (name) => String(pm.variables.get(name) || '');
