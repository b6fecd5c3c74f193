const hashes = require('crypto-js');
const variable = (name) => String(pm.variables.get(name) || '');
const setHeader = (key, value) => pm.request.headers.upsert({ key, value });
function refuse(message) {
  // An exception alone would not keep the request from being sent.
  pm.test(`${message}; nothing was sent`, () => pm.expect.fail('wrong variable'));
  pm.execution.skipRequest();
}
