const hashes = require('crypto-js');
const variable = (name) => String(bru.getVar(name) || bru.getEnvVar(name) || '');
const setHeader = (name, value) => req.setHeader(name, value);
function refuse(message) {
  throw new Error(`${message}; nothing was sent`);
}
